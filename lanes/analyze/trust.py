"""Whether a metric may be trusted: its order of the models beside the people's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
from scipy import special

from lanes.analyze.bootstrap import Draws
from lanes.analyze.correlation import kendall, spearman
from lanes.analyze.findings import Correlation, Disagreement, Strength, Trust, TrustPoint
from lanes.analyze.strengths import Floats

SIGNIFICANT = 0.05
"""A p up to this is more than chance, by convention."""

SURE = 0.95
"""People who are less sure than this do not tell two models apart."""

FEWEST = 3
"""Two models are always in one order or the other."""

NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


def trust(
    metric: str, values: Mapping[str, float], strengths: Sequence[Strength], draws: Draws, higher_is_better: bool = True
) -> Trust:
    """Compare a metric with the people.

    Args:
        metric: its name, for the sentence.
        values: by model, finite.
        strengths: the people's ranking, from ``clustered.strengths``.
        draws: the resamples behind it.
        higher_is_better: False for a loss.
    """
    ranked = [one for one in strengths if one.model in values]
    points = tuple(TrustPoint(one.model, values[one.model], one.elo) for one in ranked)
    left_out = tuple(sorted(values.keys() ^ {*draws.models} | ({*draws.models} - {one.model for one in strengths})))
    places = [draws.models.index(one.model) for one in ranked]
    value = np.array([point.value for point in points]) * (1.0 if higher_is_better else -1.0)
    known = _known(draws)
    people, drawn = draws.theta[places], known[:, places]
    by_rank, by_pair = (find(value, people, drawn, draws.voters) for find in (spearman, kendall))
    against = tuple(_disagreements(ranked, value, places, draws, known))
    top = _top(ranked, value, places, draws) if len(ranked) >= FEWEST else ""
    return Trust(
        metric=metric,
        higher_is_better=higher_is_better,
        points=points,
        spearman=by_rank,
        kendall=by_pair,
        disagreements=against,
        left_out=left_out,
        sentence=_sentence(metric, value, by_rank, top),
    )


def sureness(better: int, worse: int, draws: Draws) -> float:
    """How sure the votes are that one model is the better one of two: 0 to 1, 0.5 where they do not tell.

    By the normal approximation to the difference of strengths, with the spread of the resamples; a strength without an
    end adds its own deviation, as all resamples may be alike there.

    Args:
        better, worse: indices of the models.
    """
    return _sureness(better, worse, draws, _known(draws))


def _sureness(better: int, worse: int, draws: Draws, drawn: Floats) -> float:
    apart = drawn[:, better] - drawn[:, worse]
    open_ = [draws.deviation[at] ** 2 for at in (better, worse) if draws.without_end[at] != 0]
    spread = float(np.sqrt(np.var(apart) + sum(open_)))
    if draws.voters < 2 or not np.isfinite(spread):
        return 0.5
    lead = float(draws.theta[better] - draws.theta[worse])
    return float(special.ndtr(lead / spread)) if spread else (1.0 + float(np.sign(lead))) / 2


def certainty(sure: float) -> str:
    """How sure people are, in words; never quite."""
    return "more than 99 %" if sure > 0.995 else f"{100 * sure:.0f} %"


def _known(draws: Draws) -> Floats:
    return np.where(np.isnan(draws.drawn_without_end), np.nan, draws.drawn)


def _disagreements(
    ranked: Sequence[Strength], value: Floats, places: Sequence[int], draws: Draws, drawn: Floats
) -> list[Disagreement]:
    """Pairs in opposite orders, surest first; ``ranked`` is best first."""
    found = [
        Disagreement(ranked[worse].model, ranked[better].model, _sureness(places[better], places[worse], draws, drawn))
        for better, worse in combinations(range(len(ranked)), 2)
        if value[worse] > value[better]
    ]
    return sorted(found, key=lambda one: (-one.sure, one.by_people, one.by_metric))


def _top(ranked: Sequence[Strength], value: Floats, places: Sequence[int], draws: Draws) -> str:
    """What the metric says of the people's best two."""
    sure = sureness(places[0], places[1], draws)
    if value[0] == value[1]:
        return f"does not separate the top two, {ranked[0].model} and {ranked[1].model}"
    if sure < SURE:
        best = f"{ranked[0].model} and {ranked[1].model}"
        return f"but people do not tell the top two apart yet, {best} ({certainty(sure)} sure)"
    if value[0] < value[1]:
        return (
            f"does not separate the top two: it says {ranked[1].model}, "
            f"people say {ranked[0].model} ({certainty(sure)} sure)"
        )
    return "and its top two with it"


def _sentence(metric: str, value: Floats, found: Correlation | None, top: str) -> str:
    models = _count(len(value))
    if len(value) < FEWEST:
        return f"{metric}: {models} with both a value and votes; nothing can be said of fewer than three."
    if found is None:
        return f"{metric} gives all {models} the same value, or people do: nothing can be said."
    if found.p > SIGNIFICANT:
        how = "differ" if found.interval.estimate < 0 else "agree"
        return f"{metric}: not significant: {models} can {how} this well by chance (p = {_p(found.p)})."
    if found.interval.estimate < 0:
        return f"{metric} orders the field backwards (p = {_p(found.p)})."
    return f"{metric} orders the field (p = {_p(found.p)}), {top}."


def _count(models: int) -> str:
    number = NUMBERS[models] if models < len(NUMBERS) else str(models)
    return f"{number} model{'s' if models != 1 else ''}"


def _p(p: float) -> str:
    return f"{p:.2f}" if p >= 0.095 else f"{p:.2g}"
