"""The table of experiments, the newest first, with a cursor; only the lines in sight are made."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text
from textual.message import Message

from checkpoints.records import Row, State
from tui.signs import BLUE, BRIGHT, FAINT, GREY, STATES
from tui.snapshot import Snapshot
from tui.widgets.lines import Lines, fitted, said
from tui.words import duration, half_width, per_cent, subject

_WIDE = 66
"""Cells from which loss and time have columns."""


class Experiments(Lines, can_focus=True):
    """One line an experiment."""

    BORDER_TITLE = "Experiments"

    class Chosen(Message):
        """The cursor stands on another experiment."""

    def __init__(self) -> None:
        super().__init__(id="experiments")
        self._number: int | None = None

    @property
    def chosen(self) -> Row | None:
        """The experiment under the cursor: the newest, until a person moves it."""
        rows = self.snapshot.rows if self.snapshot else ()
        if not rows:
            return None
        return rows[-1] if self._number is None else rows[min(self._number, len(rows) - 1)]

    def scroll_lines(self, lines: int) -> None:
        """Move the cursor; on the newest it stays with the newest."""
        row = self.chosen
        if row is None or self.snapshot is None:
            return
        newest = len(self.snapshot.rows) - 1
        number = max(0, min(newest, row.experiment.number - lines))
        self._number = None if number == newest else number
        self.update()
        self.post_message(self.Chosen())

    def lines(self, width: int, height: int) -> Sequence[Text]:
        """The heading and the experiments around the cursor."""
        snapshot, chosen = self.snapshot, self.chosen
        if snapshot is None or chosen is None:
            return [Text(" no experiment yet", style=GREY)]
        room = height - 1
        newest = len(snapshot.rows) - 1
        place = newest - chosen.experiment.number
        self.top = max(0, min(max(self.top, place - room + 1), place, newest + 1 - min(room, newest + 1)))
        seen = range(newest - self.top, max(-1, newest - self.top - room), -1)
        return [
            _heading(width),
            *(_line(snapshot, snapshot.rows[n], width, n == chosen.experiment.number) for n in seen),
        ]


def _heading(width: int) -> Text:
    cells = ["   #  change", " win%", "     ±", "  Δloss", "  time", "  verdict"]
    return _columns(width, [Text(cell, style=GREY) for cell in cells])


def _line(snapshot: Snapshot, row: Row, width: int, chosen: bool) -> Text:
    experiment, verdict = row.experiment, row.verdict
    sign = STATES[experiment.state]
    word = "champion" if experiment.number == snapshot.champion else sign.word
    colour = BLUE if word == "champion" else sign.colour
    name = Text.assemble(
        ("▸" if chosen else " ", f"bold {BRIGHT}"),
        (f"{experiment.number:>3}  ", BRIGHT if experiment.state is State.KEPT else ""),
    ).append_text(said(subject(row), "" if experiment.state is State.KEPT else GREY))
    rate = verdict.win_rate if verdict else None
    line = _columns(
        width,
        [
            name,
            Text(f"{per_cent(rate.estimate) if rate else '—':>5}", style="" if rate else FAINT),
            Text(f"{half_width(rate) if rate else '—':>6}", style=GREY if rate else FAINT),
            Text(f"{_loss_difference(snapshot, row):>7}", style=GREY),
            Text(f"{duration(row.train_seconds) if row.train_seconds else '—':>6}", style=GREY),
            Text(f"  {sign.mark} {word}", style=colour),
        ],
    )
    if chosen:
        line.stylize("bold on #26323f")
    return line


def _columns(width: int, cells: list[Text]) -> Text:
    widths = [5, 6, 7, 6, 16]
    if width < _WIDE:
        cells, widths = [cells[0], cells[1], cells[2], cells[5]], [5, 6, 16]
    line = fitted(cells[0], width - sum(widths))
    for cell, cell_width in zip(cells[1:], widths, strict=True):
        line.append_text(fitted(cell, cell_width))
    return line


def _loss_difference(snapshot: Snapshot, row: Row) -> str:
    parent = snapshot.row(row.experiment.parent)
    if row.final_loss is None or parent is None or parent.final_loss is None:
        return "—"
    return f"{row.final_loss - parent.final_loss:+.3f}"
