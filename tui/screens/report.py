"""The night on one page, in the terminal: read and drawn in a thread, with what is needed first at the top."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path
from typing import ClassVar

from textual.binding import BindingType

from checkpoints.reader import Reader
from runner.report import blocks
from tui import exports
from tui.keys import Action
from tui.screens.written import Unwritten, Written
from tui.snapshot import Snapshot
from tui.widgets.lines import said

REPORTING = (
    Action("again", ("r",), "r", "Again", "Read the run again: the page stays as it was when it was opened"),
    Action("web_page", ("e",), "e", "Web page", "The same as HTML in a file, with the plot, for a browser"),
)
"""Keys of this page beside those of every page."""


class ReportPage(Written):
    """The report of the run as it was when the page was opened."""

    BINDINGS: ClassVar[list[BindingType]] = [binding for action in REPORTING for binding in action.bindings]

    def __init__(self, folder: Path, snapshot: Snapshot) -> None:
        super().__init__("Report", folder, snapshot, "↑ ↓ read  Tab section  e web page  Esc back")

    def write(self, read: Reader, snapshot: Snapshot) -> blocks.Report:
        """See ``Written.write``."""
        from runner.report.facts import NoRun, gather
        from runner.report.page import report

        try:
            return report(gather(read, snapshot.driven, snapshot.rows or None))
        except NoRun as error:
            raise Unwritten(str(error)) from None

    def action_web_page(self) -> None:
        """Write it for a browser."""
        self._tell_person("making the web page…")
        self.run_worker(self._export(), group="export", exclusive=True)

    async def _export(self) -> None:
        from checkpoints.store import StoreError
        from runner.report.facts import NoRun
        from runner.report.written import written

        try:
            text = await asyncio.to_thread(written, self._folder, True)
            (path,) = await asyncio.to_thread(exports.write, self._folder, "report", {"html": text})
        except (NoRun, StoreError, OSError, sqlite3.Error) as error:
            self._tell_person(f"no web page was made: {error}", "error")
        else:
            self._tell_person(f"exported {path}")

    def _tell_person(self, text: str, severity: str = "information") -> None:
        level = "error" if severity == "error" else "information"
        self.notify(said(text).plain, severity=level, markup=False, timeout=6)
