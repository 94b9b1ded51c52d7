"""Draws a figure on cells: bands, lines, signs, from the back to the front, thinned to what the cells can show.

Axes are held by whoever asks and data is thinned by fixed buckets, so that from one picture to the next only the cells
change in which something happened.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.text import Text

from checkpoints.records import State
from runner import figures
from runner.figures import Band, Figure, Line, Points
from tui.axes import Limits
from tui.plots.canvas import Canvas, Cell, Frame
from tui.plots.thinning import dashed, stairs
from tui.signs import BLUE, BRIGHT, DIM, FAINT, GREEN, GREY, ORANGE, PINK, RED, STATES, Sign

SIGNS = {
    "dot": Sign("●", "kept", BRIGHT),
    "ring": STATES[State.DISCARDED],
    "half": STATES[State.INCONCLUSIVE],
    "cross": STATES[State.CRASHED],
    "barred": STATES[State.VETOED],
    "square": Sign("■", "candidate tested", ORANGE),
    "triangle": Sign("▲", "champion tested", BLUE),
}
"""How the signs of a figure look in a terminal."""

MARKS = {"zoom-out": Sign("↗", "zoom-out", PINK), "a person's step": Sign("▴", "your step", ORANGE)}
"""How marks on the axis look, by their label."""

CLOUD = ("ring", "half")
"""Drawn as a cloud of points where there are more experiments than columns: there is no room for signs."""

_COLOURS = {
    figures.BLUE: BLUE, figures.SKY: GREY, figures.GREEN: GREEN, figures.ORANGE: ORANGE, figures.RED: RED,
    figures.PINK: PINK, figures.GREY: GREY,
}  # fmt: skip


def paint(figure: Figure, frame: Frame, at_top: bool = True) -> list[Text]:
    """The figure as lines of text.

    Args:
        figure: What it shows; its own limits do not count.
        frame: The cells, and the axes as they are held.
        at_top: Where the names of its lines stand: at the top, or at the bottom.
    """
    with Canvas(frame, figure.rules[0].y if figure.rules else 0.0) as canvas:
        for rule in figure.rules:
            canvas.rule(rule.y)
        for band in figure.bands:
            _band(canvas, band, frame.y)
        for line in figure.lines:
            _line(canvas, line)
        _points(canvas, figure.points, crowded(figure.points, frame.width))
        return canvas.lines(list(_marks(canvas, figure)), list(_names(figure, frame.plain)), at_top)


def crowded(points: Sequence[Points], width: int) -> bool:
    """Whether there are more experiments than columns, so that most are drawn as a cloud."""
    return sum(len(one.xs) for one in points if one.sign in CLOUD) > width


def _line(canvas: Canvas, line: Line) -> None:
    colour = _COLOURS.get(line.colour, GREY)
    if line.steps:
        cells = stairs(line.xs, line.ys, canvas.column, canvas.row)
        canvas.cells([Cell(column, row, sign, colour) for column, row, sign in cells])
        return
    xs, ys = canvas.thinned(line.xs, line.ys)
    if line.faint:
        canvas.curve(xs, ys, DIM, ".", [False] * len(xs))
    elif line.dashed:
        xs, ys, joined = dashed(xs, ys, canvas.across, 2 * canvas.columns)
        canvas.curve(xs, ys, colour, "+", joined)
    else:
        canvas.curve(xs, ys, colour, "*", [True] * len(xs))


def _band(canvas: Canvas, band: Band, limits: Limits) -> None:
    """Its two edges, as far as they are in sight."""
    for ends in (band.low, band.high):
        inside = [(x, y) for x, y in zip(band.xs, ends, strict=True) if limits.lower <= y <= limits.upper]
        xs, ys = canvas.thinned([x for x, _ in inside], [y for _, y in inside])
        xs, ys, joined = dashed(xs, ys, canvas.across, 2 * canvas.columns)
        canvas.curve(xs, ys, _COLOURS.get(band.colour, GREY), ":", joined)


def _points(canvas: Canvas, points: Sequence[Points], crowd: bool) -> None:
    """Intervals behind signs; in a crowd those of keeps alone, one a column, and of the rest a cloud."""
    cells: dict[tuple[int, int], Cell] = {}
    for one in reversed(points):
        alone = not crowd or one.sign not in CLOUD
        if one.low and one.sign != "cross" and (not crowd or one.sign == "dot"):
            ends = zip(one.xs, one.low, one.high, strict=True)
            last = {canvas.column(x): (x, low, high) for x, low, high in ends}
            canvas.intervals(last.values(), BLUE if one.sign == "dot" else FAINT)
        if not alone:
            canvas.cloud(one.xs, one.ys, GREY)
            continue
        for cell in _signs(canvas, one):
            cells.pop((cell.column, cell.row), None)
            cells[cell.column, cell.row] = cell
    canvas.cells(list(cells.values()))


def _signs(canvas: Canvas, points: Points) -> Iterator[Cell]:
    sign = SIGNS[points.sign]
    for x, y in zip(points.xs, points.ys, strict=True):
        # What crashed has no value: it stands on the axis.
        yield Cell(canvas.column(x), 0 if points.sign == "cross" else canvas.row(y), sign.mark, sign.colour)


def _names(figure: Figure, plain: bool) -> Iterator[Text]:
    """What the lines are, with a piece of each."""
    drawn = [(line.label, line.colour, "+╍" if line.dashed else "*━") for line in figure.lines if not line.steps]
    drawn += [(band.label, band.colour, ":┈") for band in figure.bands]
    for label, colour, marks in reversed(drawn):
        if label:
            yield Text(f"{marks[0] if plain else marks[1]} {label}", _COLOURS.get(colour, GREY))


def _marks(canvas: Canvas, figure: Figure) -> Iterator[Cell]:
    taken = dict[int, str]()
    for mark in figure.marks:
        column = canvas.column(mark.x)
        # A zoom-out and a step at the same place stand side by side.
        column += taken.get(column, mark.label) != mark.label
        taken[column] = mark.label
        yield Cell(column, 0, MARKS[mark.label].mark, MARKS[mark.label].colour)
