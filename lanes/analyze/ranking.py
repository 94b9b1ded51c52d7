"""The ranking of all models of a run from all its votes: Bradley–Terry, on the Elo scale and as win rates.

Model i beats model j with probability ``1 / (1 + exp(θ_j − θ_i))``; a tie counts as half a win to each.

Where the data put no end to a model's strength (it never lost, or never won), its interval says so: the win rate's
upper end is 1, or its lower end 0. The estimate itself stays finite by a weak prior, half a win each way between two
models that met but have no chain of wins both ways. For two models alone that is the usual logit with a half added to
each count. Models with chains of wins both ways to each other get the plain maximum likelihood.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from checkpoints.records import REFERENCE, Choice, Interval, Standing

ELO = 400 / math.log(10)
"""Elo points per unit of θ: 173.7, so that 400 points are odds of ten to one."""

ELO_REFERENCE = 1000.0
"""Elo of the reference."""

TOLERANCE = 1e-8
"""The fit ends when no θ moved further than this."""

STRIDE = 4.0
"""No two models that met move further apart or closer than this in one step: beyond, the curvature is another one."""

ROUNDING = 1e-12
"""Share of a log-likelihood that may be rounding."""

Z95 = NormalDist().inv_cdf(0.975)

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Counts:
    """Votes between every two models."""

    models: tuple[str, ...]
    """In alphabetical order."""

    wins: Floats
    """(models, models): how often the row beat the column, a tie half to each."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """Every model's place, as far as the votes tell."""

    standings: tuple[Standing, ...]
    """Best first; the reference is among them where it has votes."""

    unknown: tuple[str, ...]
    """Models that no chain of wins links to the reference in either direction: nothing can be said of them."""


def aggregate(votes: Iterable[tuple[str, str, Choice]]) -> Counts:
    """Count votes one by one: model A, model B, the choice between them."""
    return tabulate(Counter(votes))


def tabulate(counted: Mapping[tuple[str, str, Choice], int]) -> Counts:
    """The table of votes that are already counted by model A, model B and choice, as a database counts them.

    A model against itself tells nothing of either and is left out.
    """
    models = tuple(sorted({model for a, b, _ in counted if a != b for model in (a, b)}))
    place = {model: at for at, model in enumerate(models)}
    wins = np.zeros((len(models), len(models)))
    for (a, b, choice), votes in counted.items():
        if a == b:
            continue
        share = _SHARE_OF_A[choice] * votes
        wins[place[a], place[b]] += share
        wins[place[b], place[a]] += votes - share
    return Counts(models, wins)


def fit(counts: Counts, experiments: Mapping[str, int], reference: str = REFERENCE) -> Ranking:
    """Rank all models by Bradley–Terry.

    The intervals are 95 %, from the Fisher information on the logit. A tie counts there as much as a decisive vote and
    varies less, so with many ties the intervals are on the wide side.

    Args:
        counts: votes between every two models.
        experiments: experiment number by model; models that are not in it, such as the reference, have none.
        reference: the model that stands at 1000 Elo.

    Returns:
        Standings, best first, and the models of which the votes tell nothing.
    """
    if reference not in counts.models:
        return Ranking((), counts.models)
    origin = counts.models.index(reference)
    beats = _chains(counts.wins > 0)
    known = np.flatnonzero(beats[:, origin] | beats[origin])
    above, below = beats[known, origin], beats[origin, known]
    wins = _with_prior(counts.wins[np.ix_(known, known)], beats[np.ix_(known, known)])
    theta, deviation = _maximum_likelihood(wins, int(np.searchsorted(known, origin)))
    votes = (counts.wins + counts.wins.T).sum(axis=1)
    standings = [
        Standing(
            model=counts.models[model],
            experiment=experiments.get(counts.models[model]),
            votes=round(votes[model]),
            elo=ELO_REFERENCE + ELO * float(theta[at]),
            reference=Interval(
                estimate=_sigmoid(theta[at]),
                low=_sigmoid(theta[at] - Z95 * deviation[at]) if above[at] else 0.0,
                high=_sigmoid(theta[at] + Z95 * deviation[at]) if below[at] else 1.0,
            ),
        )
        for at, model in enumerate(known)
    ]
    standings.sort(key=lambda standing: (-standing.elo, standing.model))
    unknown = set(counts.models) - {standing.model for standing in standings}
    return Ranking(tuple(standings), tuple(sorted(unknown)))


_SHARE_OF_A = {Choice.A: 1.0, Choice.TIE: 0.5, Choice.B: 0.0}


def _chains(beat: Bools) -> Bools:
    """(models, models): whether the row beat the column, or one that beat it, and so on; each model reaches itself."""
    reach = beat | np.eye(len(beat), dtype=np.bool_)
    while True:
        steps = reach.astype(np.float32)
        further = steps @ steps > 0
        if np.array_equal(further, reach):
            return reach
        reach = further


def _with_prior(wins: Floats, beats: Bools) -> Floats:
    met = wins + wins.T > 0
    return wins + 0.5 * (met & ~(beats & beats.T))


def _maximum_likelihood(wins: Floats, origin: int) -> tuple[Floats, Floats]:
    """Strengths θ with the one at ``origin`` 0, and the standard deviation of each, by Newton's method.

    Args:
        wins: (models, models), with chains of wins both ways between all, so that the maximum exists.
        origin: index of the model that the others are measured against.
    """
    games = wins + wins.T
    free = np.flatnonzero(np.arange(len(wins)) != origin)
    theta = np.zeros(len(wins))
    best = _log_likelihood(wins, theta)
    while True:
        surplus = (wins - games * _win_chance(theta)).sum(axis=1)
        move = np.zeros_like(theta)
        move[free] = np.linalg.solve(_information(games, theta, free), surplus[free])
        move *= STRIDE / max(STRIDE, _largest_change(move, games))
        full = float(np.abs(move).max())
        # Concave, so a short enough move goes up; at the top no more than rounding is left of the difference.
        while (reached := _log_likelihood(wins, theta + move)) < best - ROUNDING * abs(best):
            move /= 2
        theta, gained, best = theta + move, reached > best, reached
        if full <= TOLERANCE or not gained:
            break
    deviation = np.zeros_like(theta)
    deviation[free] = np.sqrt(np.diag(np.linalg.inv(_information(games, theta, free))))
    return theta, deviation


def _largest_change(move: Floats, games: Floats) -> float:
    """How much further apart or closer a move brings any two models that met."""
    return float((np.abs(move[:, None] - move[None, :]) * (games > 0)).max())


def _information(games: Floats, theta: Floats, free: NDArray[np.intp]) -> Floats:
    """(free, free): Fisher information of the strengths that may move."""
    chance = _win_chance(theta)
    between = games * chance * chance.T
    return (np.diag(between.sum(axis=1)) - between)[np.ix_(free, free)]


def _win_chance(theta: Floats) -> Floats:
    """(models, models): probability that the row beats the column, exact where it is tiny."""
    return np.exp(-np.logaddexp(0.0, theta[None, :] - theta[:, None]))


def _log_likelihood(wins: Floats, theta: Floats) -> float:
    return -float((wins * np.logaddexp(0.0, theta[None, :] - theta[:, None])).sum())


def _sigmoid(logit: float) -> float:
    return float(np.exp(-np.logaddexp(0.0, -logit)))
