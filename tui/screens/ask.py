"""Ask: a conversation with the agent about the run; what it would try becomes an experiment with one key."""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.events import Resize
from textual.message import Message as Told
from textual.widget import Widget
from textual.widgets import Input

from checkpoints.reader import Reader
from checkpoints.records import Intervention, Json, Step
from checkpoints.thought import Idea, Message, Purpose
from tui.keys import Action
from tui.screens.arena import Want
from tui.screens.page import Page
from tui.signs import BLUE, BRIGHT, CURSOR, GREY, ORANGE, PINK, YELLOW
from tui.snapshot import Snapshot
from tui.widgets.lines import Lines, fitted, paragraphs, said, styled, wrapped
from tui.words import clock

_ANSWER = re.compile(r'"answer"\s*:\s*"((?:[^"\\]|\\.)*)', re.DOTALL)
"""What is said to the person, as far as it has come."""

_HALF = re.compile(r"\\u[0-9a-fA-F]{0,3}$")
"""An escaped character of which the end is missing."""

ASKING = (
    Action("read(1)", ("down",), "↓", "Down", "The conversation a line down"),
    Action("read(-1)", ("up",), "↑", "Up", "The conversation a line up"),
    Action("turn(1)", ("pagedown",), "PgDn", "Page down", "The conversation a screenful down"),
    Action("turn(-1)", ("pageup",), "PgUp", "Page up", "The conversation a screenful up"),
    Action("other", ("tab",), "Tab", "Ideas", "From the line to the agent's ideas, and back"),
    Action("back", ("escape",), "Esc", "Back", "Back to where you came from"),
)
"""Keys of this page; what is typed goes into the line."""

PICKING = (
    Action("pick(1)", ("down", "j"), "↓ j", "Next idea", "The idea below"),
    Action("pick(-1)", ("up", "k"), "↑ k", "Idea before", "The idea above"),
    Action("inject", ("i", "enter"), "i ⏎", "Inject", "Have the selected idea tried next"),
)
"""Keys of the list of ideas."""

TURNS = 200
"""Turns of the conversation that are shown, the newest."""

_IDEAS = 5
"""Lines of the list of ideas at most."""

_LINE = "⏎ ask   Tab its ideas   ↑ ↓ PgUp PgDn read   Esc back"
_LIST = "↑ ↓ choose   i inject the idea   Tab back to the line   Esc back"


