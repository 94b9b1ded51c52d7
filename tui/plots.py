"""The plots, as lines of text: win rate by experiment, and a training's loss over its champion's. Drawn by plotext.

Axes are held until the data leaves them and data is thinned by fixed buckets, so that from one picture to the next only
the cells change in which something happened.
"""

from __future__ import annotations

import importlib
import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from rich.style import Style
from rich.text import Text

from checkpoints.records import State
from tui.axes import Limits, labels, ticks, whole_ticks
from tui.signs import BLUE, BRIGHT, DIM, FAINT, GREY, ORANGE, STATES

EVEN = 50.0
"""Win rate in per cent at which two models are equally good."""

_imported = threading.Event()

_drawing = threading.Lock()
"""plotext draws on one figure of the process."""


@dataclass(frozen=True, slots=True)
class Point:
    """One experiment in the plot of win rates; rates in per cent, None where there is no evidence."""

    number: int
    state: State
    rate: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Curve:
    """One training's loss."""

    label: str
    steps: tuple[float, ...]
    losses: tuple[float, ...]


def load() -> None:
    """Import plotext, which takes as long as the first paint: called off the screen's thread, after it."""
    importlib.import_module("plotext")
    _imported.set()


def loaded() -> bool:
    """Whether a plot can be drawn without waiting for the import."""
    return _imported.is_set()


def smooth(losses: Sequence[float], weight: float) -> list[float]:
    """Exponential moving average, corrected for its start as Adam does it."""
    smoothed: list[float] = []
    mean, norm = 0.0, 0.0
    for loss in losses:
        mean = weight * mean + (1 - weight) * loss
        norm = weight * norm + (1 - weight)
        smoothed.append(mean / norm)
    return smoothed


def smoothing(steps: float) -> float:
    """Weight of the average for a training of so many steps: its memory is about a tenth of them, at most 10 steps."""
    return 0.9 if steps >= 100 else 0.7


def thin(xs: Sequence[float], ys: Sequence[float], upper: float, buckets: int) -> tuple[list[float], list[float]]:
    """At most one point a bucket of the axis from 0 to ``upper``: the mean of what falls into it."""
    if len(xs) <= buckets:
        return list(xs), list(ys)
    sums: dict[int, tuple[float, float, int]] = {}
    for x, y in zip(xs, ys, strict=True):
        bucket = min(buckets - 1, int(buckets * x / upper)) if upper > 0 else 0
        before = sums.get(bucket, (0.0, 0.0, 0))
        sums[bucket] = (before[0] + x, before[1] + y, before[2] + 1)
    return [x / n for x, _, n in sums.values()], [y / n for _, y, n in sums.values()]


