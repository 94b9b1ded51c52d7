"""The ranking of all models of a run from all its votes: Bradley–Terry, on the Elo scale and as win rates.

Model i beats model j with probability ``1 / (1 + exp(θ_j − θ_i))``; a tie counts as half a win to each.

Where the data put no end to a model's strength (it never lost, or never won), its interval says so: the win rate's
upper end is 1, or its lower end 0 (see ``comparable``). Models with chains of wins both ways to each other get the
plain maximum likelihood; for two models alone without them it is the usual logit with a half added to each count.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from checkpoints.records import REFERENCE, Choice, Interval, Standing
from lanes.analyze.comparable import chains_of, comparable, open_ends
from lanes.analyze.strengths import Fitted, Floats, deviations, most_likely, of_wins

ELO = 400 / math.log(10)
"""Elo points per unit of θ: 173.7, so that 400 points are odds of ten to one."""

ELO_REFERENCE = 1000.0
"""Elo of the reference."""

SHARE_OF_A = {Choice.A: 1.0, Choice.TIE: 0.5, Choice.B: 0.0}
"""What a vote is worth to model A: a tie is half a win."""

Z95 = NormalDist().inv_cdf(0.975)


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

    voters: int = 0
    """How many voters were resampled for the intervals; 0 where they come from the Fisher information."""

    resamples: int = 0
    """How often."""


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
        share = SHARE_OF_A[choice] * votes
        wins[place[a], place[b]] += share
        wins[place[b], place[a]] += votes - share
    return Counts(models, wins)


def fit(
    counts: Counts, experiments: Mapping[str, int], reference: str = REFERENCE, before: Ranking | None = None
) -> Ranking:
    """Rank all models by Bradley–Terry.

    The intervals are 95 %, from the Fisher information on the logit, as if each vote came from another voter. A tie
    counts there as much as a decisive vote and varies less, so with many ties the intervals are on the wide side.
    ``clustered`` gives those that know whose votes they are.

    Args:
        counts: votes between every two models.
        experiments: experiment number by model; models that are not in it, such as the reference, have none.
        reference: the model that stands at 1000 Elo.
        before: a ranking of nearly the same votes, to begin from.

    Returns:
        Standings, best first, and the models of which the votes tell nothing.
    """
    if reference not in counts.models:
        return Ranking((), counts.models)
    origin = counts.models.index(reference)
    counted = of_wins(counts.wins[None])
    beats = chains_of(counted)
    games, without_end = comparable(counted, origin, beats), open_ends(beats, [origin])
    found = most_likely(games, origin, start=_from(before, counts.models))
    theta, reach = found.theta[0], Z95 * deviations(games, found, origin)[0]
    low = np.where(without_end[0] == -np.inf, -np.inf, theta - reach)
    high = np.where(without_end[0] == np.inf, np.inf, theta + reach)
    votes = (counts.wins + counts.wins.T).sum(axis=1)
    known = ~np.isnan(without_end[0])
    standings = [
        standing(model, experiments.get(model), round(votes[at]), float(theta[at]), float(low[at]), float(high[at]))
        for at, model in enumerate(counts.models)
        if known[at]
    ]
    return ranked(standings, counts.models)


def standing(model: str, experiment: int | None, votes: int, theta: float, low: float, high: float) -> Standing:
    """A model's place from its strength and the ends of its interval, in units of θ against the reference's 0."""
    return Standing(
        model=model,
        experiment=experiment,
        votes=votes,
        elo=ELO_REFERENCE + ELO * theta,
        reference=Interval(win_rate(theta), win_rate(low), win_rate(high)),
    )


def ranked(standings: Iterable[Standing], models: Iterable[str], voters: int = 0, resamples: int = 0) -> Ranking:
    """The standings in their order; the models that are not among them are unknown."""
    ordered = sorted(standings, key=lambda one: (-one.elo, one.model))
    unknown = set(models) - {one.model for one in ordered}
    return Ranking(tuple(ordered), tuple(sorted(unknown)), voters, resamples)


def win_rate(theta: float) -> float:
    """Chance to win against a model that is weaker by θ, ±∞ allowed."""
    odds = math.exp(-abs(theta))
    return (1.0 if theta > 0 else odds) / (1 + odds)


def _from(before: Ranking | None, models: tuple[str, ...]) -> Fitted | None:
    if before is None:
        return None
    was = {one.model: (one.elo - ELO_REFERENCE) / ELO for one in before.standings}
    theta = np.array([[was.get(model, 0.0) for model in models]])
    return Fitted(theta, np.zeros(1), np.zeros(1))
