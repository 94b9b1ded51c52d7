"""The blocks of a report as lines of a terminal: tables where they fit, else one row after the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.cells import cell_len
from rich.console import RenderableType
from rich.table import Table as Grid
from rich.text import Text

from runner.report.blocks import Block, Bullets, Column, Paragraph, Picture, Quote, Report, Table
from tui import plots
from tui.axes import Limits
from tui.plots.painter import MARKS, SIGNS
from tui.screens.page import rendered
from tui.signs import BRIGHT, GREY, ORANGE, STATES
from tui.widgets.lines import fitted, said, styled, wrapped

_GAP = 2
"""Cells between columns."""

_CHANGE = 24
"""Cells to which what an experiment altered may be cut to let a table fit."""

_PLOT = (40, 120, 14)
"""Least and most columns of the plot, and its rows."""

_COLOURS = {sign.mark: sign.colour for sign in STATES.values()}


def parts(page: Report, width: int) -> Iterator[str | list[Text]]:
    """Titles of sections, and the lines that stand before and under them.

    Args:
        page: What to say.
        width: Cells of a line.
    """
    if page.summary or page.alerts or page.facts:
        yield from _head(page, width)
    for section in page.sections:
        yield section.title
        for place, block in enumerate(section.blocks):
            apart = place > 0 and isinstance(block, Table | Quote)
            yield [Text()] * apart + _lines(block, width)
    yield [Text()]
    for note in page.notes:
        yield wrapped(said(note, GREY), width)


def _head(page: Report, width: int) -> Iterator[list[Text]]:
    """What stands before the sections."""
    yield [Text()]
    for line in page.summary:
        yield wrapped(said(line, BRIGHT), width)
    for line in page.alerts:
        yield wrapped(said(f"⚠ {line}", ORANGE), width)
    yield [Text()]
    yield rendered(_facts(page.facts), width)


def _facts(facts: Sequence[tuple[str, str]]) -> RenderableType:
    grid = Grid.grid(padding=(0, _GAP, 0, 0))
    for name, value in facts:
        grid.add_row(said(name, GREY), _told(value))
    return grid


def _lines(block: Block, width: int) -> list[Text]:
    match block:
        case Paragraph():
            return wrapped(said(block.text), width)
        case Bullets():
            return rendered(_marked("·", [_told(item) for item in block.items]), width)
        case Table():
            return list(_table(block, width))
        case Picture():
            return _picture(block, width)
        case Quote():
            lines = [_told(line) for line in block.text.splitlines() if line.strip()]
            return wrapped(said(block.said_by, GREY), width) + rendered(_marked("▏", lines), width)


def _marked(mark: str, texts: Sequence[Text]) -> RenderableType:
    grid = Grid.grid(padding=(0, 1, 0, 0))
    for text in texts:
        grid.add_row(Text(mark, GREY), text)
    return grid


def _picture(picture: Picture, width: int) -> list[Text]:
    """The plot where there is room for one and something to draw, with what its height is and what its signs are."""
    figure, (least, most, rows) = picture.figure, _PLOT
    if not (plots.loaded() and figure.points and figure.y_limits and width >= least):
        return wrapped(said(picture.instead), width)
    right = max(1.0, *(x for points in figure.points for x in points.xs))
    across = Limits(*figure.x_limits) if figure.x_limits else Limits(-0.6, right + 0.6)
    frame = plots.Frame(min(width, most), rows, across, Limits(*figure.y_limits))
    legend = [(SIGNS[one.sign].mark, one.label) for one in figure.points]
    legend += [(MARKS[label].mark, MARKS[label].word) for label in {mark.label: 0 for mark in figure.marks}]
    return [
        *wrapped(said(figure.y_label, GREY), width),
        *plots.paint(figure, frame),
        *wrapped(said(" · ".join(f"{mark} {word}" for mark, word in legend), GREY), width),
        *wrapped(said(picture.instead), width),
    ]


def _table(table: Table, width: int) -> Iterator[Text]:
    """Figures under each other, sentences below their row; where that does not fit, each row as a few lines."""
    widths = [_width(table, place) for place in range(len(table.columns))]
    short = [place for place, column in enumerate(table.columns) if not column.long]
    over = sum(widths[place] + _GAP for place in short) - _GAP - width
    if over > 0 and len(short) > 1 and widths[1] - over >= _CHANGE:
        widths[1] -= over
        over = 0
    if over > 0 or not table.rows:
        yield from _cards(table, short, width)
        return
    yield from _heads([table.columns[place] for place in short], [widths[place] for place in short])
    for row in table.rows:
        cells = (_aligned(_cell(row[place]), table.columns[place], widths[place]) for place in short)
        yield Text(" " * _GAP).join(cells)
        yield from _sentences(table, row, width, widths[0] + _GAP)


def _width(table: Table, place: int) -> int:
    """Of a column: its widest cell, or the longest word of its name."""
    words = table.columns[place].name.split()
    return max(cell_len(text) for text in (*words, *(row[place] for row in table.rows)))


def _heads(columns: Sequence[Column], widths: Sequence[int]) -> Iterator[Text]:
    """Names of the columns, broken at words, on the lines just above the first row."""
    broken = [wrapped(said(column.name, GREY), width) for column, width in zip(columns, widths, strict=True)]
    height = max(map(len, broken))
    for line in range(height):
        cells: list[Text] = []
        for column, width, lines in zip(columns, widths, broken, strict=True):
            above = line - (height - len(lines))
            cells.append(_aligned(lines[above] if above >= 0 else Text(), column, width))
        yield Text(" " * _GAP).join(cells)


def _aligned(text: Text, column: Column, width: int) -> Text:
    if column.numeric and text.cell_len < width:
        return Text(" " * (width - text.cell_len)).append_text(text)
    return fitted(text, width)


def _sentences(table: Table, row: Sequence[str], width: int, indent: int) -> Iterator[Text]:
    for column, cell in zip(table.columns, row, strict=True):
        if column.long and cell:
            for line in wrapped(said(cell, GREY), max(width - indent, 1)):
                yield Text(" " * indent).append_text(line)


def _cards(table: Table, short: Sequence[int], width: int) -> Iterator[Text]:
    """What it is, its figures by name, what is said of it."""
    for number, row in enumerate(table.rows):
        if number:
            yield Text()
        words = [place for place in short if place == 0 or not table.columns[place].numeric]
        yield from wrapped(Text("  ").join(_cell(row[place], BRIGHT) for place in words), width)
        figures = [_named(table.columns[place], row[place]) for place in short if place not in words]
        yield from wrapped(said("  ".join(filter(None, figures)).replace("  ", " · "), GREY), width)
        yield from _sentences(table, row, width, 0)


def _named(column: Column, cell: str) -> str:
    """``against the reference 54.2 ±3.4 %``; empty where there is nothing to say."""
    name = column.name.removesuffix(", %")
    return "" if cell == "–" else f"{name} {cell}{' %' if name != column.name else ''}"


def _cell(text: str, style: str = "") -> Text:
    """A cell, in the colour of the sign that it begins with."""
    return styled(said(text).plain, _COLOURS.get(text[:1], style) if text[1:2] == " " else style)


def _told(text: str, style: str = "") -> Text:
    """Text from outside that may be broken into lines."""
    return Text().append_text(said(text, style))
