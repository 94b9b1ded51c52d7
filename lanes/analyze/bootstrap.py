"""The voter-clustered bootstrap: how strengths vary when other voters of the same kind had come.

Voters are drawn with replacement, each with all their votes, so one voter's many votes are not many voters. Voters who
cast one kind of vote only, and the same, are drawn together, by number: the same draw, and cheap with a million.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from lanes.analyze.comparable import Bools, chains_of, comparable, open_ends
from lanes.analyze.strengths import Fitted, Floats, Ties, deviations, most_likely, of_cells
from lanes.analyze.vote_table import VoteTable, distinct

FEWEST, MOST = 200, 1000
"""Resamples: as many as the budget allows, within these."""

BUDGET = 2_000_000
"""Resamples times pairs of models, about; it bounds the time at a few seconds on one core."""

CHUNK = 500_000
"""Resamples times pairs of models that are fitted together: what fits in a cache."""

CLOSE = 1e-4
"""A resample's fit ends when no θ moved further than this: 0.02 Elo points, and its error is the square of that."""


@dataclass(frozen=True, slots=True, eq=False)
class Draws:
    """Strengths as estimated, and as they came out of each resample, θ with the origin at 0."""

    models: tuple[str, ...]
    origin: int
    theta: Floats
    """(models,), finite by the prior."""

    without_end: Floats
    """(models,): 0, or ∞ or −∞ where a strength has no end, or NaN where nothing is known."""

    apart: Floats
    """(models,): the same where all known models are the measure, and not the origin."""

    deviation: Floats
    """(models,): standard deviation as if each voter had cast one vote on the model. It is for a strength without an
    end, where all resamples say the same, so that their spread says nothing. The origin has that of whom it is best
    told from."""

    drawn: Floats
    """(resamples, models), finite."""

    drawn_without_end: Floats
    """(resamples, models), as ``without_end``."""

    drawn_apart: Floats
    """(resamples, models), as ``apart``."""

    voters: int
    first: float
    """γ, the advantage of being shown first; 0 where it was not asked for."""

    drawn_first: Floats
    """(resamples,)"""

    @property
    def known(self) -> Bools:
        """(models,): whether the votes tell anything of them."""
        return ~np.isnan(self.without_end)

    @property
    def resamples(self) -> int:
        """How many there are."""
        return len(self.drawn)


def draw(table: VoteTable, origin: int, ties: Ties = "half", seed: int = 0) -> Draws:
    """Estimate, resample the voters, and estimate each time.

    The same votes, in whatever order, and the same seed give the same draws.

    Args:
        table: at least one vote.
        origin: index of the model that the others are measured against.
        ties: how a tie counts; where there are only ties, or none, it counts half.
        seed: of the resamples.
    """
    return _draw(table, origin, [False], ties, seed)[0]


def draw_with_place(table: VoteTable, origin: int, ties: Ties = "half", seed: int = 0) -> tuple[Draws, Draws]:
    """As ``draw``, and from the same resamples again with the advantage of being shown first fitted along."""
    plain, placed = _draw(table, origin, [False, True], ties, seed)
    return plain, placed


def spread(estimate: float, drawn: Floats, voters: int) -> tuple[float, float]:
    """The ends of a 95 % interval from what the resamples gave, ±∞ where there is none.

    Percentiles, moved outwards for few voters, whose resamples vary too little (the expanded percentiles of Hesterberg
    2015, "What Teachers Should Know About the Bootstrap", with Student's t in place of the normal). What is unknown in
    a resample may lie beyond either end. One voter alone says nothing of how voters vary.

    Args:
        estimate: always inside.
        drawn: (resamples,), ±∞ and NaN allowed.
        voters: how many were resampled.
    """
    if voters < 2:
        return -np.inf, np.inf
    tail = _tail(voters)
    low = np.quantile(np.where(np.isnan(drawn), -np.inf, drawn), tail, method="lower")
    high = np.quantile(np.where(np.isnan(drawn), np.inf, drawn), 1 - tail, method="higher")
    return min(float(low), estimate), max(float(high), estimate)


