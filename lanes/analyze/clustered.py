"""Strengths, Elo and win rates with intervals that know whose votes they are, from the draws of the bootstrap."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from checkpoints.records import REFERENCE, Interval
from lanes.analyze.bootstrap import Draws, draw, spread
from lanes.analyze.findings import Strength
from lanes.analyze.ranking import ELO, ELO_REFERENCE, Z95, Ranking, ranked, standing, win_rate
from lanes.analyze.strengths import Floats
from lanes.analyze.vote_table import Indices, VoteTable


def clustered(
    table: VoteTable, experiments: Mapping[str, int], reference: str = REFERENCE
) -> tuple[Ranking, Draws | None]:
    """Rank all models by Bradley–Terry, as ``ranking.fit`` does, with intervals from resampled voters.

    Args:
        table: all votes.
        experiments: experiment number by model; models that are not in it, such as the reference, have none.
        reference: the model that stands at 1000 Elo.

    Returns:
        The ranking, and the draws behind it, for ``trust``; None where the reference has no votes.
    """
    if reference not in table.models:
        return Ranking((), table.models), None
    draws = draw(table, table.models.index(reference))
    votes = table.votes_of_models()
    theta = [_interval(draws.theta, draws.drawn, draws, at, fixed=True) for at in range(len(table.models))]
    standings = [
        standing(table.models[at], experiments.get(table.models[at]), votes[at], found.estimate, found.low, found.high)
        for at, found in enumerate(theta)
        if draws.known[at]
    ]
    return ranked(standings, table.models, draws.voters, draws.resamples), draws


def strengths(
    table: VoteTable, draws: Draws, reference: str | None = None, corrected: Draws | None = None
) -> tuple[Strength, ...]:
    """Every model that is known, best first.

    Args:
        table: all votes.
        draws: of these votes.
        reference: the model at 1000 Elo, the origin of the draws; None for a mean Elo of 1000. Means, that of the
            strengths, too, are over the models of ``measure``.
        corrected: draws of these votes without the advantage of being shown first.
    """
    fixed, bounded = reference is not None, measure(draws)
    centre = _nothing if fixed else mean
    elo, drawn = draws.theta - centre(draws.theta, bounded), draws.drawn - centre(draws.drawn, bounded)
    log_pi, drawn_pi = draws.theta - _log_mean(draws.theta, bounded), draws.drawn - _log_mean(draws.drawn, bounded)
    straight = corrected.theta - centre(corrected.theta, bounded) if corrected else None
    votes = table.votes_of_models()
    found = [
        Strength(
            model=table.models[at],
            votes=votes[at],
            elo=_mapped(_elo, _interval(elo, drawn, draws, at, fixed)),
            strength=_mapped(_exp, _interval(log_pi, drawn_pi, draws, at, fixed=False)),
            reference=_mapped(win_rate, _interval(elo, drawn, draws, at, fixed)) if fixed else None,
            corrected=_elo(float(straight[at])) if straight is not None else None,
        )
        for at in np.flatnonzero(draws.known).tolist()
    ]
    return tuple(sorted(found, key=lambda one: (-one.elo.estimate, one.model)))


def mean(theta: Floats, models: Indices) -> Floats:
    """Mean θ of some models, by table: (…, 1)."""
    return theta[..., models].mean(axis=-1, keepdims=True)


def measure(draws: Draws) -> Indices:
    """The models that means are over: those with both ends, most often all; where none has, all that are known."""
    both = draws.apart == 0
    return np.flatnonzero(both if both.any() else draws.known)


def _interval(theta: Floats, drawn: Floats, draws: Draws, at: int, fixed: bool) -> Interval:
    """The interval of one model's θ, measured from the origin, which is fixed, or from a mean.

    Where a strength has no end on one side, all resamples may be alike, so the other side is that of the deviation.
    """
    estimate = float(theta[at])
    if fixed and at == draws.origin:
        return Interval(estimate, estimate, estimate)
    end, ends = (draws.without_end, draws.drawn_without_end) if fixed else (draws.apart, draws.drawn_apart)
    low, high = spread(estimate, drawn[:, at] + ends[:, at], draws.voters)
    reach = Z95 * float(draws.deviation[at])
    if end[at] == np.inf:
        return Interval(estimate, min(low, estimate - reach), np.inf)
    if end[at] == -np.inf:
        return Interval(estimate, -np.inf, max(high, estimate + reach))
    return Interval(estimate, low, high)


def _nothing(theta: Floats, _: Indices) -> Floats:
    return np.zeros_like(theta[..., :1])


def _log_mean(theta: Floats, models: Indices) -> Floats:
    """Log of the mean strength of some models, which is then 1: (…, 1)."""
    top = theta[..., models].max(axis=-1, keepdims=True)
    return top + np.log(np.exp(theta[..., models] - top).mean(axis=-1, keepdims=True))


def _mapped(scale: Callable[[float], float], theta: Interval) -> Interval:
    return Interval(scale(theta.estimate), scale(theta.low), scale(theta.high))


def _elo(theta: float) -> float:
    return ELO_REFERENCE + ELO * theta


def _exp(theta: float) -> float:
    with np.errstate(over="ignore"):
        return float(np.exp(theta))
