"""Rank correlations of a few models, with the chance that no relation at all would give them."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from checkpoints.records import Interval
from lanes.analyze.bootstrap import CHUNK, spread
from lanes.analyze.findings import Correlation
from lanes.analyze.strengths import Floats

EXACT = 9
"""Up to this many models all orders are counted: 362,880 of nine."""

SAMPLE = 9_999
"""Random orders that p is counted over where there are more models."""

ALIKE = 1e-9
"""Two correlations no further apart than this are the same, but for rounding."""


def spearman(value: Floats, people: Floats, drawn: Floats, voters: int) -> Correlation | None:
    """Spearman's ρ: the correlation of the ranks; ties share the mean of theirs.

    Args:
        value: (models,) by the metric, higher is better.
        people: (models,) by the people, higher is better.
        drawn: (resamples, models) by the people of each resample, NaN where nothing is known.
        voters: how many were resampled.

    Returns:
        None with fewer than three models, or where one side does not tell them apart.
    """
    return _correlation(value, people, drawn, voters, _of_ranks)


def kendall(value: Floats, people: Floats, drawn: Floats, voters: int) -> Correlation | None:
    """Kendall's τ-b: the share of pairs in the same order less that in the opposite one; see ``spearman``."""
    return _correlation(value, people, drawn, voters, _of_pairs)


def _correlation(
    by_metric: Floats, by_people: Floats, drawn: Floats, voters: int, form: Callable[[Floats], Floats]
) -> Correlation | None:
    """The correlation of two matrices over models, (models, models), and its p: Daniels' (1944) form of both."""
    value, people, models = form(by_metric), form(by_people), len(by_metric)
    scale = math.sqrt((value**2).sum() * (people**2).sum())
    if models < 3 or scale == 0:
        return None
    found = float((value * people).sum()) / scale
    chunks = np.array_split(drawn, math.ceil(drawn.size * models / CHUNK))
    each = np.concatenate([_with_each(value, form(chunk)) for chunk in chunks])
    each[np.isnan(drawn).any(axis=1)] = np.nan
    low, high = spread(found, each, voters)
    exact = models <= EXACT
    orders = _all_orders(models) if exact else _some_orders(models)
    by_chance = np.zeros(len(orders))
    for one in range(models):
        for other in range(one):
            by_chance += value[orders[:, one], orders[:, other]] * (2 * people[one, other])
    as_far = int((np.abs(by_chance) >= (abs(found) - ALIKE) * scale).sum())
    # Of a sample, the order at hand counts as one of its orders, so that p is never 0 (Phipson and Smyth 2010).
    p = as_far / len(orders) if exact else (as_far + 1) / (len(orders) + 1)
    return Correlation(Interval(found, max(low, -1.0), min(high, 1.0)), p, len(orders), exact)


def _with_each(value: Floats, resampled: Floats) -> Floats:
    """(resamples,): the correlation with each of many matrices, NaN with one that tells no models apart."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return (resampled * value).sum(axis=(1, 2)) / np.sqrt((value**2).sum() * (resampled**2).sum(axis=(1, 2)))


def _of_ranks(values: Floats) -> Floats:
    """(…, models, models): differences of ranks; their product summed is Spearman's ρ but for the scale."""
    ranks = _ranks(values)
    return ranks[..., :, None] - ranks[..., None, :]


def _of_pairs(values: Floats) -> Floats:
    """(…, models, models): which of two is higher; the product summed is Kendall's τ-b but for the scale."""
    return np.sign(_of_ranks(values))


def _ranks(values: Floats) -> Floats:
    return np.asarray(cast(Any, stats).rankdata(np.nan_to_num(values, nan=0.0), axis=-1), dtype=np.float64)


@lru_cache(maxsize=2)
def _all_orders(models: int) -> NDArray[np.int8]:
    """(orders, models)"""
    found = np.zeros((1, 0), dtype=np.int8)
    for model in range(models):
        found = np.concatenate([np.insert(found, place, model, axis=1) for place in range(model + 1)])
    return found


@lru_cache(maxsize=2)
def _some_orders(models: int) -> NDArray[np.int64]:
    """(orders, models)"""
    rng = np.random.default_rng(0)
    return rng.permuted(np.tile(np.arange(models), (SAMPLE, 1)), axis=1)
