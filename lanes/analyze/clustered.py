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
    theta = [_interval(draws.theta, draws.drawn, draws.drawn_without_end, draws, at) for at in range(len(table.models))]
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
            strengths, too, are over the models with chains of wins both ways to the origin: most often over all.
        corrected: draws of these votes without the advantage of being shown first.
    """
    bounded = np.flatnonzero(draws.without_end == 0)
    centre, ends = (mean, draws.drawn_apart) if reference is None else (_nothing, draws.drawn_without_end)
    elo, drawn = draws.theta - centre(draws.theta, bounded), draws.drawn - centre(draws.drawn, bounded)
    log_pi, drawn_pi = draws.theta - _log_mean(draws.theta, bounded), draws.drawn - _log_mean(draws.drawn, bounded)
    straight = corrected.theta - centre(corrected.theta, bounded) if corrected else None
    votes = table.votes_of_models()
    found = [
        Strength(
            model=table.models[at],
            votes=votes[at],
            elo=_mapped(_elo, _interval(elo, drawn, ends, draws, at)),
            strength=_mapped(_exp, _interval(log_pi, drawn_pi, draws.drawn_apart, draws, at)),
            reference=_mapped(win_rate, _interval(elo, drawn, ends, draws, at)) if reference is not None else None,
            corrected=_elo(float(straight[at])) if straight is not None else None,
        )
        for at in np.flatnonzero(draws.known).tolist()
    ]
    return tuple(sorted(found, key=lambda one: (-one.elo.estimate, one.model)))


def mean(theta: Floats, models: Indices) -> Floats:
    """Mean θ of some models, by table: (…, 1)."""
    return theta[..., models].mean(axis=-1, keepdims=True)


def _interval(theta: Floats, drawn: Floats, ends: Floats, draws: Draws, at: int) -> Interval:
    """The interval of one model's θ, by whatever it is measured from.

    Where a strength has no end on one side, all resamples may be alike, so the other side is that of the deviation.
    """
    estimate, resampled = float(theta[at]), drawn[:, at]
    if at == draws.origin and not (resampled - estimate).any():
        return Interval(estimate, estimate, estimate)
    low, high = spread(estimate, resampled + ends[:, at], draws.voters)
    end, reach = draws.without_end[at], Z95 * float(draws.deviation[at])
    if end == np.inf:
        return Interval(estimate, min(low, estimate - reach), np.inf)
    if end == -np.inf:
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
