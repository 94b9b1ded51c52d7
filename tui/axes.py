"""Axes of a plot: limits that hold still, and round values to label."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass

_FARTHEST = 1e300
"""Beyond it the distance of two numbers may be no number."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The range of an axis."""

    lower: float
    upper: float

    def hold(self, values: Sequence[float], room: float = 0.06) -> Limits:
        """These limits while the values are inside; else new ones around both, with room to grow."""
        if all(self.lower <= value <= self.upper for value in values):
            return self
        return around([*values, self.lower, self.upper], room)

    def within(self, least: float, most: float) -> Limits:
        """These limits, as far as there can be values."""
        return Limits(max(self.lower, least), min(self.upper, most))


def around(values: Sequence[float], room: float = 0.06) -> Limits:
    """Round limits around values; ``room`` is the share of their spread that is left free on both sides."""
    low, high = max(min(values), -_FARTHEST), min(max(values), _FARTHEST)
    spread = (high - low) or abs(high) or 1.0
    step = _step(spread * (1 + 2 * room)) / 2
    return Limits(math.floor((low - spread * room) / step) * step, math.ceil((high + spread * room) / step) * step)


def experiments_ahead(latest: int, budget: int, columns: int) -> int:
    """Right end of the axis of experiments: the budget where it fits, else a round number that seldom changes."""
    if latest <= budget <= columns // 2:
        return max(budget, 1)
    size = 8
    while size < latest:
        size = size * 3 // 2 if size & (size - 1) == 0 else size * 4 // 3
    return size


def counts_ahead(latest: int, expected: int) -> int:
    """Right end of an axis of what is counted: what is expected, else a round number that seldom changes."""
    return expected if latest <= expected else experiments_ahead(latest, 0, 0)


def labels(values: Sequence[float]) -> list[str]:
    """Values at even distances as text, with as many decimals as tell them apart; briefly where those are many."""
    step = values[1] - values[0] if len(values) > 1 else 1.0
    if 0 < step < 1e-3:
        return [f"{round(value, 1 - math.floor(math.log10(step))):g}" for value in values]
    if values and step >= 100 and max(map(abs, values)) >= 10_000:
        return [f"{value / 1000:g}k" for value in values]
    decimals = max(0, -math.floor(math.log10(step) + 1e-9)) if step > 0 else 0
    if step and abs(step * 10**decimals - round(step * 10**decimals)) > 1e-6:
        decimals += 1
    return [f"{value:.{decimals}f}" for value in values]


def ticks(limits: Limits, most: int, through: float = 0.0) -> list[float]:
    """Round values on an axis, about ``most`` and at least two, one of them ``through`` where that is in sight."""
    step, found = _step(limits.upper - limits.lower, max(2, most)), list[float]()
    while len(found) < 2:
        first = math.ceil((limits.lower - through) / step - 1e-9)
        last = math.floor((limits.upper - through) / step + 1e-9)
        found = [through + number * step for number in range(first, last + 1)]
        step /= 2
    return found


def log_ticks(limits: Limits, most: int) -> list[float]:
    """Values to label on a logarithmic axis: powers of ten, with their doubles and halves where they have room.

    Args:
        limits: Logarithms to base ten.
        most: Labels that have room.
    """
    if limits.upper - limits.lower < 1:
        return [value for value in ticks(Limits(10**limits.lower, 10**limits.upper), most) if value > 0]
    most = max(2, most)
    powers = range(math.floor(limits.lower), math.ceil(limits.upper) + 1)
    values = [factor * 10.0**power for power in powers for factor in (1, 2, 5)]
    values = [value for value in values if limits.lower <= math.log10(value) <= limits.upper]
    tens = [value for value in values if math.log10(value).is_integer()]
    found = values if len(values) <= most or len(tens) < 2 else tens
    return found[:: math.ceil(len(found) / most)]


def whole_ticks(right: int, width: int) -> list[float]:
    """Whole numbers from 0 on, as many as have room in so many cells."""
    step = max(1, math.ceil(_step(max(right, 1), max(2, width // 10))))
    return [float(number) for number in range(0, right + 1, step)]


def _step(spread: float, parts: int = 4) -> float:
    raw = max(spread / max(parts, 1), sys.float_info.min)
    size = 10.0 ** math.floor(math.log10(raw))
    return next(size * factor for factor in (1, 2, 5, 10) if size * factor >= raw * 0.999)
