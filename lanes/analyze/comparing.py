"""Two recipes compared by what their seeds got: which runs count, the gain, its standard error, the test; pure."""

from __future__ import annotations

import functools
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from checkpoints.records import Interval
from lanes.analyze.noise import Noise, Value, has_diverged, numbers_of

LEVEL = 0.95
"""Of every interval that is shown, whatever the test's own level."""


@dataclass(frozen=True, slots=True)
class RowsError:
    """What the choice of held-out rows adds to the error of a difference, over and above the seeds."""

    variance: float
    """Of the difference, in the metric's unit squared."""

    rows: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """A candidate beside a champion."""

    ours: Sequence[float]
    """The candidate's numbers that count."""

    theirs: Sequence[float]
    """The champion's."""

    gain: float
    """Of the means, above 0 is better."""

    error: float
    freedom: float

    @property
    def effect(self) -> Interval:
        """The gain with its interval."""
        return around(self.gain, self.error, self.freedom)

    def is_better(self, alpha: float) -> bool:
        """Whether the candidate is better by Student's t, one-sided."""
        return self.gain > _quantile(self.freedom, 1 - alpha) * self.error

    def is_worse(self, alpha: float) -> bool:
        """The same for its mirror image."""
        return -self.gain > _quantile(self.freedom, 1 - alpha) * self.error


def compare(
    ours: Sequence[Value], theirs: Sequence[Value], noise: Noise, less: bool, rows: RowsError | None = None
) -> Comparison:
    """Means over seeds, with the sd of one run pooled over all replicates.

    Args:
        ours, theirs: What fresh seeds of candidate and champion got; at least one number each.
        noise: Of one run.
        less: Whether less is better.
        rows: Of both on the same held-out rows, where the metric has rows.
    """
    sign = -1.0 if less else 1.0
    mine, base = _without_spikes(ours, noise, sign), without_divergence(theirs, noise, less)
    gain = sign * (statistics.fmean(mine) - statistics.fmean(base))
    return Comparison(mine, base, gain, *_error(noise, len(mine), len(base), rows))


def without_divergence(values: Sequence[Value], noise: Noise, less: bool) -> list[float]:
    """A champion's numbers without those far worse than its others: they would make it easy to beat."""
    return _without_spikes(values, noise, 1.0 if less else -1.0)


def around(estimate: float, error: float, freedom: float) -> Interval:
    """The two-sided interval by Student's t at `LEVEL`."""
    half = _quantile(freedom, (1 + LEVEL) / 2) * error
    return Interval(estimate, estimate - half, estimate + half)


def seeds_in(counted: Sequence[float], values: Sequence[Value]) -> str:
    """How many seeds a mean is over, and which were left out of it."""
    numbers = len(numbers_of(values))
    out = {"far off": numbers - len(counted), "without a number": len(values) - numbers}
    left = " and ".join(f"{count} {why}" for why, count in out.items() if count)
    seeds = f"{len(counted)} seed{'' if len(counted) == 1 else 's'}"
    return f"{seeds}, {left} left out" if left else seeds


def _without_spikes(values: Sequence[Value], noise: Noise, sign: float) -> list[float]:
    """Numbers without one that is too good to be of the same kind: a spike would carry its recipe."""
    numbers = numbers_of(values)
    middle = statistics.median(numbers)
    far = (sign * (value - middle) > 0 and has_diverged(numbers, i, noise.fence) for i, value in enumerate(numbers))
    return [value for value, is_far in zip(numbers, far, strict=True) if not is_far]


def _error(noise: Noise, ours: int, theirs: int, rows: RowsError | None) -> tuple[float, float]:
    """Standard error of the difference of two means, and its degrees of freedom.

    ``SE² = s²·(1/n₁ + 1/n₂) + V_rows``: the seeds' part is that of Student's t with a pooled sd, the rows' part what
    the choice of held-out rows adds to it. Each has degrees of freedom of its own, put together as Welch (1947) and
    Satterthwaite (1946) do: ``ν = SE⁴ / (V_seeds²/ν_seeds + V_rows²/(rows − 1))``.
    """
    seeds = noise.sd**2 * (1 / ours + 1 / theirs)
    if rows is None or rows.rows < 2 or rows.variance <= 0:
        return math.sqrt(seeds), noise.freedom
    whole = seeds + rows.variance
    return math.sqrt(whole), whole**2 / (seeds**2 / noise.freedom + rows.variance**2 / (rows.rows - 1))


@functools.lru_cache(maxsize=4096)
def _quantile(freedom: float, below: float) -> float:
    """Student's t with probability ``below`` below it."""
    from scipy import special  # takes long to load, and most who read this page compute nothing

    return float(special.stdtrit(freedom, below))
