"""Cells to draw on, by plotext: axes, curves of points finer than a cell, signs that fill one."""

from __future__ import annotations

import importlib
import math
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from rich.style import Style
from rich.text import Text

from tui.axes import Limits, labels, log_ticks, ticks, whole_ticks
from tui.plots.thinning import thin
from tui.signs import FAINT, GREY

_imported = threading.Event()

_plain = threading.Event()
"""The Linux console has no braille in its font, other places have no Unicode at all."""

_drawing = threading.Lock()
"""plotext draws on one figure of the process."""

_ASCII = str.maketrans("│┤├┼┬┴─┈└┌┐┘╭╮╰╯", "||||++-.++++++++")
"""Of what frames a plot; signs are replaced where all signs are."""


def load() -> None:
    """Import plotext, which takes as long as the first paint: called off the screen's thread, after it."""
    importlib.import_module("plotext")
    _imported.set()


def loaded() -> bool:
    """Whether a plot can be drawn without waiting for the import."""
    return _imported.is_set()


def be_plain(plain: bool) -> None:
    """Draw without braille and box drawing from now on, or with them."""
    (_plain.set if plain else _plain.clear)()


def is_plain() -> bool:
    """Whether a plot is to be drawn without braille and box drawing."""
    return _plain.is_set()


@dataclass(frozen=True, slots=True)
class Frame:
    """Where a figure is drawn: how many cells, and what the axes span."""

    width: int
    height: int
    """Cells, those of the axes' labels included."""

    x: Limits
    y: Limits
    """In the unit of the values, also where the axis is logarithmic."""

    log: bool = False
    plain: bool = False
    """Without braille and without box drawing."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A sign that fills one cell, by column from the left and row from the bottom."""

    column: int
    row: int
    mark: str
    colour: str


