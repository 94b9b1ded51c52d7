"""A page that is written from the store: read and drawn in a thread, and read again when the reader asks."""

from __future__ import annotations

import asyncio
import sqlite3
from abc import abstractmethod
from contextlib import closing
from pathlib import Path

from rich.text import Text
from textual.events import Resize

from checkpoints.reader import Reader
from runner.report import blocks
from tui.report_lines import parts
from tui.screens.page import Sectioned
from tui.signs import BLUE, GREY, RED
from tui.snapshot import Snapshot
from tui.widgets.lines import said, styled


class Unwritten(Exception):
    """There is nothing to write yet; the message says why."""


class Written(Sectioned):
    """Says at once that it reads; the page comes a moment later."""

    def __init__(self, name: str, folder: Path, snapshot: Snapshot, hint: str) -> None:
        super().__init__(Text(name), Text("reading the run…", GREY), hint)
        self._name, self._folder, self._snapshot = name, folder, snapshot
        self._report: blocks.Report | None = None

    @abstractmethod
    def write(self, read: Reader, snapshot: Snapshot) -> blocks.Report:
        """What the page says; called in a thread, where it may take long to import.

        Raises:
            Unwritten: There is nothing to write yet.
        """

    def show(self, snapshot: Snapshot) -> None:
        """Stay as it is for whoever reads; a key asks for what is new."""
        self._snapshot = snapshot

    def on_mount(self) -> None:
        """Read."""
        super().on_mount()
        self.action_again()

    def on_resize(self, event: Resize) -> None:
        """Another width has other lines."""
        super().on_resize(event)
        self.run_worker(self._draw(), group="written", exclusive=True)

    def action_again(self) -> None:
        """Read the run as it is now."""
        self._report = None
        self.run_worker(self._draw(), group="written", exclusive=True)

    async def _draw(self) -> None:
        heading, lines, self.starts = await asyncio.to_thread(self._made, self._snapshot, self.columns)
        self.change(heading, lines)

    def _made(self, snapshot: Snapshot, width: int) -> tuple[Text, list[Text], list[int]]:
        """Heading, lines, and at which lines sections begin; called in a thread."""
        try:
            if self._report is None:
                with closing(Reader(self._folder)) as read:
                    self._report = self.write(read, snapshot)
        except (Unwritten, OSError, sqlite3.Error) as error:
            return Text(self._name), [said(error, RED)], []
        lines: list[Text] = []
        starts: list[int] = []
        for part in parts(self._report, width):
            if isinstance(part, str):
                starts.append(len(lines) + 1)
                lines += [Text(), styled(part, f"bold {BLUE}")]
            else:
                lines += part
        return said(f"{self._name} · {self._report.title}"), lines, starts
