"""Memory: what the agent is handed each time it proposes, as it is handed it; a person's notes on top of it."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, TypeAlias

from rich.text import Text
from textual.binding import BindingType
from textual.events import Resize

from checkpoints.reader import Reader
from checkpoints.records import Json, Row, Step
from checkpoints.thought import Note
from tui.keys import Action
from tui.screens.arena import Want
from tui.screens.page import Sectioned
from tui.screens.question import Answered, Choice, Question
from tui.signs import BLUE, BRIGHT, GREY, RED
from tui.snapshot import Snapshot
from tui.widgets.lines import paragraphs, said, styled, wrapped
from tui.words import clock

if TYPE_CHECKING:
    from runner.agent.shortening import Section

NOTING = (
    Action("add_note", ("a",), "a", "Add a note", "Tell the agent something for good; it outranks its beliefs"),
    Action("change_note", ("c",), "c", "Change a note", "Write one of your notes anew"),
    Action("remove_note", ("d",), "d", "Drop a note", "Take one of your notes back"),
)
"""Keys of this page beside those of every page."""

Put: TypeAlias = Callable[[Question, Callable[[Answered], None]], None]
"""Puts a question to the person; what is called with their answer is not, where they leave it."""

_LABEL = 160
"""Characters of a note by which it is chosen."""

_HINT = "↑ ↓ read  Tab section  a add a note  c change  d drop  Esc back"


class MemoryPage(Sectioned):
    """Built from the store off the screen's thread, and again when something of the run has changed."""

    BINDINGS: ClassVar[list[BindingType]] = [binding for action in NOTING for binding in action.bindings]

    def __init__(self, folder: Path, snapshot: Snapshot, want: Want, put: Put) -> None:
        super().__init__(Text("Memory"), Text("reading the run…", GREY), _HINT)
        self._folder, self._snapshot, self._want, self._put = folder, snapshot, want, put
        self._notes: tuple[Note, ...] | None = None
        self._drawn_of: object = None

    def show(self, snapshot: Snapshot) -> None:
        """What was noted, tried or believed since is in it."""
        self._snapshot = snapshot
        if self._state() != self._drawn_of:
            self._draw()

    def on_mount(self) -> None:
        """Read."""
        super().on_mount()
        self._draw()

    def on_resize(self, event: Resize) -> None:
        """Another width has other lines."""
        super().on_resize(event)
        self._draw()

    def action_add_note(self) -> None:
        """Write one."""
        told = Text("It stands first in all that the agent is handed, and outranks what it believes.")
        asked = Question("Note", told, [Choice("add", "")], "people call it a library, never a shop", needed=True)
        self._ask(asked, lambda answer: {"text": answer.text})

    def action_change_note(self) -> None:
        """Write one anew: which one is asked first, where there are several."""
        notes = self._some_notes()
        if len(notes) == 1:
            self._write_anew(notes[0])
        elif notes:
            by_number = {str(note.number): note for note in notes}
            asked = Question("Change a note", Text(), _choices(notes))
            self._put(asked, lambda answer: self._write_anew(by_number[answer.name]))

    def action_remove_note(self) -> None:
        """Take one back."""
        if notes := self._some_notes():
            asked = Question("Drop a note", Text("The agent is not handed it any more."), _choices(notes))
            self._ask(asked, lambda answer: {"of": int(answer.name)})

    def _write_anew(self, note: Note) -> None:
        words, choice = said(note.text).plain, Choice(str(note.number), "")
        asked = Question("Change a note", Text(), [choice], "its new words", needed=True, words=words)
        self._ask(asked, lambda answer: {"of": note.number, "text": answer.text})

    def _some_notes(self) -> tuple[Note, ...]:
        """The notes; where there are none, that is said."""
        if not self._notes:
            why = "the notes are being read" if self._notes is None else "there is no note of yours: a adds one"
            self.notify(why, markup=False)
        return self._notes or ()

    def _ask(self, question: Question, detail: Callable[[Answered], Json]) -> None:
        """Ask, and have the step recorded."""

        def use(answer: Answered) -> None:
            self.run_worker(self._want(Step.NOTE, None, "", detail(answer)), group="interventions")

        self._put(question, use)

    def _state(self) -> object:
        """What differs when the memory does."""
        now = self._snapshot
        return now.rows, now.hypotheses, now.zoom_outs, now.program, now.interventions

    def _draw(self) -> None:
        self.run_worker(self._read_and_draw(), group="memory", exclusive=True)

    async def _read_and_draw(self) -> None:
        self._drawn_of = self._state()
        try:
            read = await asyncio.to_thread(_read, self._folder, self._snapshot.rows)
        except (OSError, sqlite3.Error) as error:
            self.change(Text("Memory"), wrapped(said(f"cannot read it: {error}", RED), self.columns))
            return
        self._notes = read.notes
        lines, self.starts = await asyncio.to_thread(_lines, read, self.columns)
        used = sum(section.tokens for section in read.sections)
        about = f"as the agent is handed it: {used:,} of at most {read.budget:,} tokens" if read.sections else ""
        self.change(Text("Memory  ").append(about, f"not bold {GREY}"), lines)


@dataclass(frozen=True, slots=True)
class _Read:
    """What was read for the page."""

    notes: tuple[Note, ...]
    sections: tuple[Section, ...]
    budget: int
    why_none: str = ""
    foresight: str = ""
    """How what was expected compares with what came; empty where nothing was expected."""


def _read(folder: Path, rows: Sequence[Row]) -> _Read:
    """Called in a thread: what reads a program takes long to import."""
    from runner.agent.calibration import calibrated
    from runner.remembered import NotRemembered, memory_of

    with closing(Reader(folder)) as reader:
        notes = tuple(reader.notes())
        expected = any(row.experiment.proposal.expected for row in rows)
        foresight = str(calibrated(rows)) if expected else ""
        try:
            return _Read(notes, *memory_of(reader, rows), foresight=foresight)
        except NotRemembered as why:
            return _Read(notes, (), 0, str(why), foresight)


def _choices(notes: Sequence[Note]) -> list[Choice]:
    return [Choice(str(note.number), said(note.text).plain[:_LABEL]) for note in reversed(notes)]


def _lines(read: _Read, width: int) -> tuple[list[Text], list[int]]:
    """All lines, and where sections begin."""
    lines: list[Text] = []
    starts: list[int] = []
    if not read.notes:
        lines += [*wrapped(Text("no note of yours yet: a tells the agent something for good", GREY), width), Text()]
    elif not read.sections:
        starts.append(len(lines))
        lines += [styled("Your notes", f"bold {BLUE}"), *_notes(read.notes, width), Text()]
    if read.foresight:
        lines += [*wrapped(Text().append("foresight: ", GREY).append(read.foresight, BRIGHT), width), Text()]
    if read.why_none:
        lines += wrapped(said(read.why_none, RED), width)
    for section in read.sections:
        starts.append(len(lines))
        lines += wrapped(said(section.title, f"bold {BLUE}"), width)
        for line in section.lines:
            lines += wrapped(paragraphs(line), width) or [Text()]
        lines.append(Text())
    return lines, starts


def _notes(notes: Sequence[Note], width: int) -> Iterator[Text]:
    for note in notes:
        yield from wrapped(Text().append(f"{clock(note.at)}  ", GREY).append_text(said(note.text, BRIGHT)), width)
