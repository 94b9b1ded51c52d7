"""Exchanges: what a language model was asked and what it answered, one exchange after the other, whole."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual.binding import BindingType
from textual.events import Resize

from checkpoints.reader import Reader
from checkpoints.thought import Exchange
from tui.keys import Action
from tui.screens.page import Sectioned
from tui.signs import BLUE, BRIGHT, GREY, ORANGE, RED
from tui.snapshot import Snapshot
from tui.thinking import PURPOSES
from tui.widgets.lines import paragraphs, said, styled, wrapped
from tui.words import clock, money

TURNING = (
    Action("turn_to(-1)", ("left", "h"), "← h", "Before", "The exchange before it"),
    Action("turn_to(1)", ("right", "l"), "→ l", "After", "The exchange after it"),
)
"""Keys of this page beside those of every page."""

_PIECE = 20_000
"""Characters that are broken into lines in one go."""

_MOST = 120_000
"""Characters of one text that are shown: what the store keeps, and a little more."""


class Exchanges(Sectioned):
    """All exchanges of the run, the newest first in sight; or those of one experiment, from the first."""

    BINDINGS: ClassVar[list[BindingType]] = [binding for action in TURNING for binding in action.bindings]

    def __init__(self, folder: Path, snapshot: Snapshot, experiment: int | None = None) -> None:
        self._whose = "the agent" if experiment is None else f"the agent on #{experiment}"
        super().__init__(Text(f"Exchanges with {self._whose}"), [], "↑ ↓ PgDn read  Tab section  ← → others  Esc back")
        self._folder, self._experiment, self._spent = folder, experiment, snapshot.spent
        self._numbers: list[int] = []
        self._number: int | None = None
        """The exchange in sight; None before there is one."""

    def show(self, snapshot: Snapshot) -> None:
        """Another one may have come."""
        if snapshot.spent != self._spent:
            self._spent = snapshot.spent
            self._draw()

    def on_mount(self) -> None:
        """Read."""
        super().on_mount()
        self._draw()

    def on_resize(self, event: Resize) -> None:
        """Another width has other lines."""
        super().on_resize(event)
        self._draw()

    def action_turn_to(self, step: int) -> None:
        """The one before, or the one after."""
        place = self._place + step
        if 0 <= place < len(self._numbers):
            self._number = self._numbers[place]
            self.action_read(-1_000_000)
            self._draw()

    @property
    def _place(self) -> int:
        return self._numbers.index(self._number) if self._number in self._numbers else 0

    def _draw(self) -> None:
        self.run_worker(self._read_and_draw(), group="exchanges", exclusive=True)

    async def _read_and_draw(self) -> None:
        try:
            self._numbers, found = await asyncio.to_thread(self._read)
        except (OSError, sqlite3.Error) as error:
            self.change(self._said_of(None), wrapped(said(f"cannot read it: {error}", RED), self.columns))
            return
        if found is None:
            nothing = "none yet: no language model was asked"
            self.change(self._said_of(None), wrapped(Text(nothing, GREY), self.columns))
            return
        self._number = found.number
        lines, self.starts = await asyncio.to_thread(_lines, found, self.columns)
        self.change(self._said_of(found), lines)

    def _read(self) -> tuple[list[int], Exchange | None]:
        """All numbers, and the exchange in sight; called in a thread."""
        with closing(Reader(self._folder)) as reader:
            found = reader.exchange_numbers(self._experiment)
            if not found:
                return found, None
            first = found[-1] if self._experiment is None else found[0]
            return found, reader.exchange(self._number if self._number in found else first)

    def _said_of(self, exchange: Exchange | None) -> Text:
        text = Text(f"Exchanges with {self._whose}  ")
        if exchange is None:
            return text
        where = f"{self._place + 1} of {len(self._numbers)}: {PURPOSES[exchange.purpose]}"
        return text.append(where, f"not bold {GREY}")


def _lines(exchange: Exchange, width: int) -> tuple[list[Text], list[int]]:
    """All lines, and where sections begin; called in a thread, as a question may be long."""
    lines, starts = [*wrapped(_about(exchange), width), Text()], list[int]()
    parts = [("What went wrong", exchange.error, RED)] if exchange.error else []
    parts += [("Answer", exchange.answer, ""), ("Question", exchange.request, "")]
    for title, text, style in parts:
        starts.append(len(lines))
        lines.append(styled(title, f"bold {BLUE}"))
        lines += [*_whole(text, width, style)] if text.strip() else [Text("none came", GREY)]
        lines.append(Text())
    return lines, starts


def _about(exchange: Exchange) -> Text:
    used = f"{exchange.tokens_in:,} tokens in, {exchange.tokens_out:,} out"
    text = said(f"{clock(exchange.at)}  {exchange.model}", BRIGHT)
    text.append(f"  asked for as {said(exchange.form).plain}, {exchange.seconds:.1f} s, {used}, ", GREY)
    text.append(money(exchange.usd), ORANGE)
    of = "came to no experiment" if exchange.experiment is None else f"experiment #{exchange.experiment} came of it"
    return text.append(f"; {of}", GREY)


def _whole(text: str, width: int, style: str) -> Iterator[Text]:
    """A text with its line breaks, however long."""
    shown = text[:_MOST].strip("\n")
    while shown:
        end = len(shown) if len(shown) <= _PIECE else (shown.rfind("\n", 1, _PIECE) + 1 or _PIECE)
        for line in wrapped(paragraphs(shown[:end].rstrip("\n"), style), width) or [Text()]:
            line.rstrip()
            yield line
        shown = shown[end:]
    if len(text) > _MOST:
        yield Text(f"… {len(text) - _MOST:,} more characters", GREY)