class Canvas:
    """One picture under way; ``with Canvas(...)`` has plotext for itself."""

    def __init__(self, frame: Frame, through: float) -> None:
        """Prepare the axes.

        Args:
            frame: Where it is drawn.
            through: A value that is labelled on the upright axis where it is in sight.
        """
        self._frame = frame
        self.across = frame.x
        self._scaled = Limits(self._scale(frame.y.lower), self._scale(frame.y.upper))
        self._ticks = self._upright(through)
        self._labels = labels(self._ticks) if not frame.log else [f"{value:g}" for value in self._ticks]
        self.columns = max(frame.width - max(map(len, self._labels)) - 1, 2)
        self.rows = max(frame.height - 2, 2)
        self._markers: dict[tuple[str, str], Any] = {}

    def __enter__(self) -> Canvas:
        _drawing.acquire()
        # The types of plotext are only half told, so none are used.
        self._plotext: Any = importlib.import_module("plotext")
        self._figure: Any = self._plotext.figure
        # A picture may be larger than the terminal that plotext thinks it is in.
        self._plotext.terminal.limit(False, False)
        self._figure.clear()
        self._figure.theme("colorless")
        self._figure.plot_size(self._frame.width, self._frame.height)
        self._figure.axes(True, pixel=self._pixel(FAINT), axis=[0, 1], side=[0])
        self._figure.axes(False, side=[1])
        across = whole_ticks(int(self._frame.x.upper), self._frame.width)
        self._axis("x", self._frame.x, across, labels(across))
        self._axis("y", self._scaled, [self._scale(value) for value in self._ticks], self._labels)
        return self

    def __exit__(self, *_: object) -> None:
        _drawing.release()

    def column(self, x: float) -> int:
        """The column in which a value stands; outside the axis there is none, but a number all the same."""
        return round((x - self._frame.x.lower) / (self._frame.x.upper - self._frame.x.lower) * (self.columns - 1))

    def row(self, y: float) -> int:
        """The row in which a value stands, from the bottom; what is beyond the axis stands at its end."""
        lower, upper = self._scaled.lower, self._scaled.upper
        return round((self._held(y) - lower) / (upper - lower) * (self.rows - 1))

    def thinned(self, xs: Sequence[float], ys: Sequence[float]) -> tuple[list[float], list[float]]:
        """As many places as the columns can show, at most two in each."""
        inside = [(x, y) for x, y in zip(xs, ys, strict=True) if self.across.lower <= x <= self.across.upper]
        return thin([x for x, _ in inside], [y for _, y in inside], self.across, 2 * self.columns)

    def rule(self, y: float) -> None:
        """A line across, behind all else."""
        if self._frame.y.lower <= y <= self._frame.y.upper:
            self._figure.line(self._scale(y), "h", True, pixel=self._pixel(FAINT), style="dotted")

    def curve(self, xs: Sequence[float], ys: Sequence[float], colour: str, mark: str, joined: Sequence[bool]) -> None:
        """Points finer than a cell.

        Args:
            xs, ys: Places.
            colour: Of all of them.
            mark: One sign a cell, for a plain frame.
            joined: For each point, whether a line leads to it from the one before.
        """
        if not xs:
            return
        signal = self._figure.signal(list(xs), [self._held(y) for y in ys], marker=self._fine(mark, colour))
        for index, leads in enumerate(joined):
            if leads and index:
                signal.line(index)
        self._figure.draw(signal)

    def intervals(self, ends: Iterable[tuple[float, float, float]], colour: str) -> None:
        """Upright lines, each as x, lower end, upper end."""
        places = [(x, y) for x, low, high in ends for y in (low, high)]
        xs, ys = [x for x, _ in places], [y for _, y in places]
        self.curve(xs, ys, colour, "|", [index % 2 == 1 for index in range(len(xs))])

    def cloud(self, xs: Sequence[float], ys: Sequence[float], colour: str) -> None:
        """Points finer than a cell, at most two in each: more of them take long and say no more."""
        wide = self.columns / (self.across.upper - self.across.lower)
        high = 2 * self.rows / (self._scaled.upper - self._scaled.lower)
        lower, upper, log = self._frame.y.lower, self._frame.y.upper, self._frame.log
        held = [min(max(y, lower), upper) for y in ys]
        ups = map(math.log10, held) if log else held
        kept = {(int(x * wide), int(up * high)): (x, y) for x, y, up in zip(xs, held, ups, strict=True)}
        self.curve([x for x, _ in kept.values()], [y for _, y in kept.values()], colour, ".", [False] * len(kept))

    def cells(self, cells: Sequence[Cell]) -> None:
        """Signs, the last on top."""
        if not cells:
            return
        across, up = self._frame.x, self._scaled
        xs = [across.lower + cell.column * (across.upper - across.lower) / (self.columns - 1) for cell in cells]
        ys = [up.lower + cell.row * (up.upper - up.lower) / (self.rows - 1) for cell in cells]
        markers = [self._marker(cell.mark, cell.colour) for cell in cells]
        self._figure.draw(self._figure.signal(xs, ys, marker=markers))

    def lines(self, marks: Sequence[Cell] = (), notes: Sequence[Text] = (), at_top: bool = True) -> list[Text]:
        """The picture.

        Args:
            marks: Signs on the horizontal axis itself; their row does not count.
            notes: Lines of text at the right edge.
            at_top: Whether they are at its top; else at its bottom.
        """
        drawn = str(self._figure.build().string()).rstrip("\n").split("\n")
        lines = [_text(line.translate(_ASCII) if self._frame.plain else line) for line in drawn]
        left = self._frame.width - self.columns
        for mark in marks:
            if 0 <= mark.column < self.columns:
                lines[self.rows] = _over(lines[self.rows], left + mark.column, Text(mark.mark, mark.colour))
        first = 0 if at_top else self.rows - len(notes)
        for row, note in enumerate(notes, first):
            if 0 <= row < self.rows and note.cell_len <= self.columns:
                lines[row] = _over(lines[row], self._frame.width - note.cell_len, note)
        return lines

    def _upright(self, through: float) -> list[float]:
        most = self._frame.height // 2
        return log_ticks(self._scaled, most) if self._frame.log else ticks(self._frame.y, most, through=through)

    def _axis(self, axis: str, limits: Limits, values: Sequence[float], names: Sequence[str]) -> None:
        ruler = self._figure.ruler(axis, 0)
        ruler.pixel(self._pixel(GREY))
        ruler.lim(limits.lower, limits.upper)
        ruler.ticks(list(values), list(names))

    def _scale(self, y: float) -> float:
        return math.log10(y) if self._frame.log else y

    def _held(self, y: float) -> float:
        return self._scale(min(max(y, self._frame.y.lower), self._frame.y.upper))

    def _fine(self, mark: str, colour: str) -> Any:
        return self._marker(mark if self._frame.plain else "braille", colour)

    def _marker(self, mark: str, colour: str) -> Any:
        if (mark, colour) not in self._markers:
            self._markers[mark, colour] = self._plotext.marker(mark, self._pixel(colour))
        return self._markers[mark, colour]

    def _pixel(self, colour: str) -> Any:
        return self._plotext.pixel((int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)))


@lru_cache(maxsize=512)
def _text(line: str) -> Text:
    """A line with its escape sequences as text; remembered, for most lines of a plot stay as they are.

    Only the foreground counts: the ground is the screen's.
    """
    decoded = Text.from_ansi(line)
    text = Text(decoded.plain, no_wrap=True, end="")
    for start, end, style in decoded.spans:
        if isinstance(style, Style) and style.color:
            text.stylize(Style(color=style.color), start, end)
    return text


def _over(line: Text, column: int, text: Text) -> Text:
    """The line with a text laid over it; every sign of a plot is one cell wide."""
    return line[:column].append_text(text).append_text(line[column + len(text) :])
