"""Elo as it is kept vote by vote: what other tools print, and no way to rank, as it hangs on the order of the votes."""

from __future__ import annotations

import math

from lanes.analyze.vote_table import VoteTable

START = 1000.0

K = 4.0
"""The most that one vote moves a model."""


def online_elo(table: VoteTable) -> dict[str, float]:
    """Elo after all votes in their order, by model (Elo 1978): two equal models end up some 25 points apart.

    A tie is half a win. ``ranking`` and ``clustered`` give Elo-scale numbers that do not depend on the order.
    """
    elo = [START] * len(table.models)
    share: list[float] = (1 - table.outcome / 2).tolist()
    shown: list[int] = table.first.tolist()
    beside: list[int] = table.second.tolist()
    for first, second, won in zip(shown, beside, share, strict=True):
        moved = K * (won - 1 / (1 + math.pow(10, (elo[second] - elo[first]) / 400)))
        elo[first] += moved
        elo[second] -= moved
    return dict(zip(table.models, elo, strict=True))
