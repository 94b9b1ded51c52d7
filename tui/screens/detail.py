"""Detail: one experiment with everything that speaks for and against it, for as long as it is open up to date."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual.binding import BindingType
from textual.events import Resize

from checkpoints.records import Row
from tui.evidence import Evidence, read_evidence
from tui.keys import Action
from tui.screens.page import Sectioned, rendered
from tui.sections import concerning, sections
from tui.signs import BLUE, BRIGHT, RED, STATES
from tui.snapshot import Snapshot
from tui.widgets.lines import said, styled

MOVING = (
    Action("neighbour(-1)", ("left", "h"), "← h", "Previous", "The experiment above it in the table"),
    Action("neighbour(1)", ("right", "l"), "→ l", "Next", "The experiment below it in the table"),
)
"""Keys of this page beside those of every page."""

LEAST_SECONDS = 1.0
"""Between two times that the page is read again."""

Neighbour = Callable[[int, int], int]
"""The experiment that stands so many lines below one in the table; the same one at an end."""


class Detail(Sectioned):
    """Shows what is known at once, and reads the rest in a thread."""

    BINDINGS: ClassVar[list[BindingType]] = [binding for action in MOVING for binding in action.bindings]

    def __init__(self, folder: Path, snapshot: Snapshot, number: int, neighbour: Neighbour) -> None:
        row = snapshot.rows[number]
        super().__init__(_heading(row), [], "↑ ↓ read  Tab section  ← → others  Esc back")
        self.about: int | None = number
        self._folder, self._neighbour, self._snapshot = folder, neighbour, snapshot
        self._evidence: Evidence | None = None
        self._reading, self._again, self._read_at = False, False, 0.0
        self._read_of: object = None

    @property
    def row(self) -> Row:
        """The experiment as it is now."""
        assert self.about is not None
        return self._snapshot.rows[self.about]

    def show(self, snapshot: Snapshot) -> None:
        """Read again, when something of it has changed."""
        self._snapshot = snapshot
        if self._state() != self._read_of:
            self._read()

    def on_mount(self) -> None:
        """What is known first."""
        super().on_mount()
        self._read()

    def on_resize(self, event: Resize) -> None:
        """Another width has other lines."""
        super().on_resize(event)
        self._read()

    def action_neighbour(self, lines: int) -> None:
        """Go on to another experiment without going back."""
        assert self.about is not None
        number = self._neighbour(self.about, lines)
        if number == self.about:
            return
        self.about, self._evidence, self._read_at = number, None, 0.0
        self.change(_heading(self.row), [])
        self._read()

    def _read(self) -> None:
        """Read and draw; where that is under way, once more after it."""
        self._again = True
        if not self._reading:
            self.run_worker(self._read_on(), name="detail", group="detail")

    async def _read_on(self) -> None:
        self._reading = True
        try:
            while self._again:
                await asyncio.sleep(max(0.0, self._read_at + LEAST_SECONDS - time.monotonic()))
                self._again, self._read_at, self._read_of = False, time.monotonic(), self._state()
                row, snapshot, width = self.row, self._snapshot, self.columns
                lines, starts = await asyncio.to_thread(self._made, row, snapshot, width)
                if self.about == row.experiment.number:
                    self.starts = starts
                    self.change(_heading(row), lines)
        finally:
            self._reading = False

    def _made(self, row: Row, snapshot: Snapshot, width: int) -> tuple[list[Text], list[int]]:
        """All lines of the page, and at which of them its sections begin; called in a thread."""
        lines: list[Text] = []
        starts: list[int] = []
        try:
            self._evidence = read_evidence(self._folder, row, snapshot.champion, self._evidence)
        except (OSError, sqlite3.Error) as error:
            lines += [said(f"cannot read all of it: {error}", RED), Text()]
        for name, content in sections(snapshot, row, self._evidence, width):
            starts.append(len(lines))
            lines += [styled(name, f"bold {BLUE}"), *rendered(content, width), Text()]
        return lines, starts

    def _state(self) -> object:
        """What differs when there is something new to say."""
        number, snapshot = self.about, self._snapshot
        curves = [one for one in (snapshot.candidate, snapshot.rival) if one and one.experiment == number]
        lanes = [(one.lane, one.done, one.detail) for one in snapshot.at_work if one.experiment == number]
        done = concerning(snapshot.interventions, self.row.experiment.number)
        steps = [(one.number, one.acknowledged_at) for one in done]
        logged = [(len(one.train), len(one.evals)) for one in curves]
        return self.row, snapshot.champion, snapshot.standings, snapshot.zoom_outs, lanes, steps, logged


def _heading(row: Row) -> Text:
    experiment, sign = row.experiment, STATES[row.experiment.state]
    heading = Text.assemble(
        (f"#{experiment.number} ", f"bold {BRIGHT}"), (f"{sign.mark} {sign.word}  ", f"bold {sign.colour}")
    )
    return heading.append_text(said(experiment.proposal.change or experiment.proposal.hypothesis, BRIGHT))
