"""The table of experiments with a cursor, sorted and filtered as asked; only the lines in sight are made."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text
from textual.message import Message

from checkpoints.records import Row, State
from tui.order import ORDERS, Found
from tui.signs import BLUE, BRIGHT, CURSOR, FAINT, GREY, ORANGE, STATES
from tui.snapshot import Snapshot
from tui.widgets.lines import Lines, fitted, said
from tui.words import duration, loss_difference, outcome, subject

STEPPED_IN = "≡"
"""Stands beside the number of an experiment that the playbook proposed in the place of the agent."""

_WIDE = 66
"""Cells from which loss and time have columns."""


class Experiments(Lines, can_focus=True):
    """One line an experiment."""

    BORDER_TITLE = "Experiments"

    class Chosen(Message):
        """The cursor stands on another experiment."""

    def __init__(self) -> None:
        super().__init__(id="experiments")
        self.found = Found()
        """The experiments shown, in their order."""

        self._number: int | None = None

    @property
    def chosen(self) -> Row | None:
        """The experiment under the cursor: the first, until a person moves it."""
        rows = self._rows()
        return rows[self._place()] if rows else None

    @property
    def title(self) -> str:
        """What is shown, for the frame."""
        found, everything = self.found, self.snapshot.rows if self.snapshot else ()
        order = "" if found.order == ORDERS[0] else f" · by {found.order}"
        words = f" · {len(self._rows())} of {len(everything)} with “{found.words}”" if found.words else ""
        return f"Experiments{order}{words}"

    def sort(self) -> str:
        """By the next column; returns which."""
        self.found.order = ORDERS[(ORDERS.index(self.found.order) + 1) % len(ORDERS)]
        self._number, self.top = None, 0
        self.update()
        self.post_message(self.Chosen())
        return self.found.order

    def prepare(self) -> None:
        """A person is about to type a filter's first letter."""
        self.found.prepare(self.snapshot.rows if self.snapshot else ())

    def filter(self, words: str) -> None:
        """Show only experiments in which all of these words occur."""
        self.found.words = words
        self.top = 0
        self.update()
        self.post_message(self.Chosen())

    def scroll_lines(self, lines: int) -> None:
        """Move the cursor; on the newest it stays with the newest."""
        rows = self._rows()
        if not rows:
            return
        place = max(0, min(len(rows) - 1, self._place() + lines))
        self._number = None if place == 0 and self.found.order == ORDERS[0] else rows[place].experiment.number
        self.update()
        self.post_message(self.Chosen())

    def lines(self, width: int, height: int) -> Sequence[Text]:
        """The heading and the experiments around the cursor."""
        rows, snapshot = self._rows(), self.snapshot
        if snapshot is None or not rows:
            nothing = (
                f"no experiment with “{self.found.words}”; / changes it" if self.found.words else "no experiment yet"
            )
            return [said(f" {nothing}", GREY)]
        room, place = height - 1, self._place()
        self.top = max(0, min(max(self.top, place - room + 1), place, len(rows) - min(room, len(rows))))
        return [
            _heading(snapshot, width, self.found.order),
            *(
                _line(snapshot, row, width, row.experiment.number == rows[place].experiment.number)
                for row in rows[self.top : self.top + room]
            ),
        ]

    def _rows(self) -> Sequence[Row]:
        return self.found.rows(self.snapshot.rows if self.snapshot else ())

    def _place(self) -> int:
        """Of the cursor among the rows shown; where its experiment is not shown, at the top."""
        return 0 if self._number is None else self.found.place(self._number)


_COLUMNS = (("number", "#  change"), ("win rate", " win%"), ("", "     ±"), ("loss", "  Δloss"), ("time", "  time"),
            ("verdict", "  verdict"))  # fmt: skip
"""What a column is sorted as, and its heading."""


_OF_A_METRIC = (("win rate", "   value"), ("", "       ±"))
"""The same where a metric judges, in its own unit."""


def _heading(snapshot: Snapshot, width: int, order: str) -> Text:
    before = {"number": " " * _digits(snapshot)}
    columns = (_COLUMNS[0], *_OF_A_METRIC, *_COLUMNS[3:]) if snapshot.scalar else _COLUMNS
    cells = [
        Text(before.get(name, "") + cell, style=f"bold underline {BRIGHT}" if name == order else GREY)
        for name, cell in columns
    ]
    return _columns(snapshot, width, cells)


def _digits(snapshot: Snapshot) -> int:
    """Of the highest number, and at least three."""
    return max(3, len(str(len(snapshot.rows) - 1)))


def _line(snapshot: Snapshot, row: Row, width: int, chosen: bool) -> Text:
    experiment = row.experiment
    sign = STATES[experiment.state]
    reigns = experiment.number == snapshot.champion
    word = ("pinned" if snapshot.pinned else "champion") if reigns else sign.word
    name = Text.assemble(
        ("▸" if chosen else " ", f"bold {BRIGHT}"),
        (f"{experiment.number:>{_digits(snapshot)}}", BRIGHT if experiment.state is State.KEPT else ""),
        (f"{STEPPED_IN} " if snapshot.stepped_in(row) else "  ", ORANGE),
    ).append_text(said(subject(row), "" if experiment.state is State.KEPT else GREY))
    value, around = outcome(row)
    known = value != "—"
    difference = loss_difference(snapshot.row(experiment.parent), row)
    line = _columns(
        snapshot,
        width,
        [
            name,
            Text(f"{value:>{8 if snapshot.scalar else 5}}", style="" if known else FAINT),
            Text(f"{around:>{8 if snapshot.scalar else 6}}", style=GREY if known else FAINT),
            Text(f"{'—' if difference is None else f'{difference:+.3f}':>7}", style=GREY),
            Text(f"{duration(row.train_seconds) if row.train_seconds else '—':>6}", style=GREY),
            Text(f"  {sign.mark} {word}", style=BLUE if reigns else sign.colour),
        ],
    )
    if chosen:
        line.stylize(f"bold on {CURSOR}")
    return line


def _columns(snapshot: Snapshot, width: int, cells: list[Text]) -> Text:
    widths = [8, 8, 7, 6, 16] if snapshot.scalar else [5, 6, 7, 6, 16]
    if width < _WIDE:
        cells, widths = [cells[0], cells[1], cells[2], cells[5]], [*widths[:2], 16]
    line = fitted(cells[0], width - sum(widths))
    for cell, cell_width in zip(cells[1:], widths, strict=True):
        line.append_text(fitted(cell, cell_width))
    return line