def win_rates(points: Sequence[Point], width: int, height: int, right: int, limits: Limits) -> list[Text]:
    """Win rate against the reference by experiment: intervals, signs, the rule at even, keeps joined by the best.

    Args:
        points: By number. Crashes have no rate and stand at the foot.
        width, height: Cells.
        right: Last experiment on the axis.
        limits: Of the win rate, per cent.
    """
    with _drawing:
        plotext, figure = _figure(width, height)
        _axis(figure, "x", Limits(-0.6, right + 0.6), whole_ticks(right, width))
        _axis(figure, "y", limits, ticks(limits, height // 2, through=EVEN))
        figure.line(EVEN, "h", True, pixel=plotext.pixel(_rgb(FAINT)), style="dotted")
        shown, best = _shown(points, width, right), _best(points)
        for (start, _, rate), (_, _, before) in zip(best[1:], best, strict=False):
            _line(plotext, figure, (start, start), (before, rate), "│")
        for point in shown:
            if point.low is not None and point.high is not None:
                colour = BLUE if point.state is State.KEPT else FAINT
                ends = [max(point.low, limits.lower), min(point.high, limits.upper)]
                figure.draw(figure.segment([point.number] * 2, ends, marker=_marker(plotext, colour)))
        for start, end, rate in best:
            _line(plotext, figure, (start, end), (rate, rate), "─")
        for point in shown:
            sign = STATES[point.state]
            place = limits.lower if point.rate is None else point.rate
            colour = BRIGHT if point.state is State.KEPT else sign.colour
            figure.draw(
                figure.signal([point.number], [place], marker=plotext.marker(sign.mark, plotext.pixel(_rgb(colour))))
            )
        return _lines(figure)


def losses(
    candidate: Curve, champion: Curve | None, width: int, height: int, right: float, limits: Limits
) -> list[Text]:
    """Loss by step: the candidate's raw values thin and its average thick, the champion's average behind it.

    Args:
        width, height: Cells.
        right: Last step on the axis.
        limits: Of the loss.
    """
    with _drawing:
        plotext, figure = _figure(width, height)
        _axis(figure, "x", Limits(0, right), whole_ticks(int(right), width))
        _axis(figure, "y", limits, ticks(limits, height // 2))
        weight = smoothing(right)
        _draw_curve(plotext, figure, candidate.steps, candidate.losses, (DIM, limits, right, width), lines=False)
        for curve, colour in ((champion, BLUE), (candidate, ORANGE)):
            if curve:
                averages = smooth(curve.losses, weight)
                _draw_curve(plotext, figure, curve.steps, averages, (colour, limits, right, width), lines=True)
        for row, (curve, colour) in enumerate(((candidate, ORANGE), (champion, BLUE))):
            if curve and curve.losses:
                label = f"━ {curve.label} {smooth(curve.losses, weight)[-1]:.3f}"
                _legend(plotext, figure, label, colour, row, (width, height, right, limits))
        return _lines(figure)


def _draw_curve(
    plotext: Any,
    figure: Any,
    xs: Sequence[float],
    ys: Sequence[float],
    frame: tuple[str, Limits, float, int],
    lines: bool,
) -> None:
    colour, limits, right, width = frame
    inside = [(x, min(max(y, limits.lower), limits.upper)) for x, y in zip(xs, ys, strict=True) if x <= right]
    if not inside:
        return
    thinned = thin([x for x, _ in inside], [y for _, y in inside], right, 2 * width)
    figure.draw(figure.signal(*thinned, marker=_marker(plotext, colour)).lines(lines))


def _legend(
    plotext: Any, figure: Any, label: str, colour: str, row: int, frame: tuple[int, int, float, Limits]
) -> None:
    width, height, right, limits = frame
    cell = (limits.upper - limits.lower) / max(height - 3, 1)
    text = plotext.colorize(label, plotext.pixel(_rgb(colour)))
    figure.draw(figure.text(right * (1 - 1 / width), limits.upper - cell * row, text, alignment="right"))


def _figure(width: int, height: int) -> tuple[Any, Any]:
    # The types of plotext are only half told, so none are used.
    plotext: Any = importlib.import_module("plotext")
    figure = plotext.figure
    figure.clear()
    figure.theme("colorless")
    figure.plot_size(width, height)
    frame = plotext.pixel(_rgb(FAINT))
    figure.axes(True, pixel=frame, axis=[0, 1], side=[0])
    figure.axes(False, side=[1])
    for axis in ("x", "y"):
        figure.ruler(axis, 0).pixel(plotext.pixel(_rgb(GREY)))
    return plotext, figure


def _axis(figure: Any, axis: str, limits: Limits, values: Sequence[float]) -> None:
    ruler = figure.ruler(axis, 0)
    ruler.lim(limits.lower, limits.upper)
    ruler.ticks(list(values), labels(values))


def _shown(points: Sequence[Point], width: int, right: int) -> list[Point]:
    """Keeps always, and the last of the others in each column; what is drawn last lies on top."""
    columns: dict[tuple[int, bool], Point] = {}
    for point in points:
        columns[(point.number * width // (right + 1), point.state is State.KEPT)] = point
    return sorted(columns.values(), key=lambda point: (point.state is State.KEPT, point.number))


def _best(points: Sequence[Point]) -> list[tuple[float, float, float]]:
    """The keeps as (from, until the next one, rate)."""
    keeps = [(point.number, point.rate) for point in points if point.state is State.KEPT and point.rate is not None]
    ends = [number for number, _ in keeps[1:]] + [point.number for point in points[-1:] if keeps]
    return [(number, end, rate) for (number, rate), end in zip(keeps, ends, strict=True)]


def _line(plotext: Any, figure: Any, xs: tuple[float, float], ys: tuple[float, float], mark: str) -> None:
    figure.draw(figure.segment(list(xs), list(ys), marker=plotext.marker(mark, plotext.pixel(_rgb(BLUE)))))


def _marker(plotext: Any, colour: str) -> Any:
    # The Linux console has no braille in its font.
    return plotext.marker("dot" if os.environ.get("TERM") == "linux" else "braille", plotext.pixel(_rgb(colour)))


def _rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _lines(figure: Any) -> list[Text]:
    return [_text(line) for line in str(figure.build().string()).rstrip("\n").split("\n")]


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
