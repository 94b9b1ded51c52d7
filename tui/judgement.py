"""The evidence on one experiment in numbers, with its intervals drawn on one scale."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from checkpoints.measurements import Measurement
from checkpoints.records import Interval, Row, Standing, Tally
from lanes.analyze.win_rate import anytime, wilson
from tui.evidence import Votes
from tui.measured import numbers
from tui.signs import BLUE, BRIGHT, FAINT, GREY, YELLOW
from tui.snapshot import Snapshot
from tui.widgets.lines import said
from tui.words import duration, per_cent

_NAME = 13
"""Cells of the names at the left."""

SCALE = 41
"""Cells of the scale on which intervals are drawn."""


def judgement(
    snapshot: Snapshot, row: Row, votes: Votes, width: int, measurements: Sequence[Measurement] = ()
) -> RenderableType:
    """The evidence; drawn where there is room for it."""
    lines = [*_counts(snapshot, row, votes), *_rates(snapshot, row, votes, width - _NAME)]
    lines += [*numbers(snapshot, row, measurements), *_costs(snapshot, row)]
    return _named(lines) if lines else Text().append("none" if row.experiment.ended_at else "none yet", GREY)


def _counts(snapshot: Snapshot, row: Row, votes: Votes) -> Iterator[tuple[str, Text]]:
    counted = _tally(row, votes)
    if not counted.decisive + counted.ties:
        return
    judges = "pairs" if snapshot.metric else "votes"
    text = f"{counted.wins} for it, {counted.losses} for its opponent, {counted.ties} about equal"
    yield judges, Text(text)
    if votes.voters:
        simulated = f", {votes.simulated} of them simulated" if votes.simulated else ""
        means = votes.means
        going = f", {means.open} still voting" if means.open else ""
        yield "voters", Text(f"{votes.voters}{simulated}; {means.voters} counted against the opponent{going}")


def _rates(snapshot: Snapshot, row: Row, votes: Votes, room: int) -> Iterator[tuple[str, Text]]:
    found, counted = row.verdict, _tally(row, votes)
    first = wilson(votes.first.wins, votes.first.losses)
    rates = {
        "win rate": found.win_rate if found else wilson(counted.wins, counted.losses),
        "at any time": found.anytime if found else anytime(votes.means.wins, votes.means.losses),
        snapshot.metric or "reference": found.reference if found else None,
        "shown first": first,
    }
    intervals = {name: rate for name, rate in rates.items() if rate}
    scale = _Scale(intervals.values()) if room >= SCALE + 26 else None
    if scale and intervals:
        yield "", Text(" " * 26).append(scale.labels, FAINT)
    for name, interval in intervals.items():
        line = _rate(interval, scale)
        if interval is first and not interval.low <= 0.5 <= interval.high:
            line.append(" ⚠ voters lean to one place", YELLOW)
        yield name, line
    if found and found.shrunken is not None:
        yield "shrunken", Text(f"{per_cent(found.shrunken)} %, with 100 even votes added: the winner's curse")
    if standing := _standing(snapshot.standings, row):
        yield "Elo", standing


def _costs(snapshot: Snapshot, row: Row) -> Iterator[tuple[str, Text]]:
    if row.train_seconds is None:
        return
    text = duration(row.train_seconds)
    if snapshot.run and snapshot.run.usd_per_hour:
        text += f", ${row.train_seconds / 3600 * snapshot.run.usd_per_hour:.2f}"
    yield "training", Text(text)


def _tally(row: Row, votes: Votes) -> Tally:
    found = row.verdict
    return Tally(found.wins, found.losses, found.ties) if found else votes.tally


def _rate(interval: Interval, scale: _Scale | None) -> Text:
    text = Text().append(f"{per_cent(interval.estimate) + ' %':<8}", BRIGHT)
    text.append(f"{f'[{per_cent(interval.low)}, {per_cent(interval.high)}]':<18}", GREY)
    return text.append_text(scale.drawn(interval)) if scale else text


class _Scale:
    """Shares around a half as cells, wide enough for all intervals that are drawn on it."""

    def __init__(self, intervals: Iterable[Interval]) -> None:
        farthest = max((max(0.5 - one.low, one.high - 0.5) for one in intervals), default=0.0)
        self._reach = max(0.1, math.ceil(farthest * 20) / 20)

    @property
    def labels(self) -> str:
        """Both ends and the middle."""
        ends = (f"{100 * (0.5 - self._reach):.0f}", f"{100 * (0.5 + self._reach):.0f} %")
        return f"{ends[0]:<{SCALE // 2}}50{ends[1]:>{SCALE // 2 + 1}}"

    def drawn(self, interval: Interval) -> Text:
        """The interval, with the rule at even."""
        low, middle, high = map(self._cell, (interval.low, interval.estimate, interval.high))
        cells = ["─" if low <= place <= high else " " for place in range(SCALE)]
        cells[SCALE // 2] = "┼" if low <= SCALE // 2 <= high else "│"
        cells[middle] = "●"
        text = Text().append("".join(cells), FAINT)
        text.stylize(BLUE, low, high + 1)
        text.stylize(f"bold {BRIGHT}", middle, middle + 1)
        return text

    def _cell(self, share: float) -> int:
        return round((share - 0.5 + self._reach) / (2 * self._reach) * (SCALE - 1))


def _standing(standings: Sequence[Standing], row: Row) -> Text | None:
    for place, standing in enumerate(standings, 1):
        if standing.experiment == row.experiment.number:
            return Text(f"{standing.elo:.0f}, place {place} of {len(standings)}; the reference has 1000")
    return None


def _named(lines: Sequence[tuple[str, Text]]) -> RenderableType:
    table = Table.grid()
    table.add_column(width=_NAME, no_wrap=True)
    table.add_column(ratio=1, overflow="fold")
    for name, text in lines:
        table.add_row(said(name, GREY), text)
    return table