class AskPage(Page, inherit_bindings=False):
    """The conversation, the agent's ideas, and a line to type on."""

    BINDINGS: ClassVar[list[BindingType]] = [binding for action in ASKING for binding in action.bindings]

    def __init__(self, folder: Path, snapshot: Snapshot, want: Want) -> None:
        super().__init__(Text("Ask the agent"), [], _LINE)
        self._folder, self._snapshot, self._want = folder, snapshot, want
        self._turns: tuple[Message, ...] = ()
        self._ideas = Ideas()
        self._words = Input(placeholder="what do you want to know?", select_on_focus=False, compact=True)
        self._words.cursor_blink = False

    def compose(self) -> ComposeResult:
        """The conversation, the ideas, the line."""
        heading, body, foot = super().compose()
        yield from (heading, body, self._ideas, self._words, foot)

    @property
    def first(self) -> Widget:
        """The line to type on."""
        return self._words

    def show(self, snapshot: Snapshot) -> None:
        """What was answered, or is being answered now."""
        self._snapshot = snapshot
        self._ideas.injected = injected(snapshot.interventions)
        self._read()

    def on_mount(self) -> None:
        """What was said so far."""
        super().on_mount()
        self.show(self._snapshot)

    def on_resize(self, event: Resize) -> None:
        """Another width has other lines."""
        super().on_resize(event)
        self._draw()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Ask; the line is empty again once the question is recorded."""
        if text := event.value.strip():
            self.run_worker(self._ask(text), group="interventions")

    def on_ideas_wanted(self, message: Ideas.Wanted) -> None:
        """Have an idea tried next."""
        idea = message.idea
        detail: Json = {"text": idea.text, "category": idea.category}
        self.run_worker(self._want(Step.INJECT, None, "", detail), group="interventions")

    def action_other(self) -> None:
        """Between the line and the ideas."""
        if self.focused is self._words and self._ideas.known:
            self._ideas.focus()
        else:
            self._words.focus()
        self._draw()

    async def _ask(self, text: str) -> None:
        if not self._snapshot.driven:
            self.notify("no process drives this run: nobody would answer", markup=False)
        elif await self._want(Step.ASK, None, "", {"text": text}):
            self._words.value = ""

    def _read(self) -> None:
        self.run_worker(self._read_and_draw(), group="ask", exclusive=True)

    async def _read_and_draw(self) -> None:
        try:
            self._turns = await asyncio.to_thread(_read, self._folder)
        except (OSError, sqlite3.Error) as error:
            self.notify(said(f"cannot read the conversation: {error}").plain, markup=False)
        self._ideas.take([idea for turn in reversed(self._turns) for idea in turn.ideas])
        self._draw()

    def _draw(self) -> None:
        at_the_end = self._body.below == 0
        lines = [
            line for text in _said(self._snapshot, self._turns) for line in wrapped(text, self.columns) or [Text()]
        ]
        hint = _LIST if self.focused is self._ideas else _LINE
        count = len(self._turns)
        about = f"{count} turn{'' if count == 1 else 's'}" if count else "nothing was asked yet"
        self.change(Text("Ask the agent  ").append(about, f"not bold {GREY}"), lines, hint)
        if at_the_end:
            self.call_after_refresh(self.action_read, 1_000_000)


class Ideas(Lines, can_focus=True):
    """What the agent would try, the newest first; the selected one is marked."""

    BINDINGS: ClassVar[list[BindingType]] = [binding for action in PICKING for binding in action.bindings]

    class Wanted(Told):
        """An idea is to be tried."""

        def __init__(self, idea: Idea) -> None:
            super().__init__()
            self.idea = idea

    def __init__(self) -> None:
        super().__init__(id="ideas")
        self.known: list[Idea] = []
        self.injected: frozenset[str] = frozenset()
        """Texts of the ideas that were put before the loop already."""

        self._place = 0

    def take(self, ideas: Sequence[Idea]) -> None:
        """Show these; the selected one stays selected."""
        chosen = self.known[self._place] if self.known else None
        self.known = list(dict.fromkeys(ideas))
        self._place = self.known.index(chosen) if chosen in self.known else 0
        self.styles.height = min(len(self.known), _IDEAS) + 1 if self.known else 0
        self.update()

    def lines(self, width: int, height: int) -> Sequence[Text]:
        """A heading and the ideas around the selected one."""
        more = f", {len(self.known)} in all" if len(self.known) > height - 1 else ""
        heading = styled(f" What it would try{more}", f"bold {PINK}")
        room = max(height - 1, 1)
        self.top = max(0, min(max(self.top, self._place - room + 1), self._place))
        shown = list(enumerate(self.known))[self.top : self.top + room]
        return [heading, *(self._line(idea, place == self._place, width) for place, idea in shown)]

    def action_pick(self, step: int) -> None:
        """Select another."""
        self._place = max(0, min(len(self.known) - 1, self._place + step))
        self.update()

    def action_inject(self) -> None:
        """The selected one, once."""
        if not self.known:
            return
        idea = self.known[self._place]
        if idea.text in self.injected:
            self.notify("this idea was put before the loop already", markup=False)
        else:
            self.post_message(self.Wanted(idea))

    def _line(self, idea: Idea, chosen: bool, width: int) -> Text:
        text = styled(" ▸ " if chosen else "   ", f"bold {BRIGHT}")
        text.append_text(said(idea.category, PINK)).append("  ").append_text(said(idea.text, BRIGHT if chosen else ""))
        done = " injected" if idea.text in self.injected else ""
        line = fitted(text, width - len(done)).append(done, GREY)
        if chosen:
            line.stylize(f"on {CURSOR}")
        return line


def injected(interventions: Sequence[Intervention]) -> frozenset[str]:
    """Texts that a person has put before the loop, and that were not refused."""
    found = (one for one in interventions if one.step is Step.INJECT and not one.refused)
    return frozenset(str(one.detail.get("text", "")) for one in found)


def _read(folder: Path) -> tuple[Message, ...]:
    with closing(Reader(folder)) as reader:
        return tuple(reader.messages(TURNS))


def _said(snapshot: Snapshot, turns: Sequence[Message]) -> Iterator[Text]:
    """What was said so far, what waits for its answer, and the answer as it comes."""
    if not turns:
        yield Text("Ask about the run: why something failed, what to try, what the numbers say.", GREY)
        yield Text()
    for turn in turns:
        person = turn.role == "person"
        yield _who("you" if person else "agent", turn.at, BLUE if person else PINK)
        yield paragraphs(turn.text.strip(), BRIGHT if person else "")
        yield Text()
    for one in snapshot.interventions:
        if one.step is Step.ASK and (one.acknowledged_at is None or one.refused):
            yield _who("you", one.at, BLUE)
            yield paragraphs(str(one.detail.get("text", "")), BRIGHT)
            yield Text("waits for its answer…", YELLOW) if one.acknowledged_at is None else said(one.effect, ORANGE)
            yield Text()
    if snapshot.speech and snapshot.speech.purpose is Purpose.ASK:
        yield _who("agent, as it speaks", snapshot.speech.at, PINK)
        yield paragraphs(so_far(snapshot.speech.text).strip() or "…")


def so_far(text: str) -> str:
    """The words of an answer of which only the beginning is there: it comes as JSON."""
    found = _ANSWER.search(text)
    if not found:
        return "" if text.lstrip().startswith("{") else text
    try:
        return json.loads(f'"{_HALF.sub("", found[1])}"', strict=False)
    except ValueError:
        return found[1]


def _who(name: str, at: float, colour: str) -> Text:
    return styled(name, f"bold {colour}").append(f"  {clock(at)}", GREY)
