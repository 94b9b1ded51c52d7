"""Arena: a person's own votes, blind: a prompt, two answers in random order, and which model gave which only after."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import ClassVar, TypeAlias

from rich.text import Text
from textual.binding import BindingType
from textual.events import Resize

from checkpoints.records import REFERENCE, Choice, Json, Row, Step, Tally, VoterMeans, model_name
from checkpoints.text import clean
from lanes.analyze.win_rate import anytime
from tui.battles import PERSON, Battle, Running, cast_by, next_battle, running, why_none
from tui.keys import Action
from tui.screens.page import Page
from tui.signs import BLUE, BRIGHT, FAINT, GREY, ORANGE, STATES, YELLOW
from tui.snapshot import Snapshot
from tui.widgets.lines import fitted, paragraphs, said, styled, wrapped
from tui.words import per_cent

VOTING = (
    Action("prefer('a')", ("left",), "←", "First", "The answer at the left, or above, is better"),
    Action("prefer('b')", ("right",), "→", "Second", "The answer at the right, or below, is better"),
    Action("prefer('tie')", ("equals_sign", "space"), "= ␣", "Equal", "Both are about equally good"),
    Action("skip", ("s",), "s", "Skip", "Another pair, without a vote on this one"),
    Action("go_on", ("enter",), "⏎", "Next", "After a vote: the next pair, also with the space bar"),
    Action("read(1)", ("down", "j"), "↓ j", "Down", "Both answers a line down"),
    Action("read(-1)", ("up", "k"), "↑ k", "Up", "Both answers a line up"),
    Action("turn(1)", ("pagedown",), "PgDn", "Page down", "Both answers a screenful down"),
    Action("turn(-1)", ("pageup",), "PgUp", "Page up", "Both answers a screenful up"),
    Action("back", ("escape", "q"), "Esc q", "Back", "Back to where you came from"),
)
"""Keys of this page; those of other pages do not hold here."""

SIDE_BY_SIDE = 100
"""Columns of the terminal from which the answers stand side by side."""

_ASKS = "← left is better   → right is better   = about equal   s skip   ↑ ↓ read   Esc back"
_ASKS_STACKED = "← upper  → lower  = equal  s skip  ↑ ↓ read  Esc"
_TELLS = "⏎ next pair   ↑ ↓ read   Esc back"

Want: TypeAlias = Callable[[Step, int | None, str, Json], Awaitable[bool]]
"""Records a step of the person; false where it could not be, which the person has been told."""


class Arena(Page, inherit_bindings=False):
    """One pair after the other, for as long as the person likes."""

    BINDINGS: ClassVar[list[BindingType]] = [binding for action in VOTING for binding in action.bindings]

    def __init__(self, folder: Path, snapshot: Snapshot, voter: str, battle: Battle, want: Want) -> None:
        super().__init__(Text("Arena"), [], _ASKS)
        self._folder, self._snapshot, self._voter, self._want = folder, snapshot, voter, want
        self._battle: Battle | None = battle
        self._skipped: set[tuple[int, str]] = set()
        self._cast: list[tuple[int, Json]] = []
        """What was voted here, by experiment; the run's own list of it comes a look later."""

        self._chose: Choice | None = None
        self._told: list[Text] = []
        """What is said after a vote; empty before it."""

        self._why, self._busy, self._from = "", False, 0

    def show(self, snapshot: Snapshot) -> None:
        """Where there was no pair left, there may be one now."""
        self._snapshot = snapshot
        if self._battle is None and not self._busy:
            self._do(self._next())

    def on_mount(self) -> None:
        """The first pair."""
        super().on_mount()
        self.call_after_refresh(self._draw)

    def on_resize(self, event: Resize) -> None:
        """Other columns, other lines."""
        super().on_resize(event)
        self.call_after_refresh(self._draw)

    def action_prefer(self, choice: str) -> None:
        """Vote; after a vote the space bar goes on."""
        if self._told:
            if choice == Choice.TIE:
                self.action_go_on()
        elif self._battle and not self._busy:
            self._do(self._vote(self._battle, Choice(choice)))

    def action_skip(self) -> None:
        """Leave this pair for another time."""
        if self._battle and not self._told and not self._busy:
            self._skipped.add((self._battle.experiment, self._battle.prompt))
            self._do(self._next())

    def action_go_on(self) -> None:
        """The next pair."""
        if self._told and not self._busy:
            self._do(self._next())

    def action_read(self, lines: int) -> None:
        """Move both answers."""
        self._from = max(0, self._from + lines)
        self._draw()

    def _do(self, work: Awaitable[None]) -> None:
        async def alone() -> None:
            try:
                await work
            except (OSError, sqlite3.Error) as error:
                self._battle, self._told, self._why = None, [], f"cannot read the answers: {error}"
            finally:
                self._busy = False
            self._draw()

        self._busy = True
        self.run_worker(alone(), name="arena", group="arena")

    async def _vote(self, battle: Battle, choice: Choice) -> None:
        if not self._snapshot.driven:
            self.notify("no process drives this run any more: nobody would count the vote", markup=False)
            return
        detail = battle.vote(choice, self._voter)
        if not await self._want(Step.VOTE, battle.experiment, "", detail):
            return
        self._cast.append((battle.experiment, detail))
        row = self._snapshot.rows[battle.experiment]
        cast = [detail for number, detail in self._mine() if number == battle.experiment]
        rival = battle.model_b if battle.model_a == row.experiment.model else battle.model_a
        counted = await asyncio.to_thread(running, self._folder, row, rival, self._voter, cast)
        self._chose, self._told = choice, _told(row, battle, choice, counted)

    async def _next(self) -> None:
        done = self._skipped | {(number, str(detail["prompt"])) for number, detail in self._mine()}
        rows = self._snapshot.rows
        self._battle = await asyncio.to_thread(next_battle, self._folder, rows, self._voter, done)
        if self._battle is None:
            self._why = await asyncio.to_thread(why_none, self._folder, self._snapshot)
            if self._skipped:
                self._why += f"; {len(self._skipped)} skipped ones come again when you come back"
        self._told, self._from = [], 0

    def _mine(self) -> list[tuple[int, Json]]:
        """Votes that are counted, or will be as far as one can tell."""
        cast = cast_by(self._snapshot.interventions, self._voter)
        known = [(one.experiment or 0, one.detail) for one in cast]
        counted = [vote for one, vote in zip(cast, known, strict=True) if not one.refused]
        return counted + [vote for vote in self._cast if vote not in known]

    def _draw(self) -> None:
        width, height = self.columns, max(self.size.height - 2, 1)
        side_by_side = self.size.width >= SIDE_BY_SIDE
        if self._battle is None:
            self.change(self._heads(), wrapped(styled(self._why, GREY), width), "Esc back")
            return
        told = [line for text in self._told for line in wrapped(text, width) or [Text()]]
        lines = self._pair(self._battle, width, max(8, height - len(told)), side_by_side)
        asks = _ASKS if side_by_side else _ASKS_STACKED
        self.change(self._heads(), [*lines, *told], _TELLS if self._told else asks)

    def _heads(self) -> Text:
        name, votes = clean(self._voter.removeprefix(PERSON)), len(self._cast)
        others = "; the run's other voters are simulated" if self._snapshot.simulated else ""
        who = f"blind, as {name}, {votes} vote{'' if votes == 1 else 's'}{others}"
        return Text().append("Arena  ", f"bold {BRIGHT}").append(who, f"not bold {GREY}")

    def _pair(self, battle: Battle, width: int, height: int, side_by_side: bool) -> list[Text]:
        asked = battle.question or f"{battle.prompt} (what it says was not kept)"
        question = _wrapped(asked, width - 2)
        column = (width - 3) // 2 if side_by_side else width
        answers = [_wrapped(text, column) for text in (battle.answer_a, battle.answer_b)]
        lengths = [len(lines) for lines in answers]
        unused = height - (2 + max(lengths) if side_by_side else 3 + sum(lengths))
        for_question = max(1, min(len(question), max(unused, height // (4 if side_by_side else 5))))
        rest = height - for_question - 1
        rooms = [min(rest - 1, max(lengths))] * 2 if side_by_side else _shared(rest - 2, lengths)
        most = max(len(lines) - room for lines, room in zip((question, *answers), (for_question, *rooms), strict=True))
        self._from = max(0, min(self._from, most))
        names = _revealed(battle, self._chose) if self._told else _places(side_by_side)
        shown = [_window(lines, room, self._from) for lines, room in zip(answers, rooms, strict=True)]
        heads = [_head(name, hidden, column) for name, (_, hidden) in zip(names, shown, strict=True)]
        text, hidden = _window(question, for_question, self._from)
        mark = styled("❯ ", f"bold {BLUE}")
        top = [(mark if not place else styled("  ", "")).copy().append_text(line) for place, line in enumerate(text)]
        top.append(styled(f"  ↓ {hidden} more lines of the prompt" if hidden else "", YELLOW))
        if side_by_side:
            return top + _beside([[head, *lines] for head, (lines, _) in zip(heads, shown, strict=True)], column)
        return top + [line for head, (lines, _) in zip(heads, shown, strict=True) for line in (head, *lines)]


def _told(row: Row, battle: Battle, choice: Choice, counted: Running) -> list[Text]:
    """What a person may know once they have voted."""
    number = row.experiment.number
    preferred = {Choice.A: battle.model_a, Choice.B: battle.model_b}.get(choice)
    what = f"You preferred {_model(preferred)}'s answer." if preferred else "You found them about equal."
    others = ", simulated voters among them" if counted.simulated else ""
    against = " against the reference" if REFERENCE in (battle.model_a, battle.model_b) else ""
    lines = [
        Text(),
        styled(what, f"bold {BRIGHT}"),
        _share(f"Your votes on #{number}{against}", counted.own),
        _share(f"All votes on #{number}{against}{others}", counted.all, counted.means),
    ]
    if row.verdict:
        word = STATES[row.experiment.state].word
        lines.append(styled(f"#{number} was {word} before: your vote counts in the ranking", GREY))
    return lines


def _share(name: str, tally: Tally, means: VoterMeans | None = None) -> Text:
    """``All votes on #43: 7 of 11 for it, 2 about equal; each voter as one 61.0 % [23.2, 93.3] 95 % at any time``."""
    text = Text().append(f"{name}: ", GREY).append(f"{tally.wins} of {tally.decisive} for it")
    text.append(f", {tally.ties} about equal" if tally.ties else "", GREY)
    if means and (rate := anytime(means.wins, means.losses)):
        text.append(f"; each of {means.voters} voters as one {per_cent(rate.estimate)} % ")
        text.append(f"[{per_cent(rate.low)}, {per_cent(rate.high)}] 95 % at any time", GREY)
    return text


def _model(name: str) -> str:
    return "the reference" if name == REFERENCE else f"#{int(name.rpartition('-')[2])}"


def _places(side_by_side: bool) -> list[Text]:
    places = ("left", "right") if side_by_side else ("upper", "lower")
    return [styled(f"{key} {place}", f"bold {BRIGHT}") for key, place in zip("←→", places, strict=True)]


def _revealed(battle: Battle, choice: Choice | None) -> list[Text]:
    """Which model gave which answer, and which of them was preferred."""
    candidate = model_name(battle.experiment)
    names: list[Text] = []
    for place, model in ((Choice.A, battle.model_a), (Choice.B, battle.model_b)):
        role, colour = ("candidate", ORANGE) if model == candidate else ("opponent", BLUE)
        name = Text().append("✓ " if place is choice else "", f"bold {BRIGHT}")
        what = _model(model) if model == REFERENCE else f"{_model(model)}, {role}"
        names.append(name.append(what, f"bold {colour}"))
    return names


def _head(name: Text, hidden: int, width: int) -> Text:
    """A rule with the name, and how much of the answer is below."""
    more = f" ↓ {hidden} more " if hidden else ""
    head = Text().append("── ", FAINT).append_text(name).append(" ")
    rule = "─" * max(0, width - head.cell_len - len(more))
    return head.append(rule, FAINT).append(more, YELLOW)


def _window(lines: Sequence[Text], room: int, start: int) -> tuple[list[Text], int]:
    """The lines in sight, filled up, and how many are below; the last screenful stays in sight."""
    start = max(0, min(start, len(lines) - room))
    shown = list(lines[start : start + room])
    return shown + [Text()] * (room - len(shown)), max(0, len(lines) - start - room)


def _shared(room: int, wanted: Sequence[int]) -> list[int]:
    """Lines for two answers, one above the other: what one does not need the other has."""
    first = max(1, min(wanted[0], max(room // 2, room - wanted[1])))
    return [first, max(1, min(wanted[1], room - first))]


def _beside(columns: Sequence[Sequence[Text]], width: int) -> list[Text]:
    left, right = columns
    return [
        fitted(a, width).append(" │ ", FAINT).append_text(fitted(b, width)) for a, b in zip(left, right, strict=True)
    ]


def _wrapped(text: str, width: int) -> list[Text]:
    return wrapped(paragraphs(text.strip()), width) or [said("(nothing was said)", GREY)]
