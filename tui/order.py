"""Which experiments a table shows, and in which order; made again only when something of it has changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from checkpoints.records import Row
from tui.signs import STATES
from tui.words import loss_difference, subject

ORDERS = ("number", "win rate", "loss", "time", "verdict")
"""What experiments can be sorted by, the best first; by number the newest."""


class Found:
    """The experiments with certain words, in an order."""

    def __init__(self) -> None:
        self.order = ORDERS[0]
        self.words = ""
        self._of: tuple[Sequence[Row], str, str] = ((), "", "")
        self._rows: Sequence[Row] = ()
        self._places: dict[int, int] = {}
        self._texts: dict[int, tuple[Row, str]] = {}
        """What the words are looked for in, by experiment."""

    def rows(self, everything: Sequence[Row]) -> Sequence[Row]:
        """Those of all experiments that have the words, in the order asked for."""
        before, now = self._of, (everything, self.order, self.words)
        if before[0] is not everything or before[1:] != now[1:]:
            self._of = now
            if before[0] is everything and before[1] == self.order and self.words.startswith(before[2]):
                # One letter more: what has these words was among those found.
                self._rows = self._with_words(self._rows)
            else:
                self._rows = self._sorted(everything, self._with_words(everything))
            self._places = {row.experiment.number: place for place, row in enumerate(self._rows)}
        return self._rows

    def prepare(self, everything: Sequence[Row]) -> None:
        """Make what words are looked for in: of ten thousand that takes longer than anybody waits for a letter."""
        for row in everything:
            self._text(row)

    def place(self, number: int) -> int:
        """Where an experiment stands among those found last; 0 where it is not among them."""
        return self._places.get(number, 0)

    def _with_words(self, rows: Sequence[Row]) -> list[Row]:
        wanted = self.words.lower().split()
        if not wanted:
            return list(rows)
        return [row for row in rows if all(word in self._text(row) for word in wanted)]

    def _text(self, row: Row) -> str:
        number = row.experiment.number
        known = self._texts.get(number)
        if known is None or known[0] is not row:
            known = self._texts[number] = (row, text_of(row))
        return known[1]

    def _sorted(self, everything: Sequence[Row], rows: list[Row]) -> list[Row]:
        rows.reverse()
        if key := _keys(everything).get(self.order):
            values = [(key(row), place) for place, row in enumerate(rows)]
            # What has no such number comes last.
            rest = [rows[place] for value, place in values if value is None]
            return [rows[place] for _, place in sorted(pair for pair in values if pair[0] is not None)] + rest
        return rows


def text_of(row: Row) -> str:
    """What a filter's words are looked for in, in small letters."""
    experiment, verdict = row.experiment, row.verdict
    proposal = experiment.proposal
    parts = (
        f"#{experiment.number}", subject(row), proposal.change.field if proposal.change else "", proposal.category,
        proposal.hypothesis, proposal.proposer, STATES[experiment.state].word, verdict.reason if verdict else "",
        experiment.note,
    )  # fmt: skip
    return " ".join(parts).lower()


def _keys(everything: Sequence[Row]) -> dict[str, Callable[[Row], float | None]]:
    def win_rate(row: Row) -> float | None:
        return -row.verdict.win_rate.estimate if row.verdict and row.verdict.win_rate else None

    def loss(row: Row) -> float | None:
        parent = row.experiment.parent
        return loss_difference(everything[parent] if parent is not None else None, row)

    return {
        "win rate": win_rate,
        "loss": loss,
        "time": lambda row: row.train_seconds,
        "verdict": lambda row: list(STATES).index(row.experiment.state),
    }
