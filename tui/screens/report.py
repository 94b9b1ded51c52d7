"""The night on one page, in the terminal: read and drawn in a thread, with what is needed first at the top."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual.binding import BindingType
from textual.events import Resize

from checkpoints.reader import Reader
from runner.report import blocks
from tui import exports
from tui.keys import Action
from tui.report_lines import parts
from tui.screens.page import Sectioned
from tui.signs import BLUE, GREY, RED
from tui.snapshot import Snapshot
from tui.widgets.lines import said, styled

REPORTING = (
    Action("again", ("r",), "r", "Again", "Read the run again: the page stays as it was when it was opened"),
    Action("web_page", ("e",), "e", "Web page", "The same as HTML in a file, with the plot, for a browser"),
)
"""Keys of this page beside those of every page."""


class ReportPage(Sectioned):
    """Says at once that it reads; the page comes a moment later."""

    BINDINGS: ClassVar[list[BindingType]] = [binding for action in REPORTING for binding in action.bindings]

    def __init__(self, folder: Path, snapshot: Snapshot) -> None:
        super().__init__(Text("Report"), Text("reading the run…", GREY), "↑ ↓ read  Tab section  e web page  Esc back")
        self._folder, self._snapshot = folder, snapshot
        self._report: blocks.Report | None = None

    def show(self, snapshot: Snapshot) -> None:
        """Stay as it is for whoever reads; ``r`` asks for what is new."""
        self._snapshot = snapshot

    def on_mount(self) -> None:
        """Read."""
        super().on_mount()
        self.action_again()

    def on_resize(self, event: Resize) -> None:
        """Another width has other lines."""
        super().on_resize(event)
        self.run_worker(self._draw(), group="report", exclusive=True)

    def action_again(self) -> None:
        """Read the run as it is now."""
        self._report = None
        self.run_worker(self._draw(), group="report", exclusive=True)

    def action_web_page(self) -> None:
        """Write it for a browser."""
        self._tell_person("making the web page…")
        self.run_worker(self._export(), group="export", exclusive=True)

    async def _draw(self) -> None:
        heading, lines, self.starts = await asyncio.to_thread(self._made, self._snapshot, self.columns)
        self.change(heading, lines)

    def _made(self, snapshot: Snapshot, width: int) -> tuple[Text, list[Text], list[int]]:
        """Heading, lines, and at which lines sections begin; called in a thread, where it may take long to import."""
        from runner.report.facts import NoRun, gather
        from runner.report.page import report

        try:
            if self._report is None:
                with closing(Reader(self._folder)) as read:
                    self._report = report(gather(read, snapshot.driven, snapshot.rows or None))
        except (NoRun, OSError, sqlite3.Error) as error:
            return Text("Report"), [said(error, RED)], []
        lines: list[Text] = []
        starts: list[int] = []
        for part in parts(self._report, width):
            if isinstance(part, str):
                starts.append(len(lines) + 1)
                lines += [Text(), styled(part, f"bold {BLUE}")]
            else:
                lines += part
        return said(f"Report · {self._report.title}"), lines, starts

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