def resampled(table: VoteTable, seed: int) -> Iterator[Floats]:
    """Cells of each resample, some at a time: (resamples, models, models, outcomes)."""
    rng = np.random.default_rng(seed)
    pairs = len(table.models) ** 2
    left = min(max(BUDGET // pairs, FEWEST), MOST)
    voters = _Voters(table)
    while left:
        now = min(left, max(CHUNK // pairs, 1))
        flat = np.stack([voters.drawn(rng) for _ in range(now)])
        yield flat.reshape(now, len(table.models), len(table.models), 3)
        left -= now


def _draw(table: VoteTable, origin: int, positions: Sequence[bool], ties: Ties, seed: int) -> list[Draws]:
    cells = table.cells()[None]
    if not 0 < cells[..., 1].sum() < cells.sum():
        ties = "half"
    counted = of_cells(cells)
    beats = chains_of(counted)
    games, without_end = comparable(counted, origin, beats), open_ends(beats, [origin])[0]
    known = np.flatnonzero(~np.isnan(without_end)).tolist()
    together = open_ends(beats, known)[0]
    found = [most_likely(games, origin, position, ties) for position in positions]
    drawn: list[list[Fitted]] = [[] for _ in positions]
    ends: list[Floats] = []
    apart: list[Floats] = []
    for chunk in resampled(table, seed):
        counted = of_cells(chunk)
        beats = chains_of(counted)
        again = comparable(counted, origin, beats)
        ends.append(open_ends(beats, [origin]))
        apart.append(open_ends(beats, known))
        for position, estimate, fits in zip(positions, found, drawn, strict=True):
            fits.append(most_likely(again, origin, position, ties, estimate.repeated(len(chunk)), CLOSE))
    deviation = deviations(games, found[0], origin)[0] * np.sqrt(_votes_a_voter(table))
    deviation[origin] = min(deviation[at] for at in known if at != origin)
    return [
        Draws(
            models=table.models,
            origin=origin,
            theta=estimate.theta[0],
            without_end=without_end,
            apart=together,
            deviation=deviation,
            drawn=np.concatenate([fit.theta for fit in fits]),
            drawn_without_end=np.concatenate(ends),
            drawn_apart=np.concatenate(apart),
            voters=table.people,
            first=float(estimate.first[0]),
            drawn_first=np.concatenate([fit.first for fit in fits]),
        )
        for estimate, fits in zip(found, drawn, strict=True)
    ]


def _votes_a_voter(table: VoteTable) -> Floats:
    """(models,): votes on each model for each voter who cast any on it."""
    size = len(table.models)
    models = np.concatenate([table.first, table.second])
    both = distinct(np.concatenate([table.voter, table.voter]) * size + models) % size
    return np.bincount(models, minlength=size) / np.bincount(both, minlength=size)


class _Voters:
    """The voters of a table as what is drawn: those with votes of several kinds, and the number of those with one."""

    def __init__(self, table: VoteTable) -> None:
        self.size = 3 * len(table.models) ** 2
        ballots, times = np.unique(table.voter * self.size + table.cell(), return_counts=True)
        voter, cell = np.divmod(ballots, self.size)
        kinds = np.bincount(voter, minlength=table.people)
        alike = kinds[voter] == 1
        self.people = table.people
        several = np.cumsum(kinds > 1) - 1
        self.several = int((kinds > 1).sum())
        self.voter, self.cell, self.times = several[voter[~alike]], cell[~alike], times[~alike].astype(np.float64)
        # A voter's only kind of vote and how often they cast it: as one number, to count who is the same.
        most = int(times.max())
        same, self.number = np.unique(cell[alike] * (most + 1) + times[alike], return_counts=True)
        self.same_cell, same_times = np.divmod(same, most + 1)
        self.same_times = same_times.astype(np.float64)

    def drawn(self, rng: np.random.Generator) -> Floats:
        """Flat cells of as many voters, drawn with replacement."""
        alike = self.people - self.several
        some = int(rng.binomial(self.people, self.several / self.people))
        found = np.zeros(self.size)
        if self.several:
            often = np.bincount(rng.integers(self.several, size=some), minlength=self.several)
            found += np.bincount(self.cell, often[self.voter] * self.times, minlength=self.size)
        if alike:
            often = rng.multinomial(self.people - some, self.number / alike)
            found += np.bincount(self.same_cell, often * self.same_times, minlength=self.size)
        return found


def _tail(voters: int) -> float:
    """Share of the resamples beyond each end: 2.5 % of many voters, less of few."""
    from scipy import special

    quantile = special.stdtrit(voters - 1, 0.025) * np.sqrt(voters / (voters - 1))
    return float(special.ndtr(quantile))
