"""Which recipe the next change is applied to, where the search is a tree: the one that promises most, by its posterior.

A node is an experiment that was judged, by its gain over the baseline: normal, the sum of the gains along the line of
opponents, each shrunken by how much gains differ in this run (empirical Bayes). One draw from each node's posterior
(Thompson 1933) makes an uncertain node that may be better win as often as it is probably better; what many have
branched from already promises less, as in UCB (Auer 2002): τ/√(1 + n) is added, n its children so far.
"""

from __future__ import annotations

import math
import random
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from checkpoints.records import BASELINE, Interval, Row, State
from runner.agent.gained import found_effect

_OPEN = frozenset({State.KEPT, State.DISCARDED, State.INCONCLUSIVE})
"""Ends of an experiment that may be branched from: it was judged, and nobody took it back."""

_LEAST = 1e-6
"""Spread of the gains where they say nothing: all alike, or none yet."""


@dataclass(frozen=True, slots=True)
class Node:
    """An experiment that the next one may be branched from."""

    experiment: int
    gain: float
    """Posterior mean of its gain over the baseline: in win rate, or in the metric's unit."""

    sd: float
    """Posterior standard deviation of that."""

    children: int


def nodes(rows: Sequence[Row]) -> list[Node]:
    """Everything that may be branched from, in the order of the experiments.

    Args:
        rows: All experiments of the run.
    """
    vetoed = {row.experiment.number for row in rows if row.experiment.state is State.VETOED}
    spread = _spread([gain for row in rows if (gain := _gain(row))])
    children = Counter(row.experiment.parent for row in rows if row.experiment.state is not State.CANCELLED)
    known: dict[int | None, tuple[float, float]] = {BASELINE: (0.0, 0.0)}
    found: list[Node] = []
    for row in sorted(rows, key=lambda row: row.verdict.decided_at if row.verdict else math.inf):
        number = row.experiment.number
        if number != BASELINE and (gain := _gain(row)):
            before, variance = known.get(row.experiment.opponent, (0.0, 0.0))
            mean, own = _shrunken(gain, spread)
            known[number] = before + mean, variance + own
        if number in known and row.experiment.state in _OPEN and not row.contains & vetoed:
            mean, variance = known[number]
            found.append(Node(number, mean, math.sqrt(variance), children[number]))
    return sorted(found, key=lambda node: node.experiment)


def base(rows: Sequence[Row], champion: int, seed: int) -> int:
    """The experiment whose recipe the next change is applied to; the champion while nothing else is known.

    Deterministic: the same rows and seed give the same one.

    Args:
        rows: All experiments of the run.
        champion: Who reigns.
        seed: Of the run.
    """
    draw = random.Random(f"{seed}/{len(rows)}")
    spread = _spread([gain for row in rows if (gain := _gain(row))])
    scores = {
        node.experiment: draw.gauss(node.gain, node.sd) + spread / math.sqrt(1 + node.children) for node in nodes(rows)
    }
    return _highest(scores, champion)


def _highest(scores: Mapping[int, float], champion: int) -> int:
    return max(scores, key=lambda number: (scores[number], number == champion), default=champion)


def _gain(row: Row) -> Interval | None:
    """Over its opponent; None where nobody judged it, and of the baseline."""
    return None if row.experiment.number == BASELINE else found_effect(row)


def _sd(gain: Interval) -> float:
    """Of a 95 % interval."""
    return max((gain.high - gain.low) / (2 * 1.96), _LEAST)


def _spread(gains: Sequence[Interval]) -> float:
    """How much true gains differ: √(mean of squares − mean of variances), at least a tenth of the mean of squares."""
    if not gains:
        return _LEAST
    squares = statistics.fmean(gain.estimate**2 for gain in gains)
    noise = statistics.fmean(_sd(gain) ** 2 for gain in gains)
    return max(math.sqrt(max(squares - noise, squares / 10)), _LEAST)


def _shrunken(gain: Interval, spread: float) -> tuple[float, float]:
    """Posterior mean and variance of a gain under the prior N(0, spread²)."""
    noise = _sd(gain) ** 2
    weight = spread**2 / (spread**2 + noise)
    return weight * gain.estimate, weight * noise
