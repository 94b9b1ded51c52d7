"""When a way of stopping stops, as bounds on the wins, and where votes then end: exactly, and drawn.

Votes are decisive ones of as many voters, a vote each.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from checkpoints.records import Outcome, VoterMeans
from lanes.analyze.verdict import Rule, decide
from lanes.analyze.win_rate import wilson

Floats: TypeAlias = NDArray[np.float64]
Integers: TypeAlias = NDArray[np.int64]
Flags: TypeAlias = NDArray[np.bool_]

Judge: TypeAlias = Callable[[int, int], Outcome | None]
"""From wins and losses to what they say; None goes on."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """A way of stopping; both arrays are by number of votes, from none to the most that are asked for."""

    keep: Integers
    """Fewest wins that keep; one more than there are votes where none do."""

    leave: Integers
    """Most wins that end without a keep; -1 where none do."""


@dataclass(frozen=True, slots=True)
class Ends:
    """Where a way of stopping ends, exactly; arrays are (ends,), (win rates,) or both."""

    rates: Floats
    wins: Integers
    losses: Integers
    kept: Flags
    chances: Floats
    """Probability of each end at each win rate, (ends, win rates)."""

    @property
    def keeps(self) -> Floats:
        """Probability of a keep at each win rate."""
        return self.chances[self.kept].sum(axis=0)

    @property
    def votes(self) -> Floats:
        """Mean number of votes at each win rate."""
        return (self.wins + self.losses) @ self.chances

    def keeps_at(self, rate: float) -> float:
        """Probability of a keep at one of the win rates."""
        return float(self.keeps[self._place(rate)])

    def votes_at(self, rate: float) -> float:
        """Mean number of votes at one of the win rates."""
        return float(self.votes[self._place(rate)])

    def _place(self, rate: float) -> int:
        return self.rates.tolist().index(rate)


@dataclass(frozen=True, slots=True)
class Drawn:
    """How simulated experiments ended; both arrays are (experiments,)."""

    kept: Flags
    votes: Integers
    """Or voters, where each is counted as one."""


def by_rule(rule: Rule) -> Judge:
    """The program's own ``decide``, asked after every vote."""
    return lambda wins, losses: decide(rule, VoterMeans.each(wins, losses))


def by_wilson(looks: Collection[int], confidence: float = 0.95) -> Judge:
    """Keep or discard as soon as Wilson's interval leaves out even at a look; the last look ends it."""
    last = max(looks)

    def judge(wins: int, losses: int) -> Outcome | None:
        interval = wilson(wins, losses, confidence) if wins + losses in looks else None
        if interval is None:
            return None
        if interval.low > 0.5:
            return Outcome.KEEP
        if interval.high < 0.5:
            return Outcome.DISCARD
        return Outcome.INCONCLUSIVE if wins + losses == last else None

    return judge


def bounds(judge: Judge, most: int) -> Bounds:
    """Ask a judge where it stops, up to ``most`` votes, at which it must.

    More wins of as many votes never speak less for a candidate, so each bound is found by halving.
    """
    keep, leave = [1], [-1]
    for votes in range(1, most + 1):

        def said(wins: int, votes: int = votes) -> Outcome | None:
            return judge(wins, votes - wins)

        wins = range(votes + 1)
        keep.append(bisect_left(wins, True, key=lambda w: said(w) is Outcome.KEEP))
        leave.append(bisect_left(wins, True, key=lambda w: said(w) in (None, Outcome.KEEP)) - 1)
    if leave[-1] != keep[-1] - 1:
        raise ValueError(f"at {most} votes some go on: ask for more")
    return Bounds(np.array(keep), np.array(leave))


def exact(way: Bounds, rates: Sequence[float]) -> Ends:
    """Follow the probability of every (wins, losses) to where it stops, for all win rates at once."""
    p = np.array(rates)
    alive = np.ones((1, len(p)))
    wins: list[Integers] = []
    losses: list[Integers] = []
    kept: list[Flags] = []
    chances: list[Floats] = []
    for votes in range(1, len(way.keep)):
        grown = np.zeros((votes + 1, len(p)))
        grown[1:] += alive * p
        grown[:-1] += alive * (1 - p)
        alive = grown
        reached = np.flatnonzero(alive.any(axis=1))
        over = reached[(reached >= way.keep[votes]) | (reached <= way.leave[votes])]
        wins.append(over)
        losses.append(votes - over)
        kept.append(over >= way.keep[votes])
        chances.append(alive[over])
        alive[over] = 0
    return Ends(p, np.concatenate(wins), np.concatenate(losses), np.concatenate(kept), np.concatenate(chances))


def drawn(way: Bounds, rate: float, times: int, chance: np.random.Generator) -> Drawn:
    """Simulate experiments vote by vote, each until it stops."""
    kept, asked = np.zeros(times, dtype=np.bool_), np.zeros(times, dtype=np.int64)
    alive, wins = np.arange(times), np.zeros(times, dtype=np.int64)
    for votes in range(1, len(way.keep)):
        wins += chance.random(len(wins)) < rate
        keep = wins >= way.keep[votes]
        over = keep | (wins <= way.leave[votes])
        kept[alive[keep]] = True
        asked[alive[over]] = votes
        alive, wins = alive[~over], wins[~over]
    return Drawn(kept, asked)


def least_votes(rate: float, keeps: float, other: float, keeps_there: float) -> float:
    """The fewest votes, on average at the true win rate, of any test that keeps as often, however it stops.

    ``d(keeps, keeps_there) / d(rate, other)`` with ``d(a, b) = a·log(a/b) + (1−a)·log((1−a)/(1−b))``: what the votes
    tell of the two win rates is their mean number times what one of them tells, and no less than what the keep tells
    (Wald, "Sequential tests of statistical hypotheses", Ann. Math. Statist. 1945; Hoeffding, "Lower bounds for the
    expected sample size and the average risk of a sequential procedure", 1960).

    Args:
        rate: True win rate, at which the votes are counted.
        keeps: Probability of a keep there.
        other: The win rate to be told from it.
        keeps_there: Probability of a keep at the other.
    """
    return _divergence(keeps, keeps_there) / _divergence(rate, other)


def _divergence(a: float, b: float) -> float:
    return a * math.log(a / b) + (1 - a) * math.log((1 - a) / (1 - b))
