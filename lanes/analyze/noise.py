"""How much a metric varies from one training of the same recipe to the next; pure, and without numpy."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from checkpoints.measurements import Measurement, Role

Value: TypeAlias = float | None
"""What a training got; None where it crashed, ran out of time or got no finite number."""

GUESS = 8
"""Fewer replicates than this say little of the noise: of 5, the sd is .42 to 1.54 times the true one (90 %)."""

FENCE = 10.0
"""Of the noise's robust scale, over all recipes and over the others of its own: a run further from its recipe's median
has diverged, and is no noise. So far out because the scale comes from as few as five runs."""

_MAD_TO_SD = 1.4826
"""A normal distribution's sd over its median absolute deviation."""

_TWO_SIDED_95 = statistics.NormalDist().inv_cdf(0.975)


@dataclass(frozen=True, slots=True)
class Noise:
    """What replicates say of the sd of one run."""

    sd: float
    """Pooled within the recipes, so that progress from one to the next is no noise; in the metric's unit."""

    freedom: int
    """Degrees of freedom: replicates less one for each recipe."""

    replicates: int
    """Runs of recipes that were trained more than once, without those beyond the fence."""

    fence: float
    """Distance from its recipe's median below which no run has diverged; infinite where nothing says."""

    @property
    def is_guess(self) -> bool:
        """Whether there are too few replicates for more than a guess."""
        return self.replicates < GUESS

    @property
    def words(self) -> str:
        """The noise for a person."""
        guess = f": a guess, from fewer than {GUESS} replicates" if self.is_guess else ""
        return f"sd of one run {self.sd:.3g}, {self.replicates} replicates{guess}"


@dataclass(frozen=True, slots=True)
class NoiseFloor:
    """The band in which single runs of one recipe fall; a result within it is no progress."""

    centre: float
    """Mean over the recipe's fresh seeds."""

    low: float
    high: float
    """Two-sided 95 %, from the pooled sd."""

    replicates: int
    words: str


def pooled_noise(groups: Iterable[Sequence[Value]]) -> Noise | None:
    """The sd of one run, pooled over all recipes that were trained more than once.

    ``s² = Σ_g Σ_i (x_gi − mean_g)² / Σ_g (n_g − 1)``, the pooled variance of a one-way layout. Runs that diverged are
    left out, as they say nothing of how runs vary that did not: those further from their recipe's median than `FENCE`
    robust scales (1.4826 times the median absolute deviation) over all recipes, and over the others of their own.

    Args:
        groups: What the trainings of each recipe got; those without a number are no measurements.

    Returns:
        None where no recipe has two numbers.
    """
    numbers = [found for group in groups if len(found := numbers_of(group)) > 1]
    if not numbers:
        return None
    fence = _fence(numbers)
    kept = [inside(group, fence) for group in numbers]
    freedom = sum(len(group) - 1 for group in kept if group)
    if freedom < 1:
        return None
    means = [statistics.fmean(group) if group else 0.0 for group in kept]
    squares = sum((value - mean) ** 2 for group, mean in zip(kept, means, strict=True) for value in group)
    replicates = sum(len(group) for group in kept if len(group) > 1)
    return Noise(math.sqrt(squares / freedom), freedom, replicates, fence)


def noise_floor(measurements: Iterable[Measurement], experiment: int | None = None) -> NoiseFloor | None:
    """The band in which single runs of an experiment's recipe fall.

    Args:
        measurements: Of the run, on the rows that decide.
        experiment: Whose recipe; None takes the latest whose fresh seeds were trained.

    Returns:
        None until its recipe, and some recipe at least twice, was trained with fresh seeds.
    """
    groups = fresh_groups(measurements)
    noise = pooled_noise(groups.values())
    whose = experiment if experiment is not None else max(groups, default=None)
    if noise is None or whose is None or not (numbers := typical(groups.get(whose, ()), noise)):
        return None
    centre = statistics.fmean(numbers)
    half = _TWO_SIDED_95 * noise.sd
    return NoiseFloor(centre, centre - half, centre + half, noise.replicates, noise.words)


def fresh_groups(measurements: Iterable[Measurement]) -> dict[int, list[Value]]:
    """What the fresh seeds of each experiment's recipe got; a screening run was looked at because it was good."""
    groups: dict[int, list[Value]] = {}
    for one in measurements:
        if one.role is Role.FRESH:
            groups.setdefault(one.experiment, []).append(one.value)
    return groups


def inside(values: Sequence[float], fence: float) -> list[float]:
    """Those that have not diverged."""
    return [value for index, value in enumerate(values) if not has_diverged(values, index, fence)]


def has_diverged(values: Sequence[float], index: int, fence: float) -> bool:
    """Whether one run of a recipe is far from the others: by the noise of all recipes, and by that of its own others.

    A recipe that varies more than the rest has not diverged, and of two runs nobody can tell which one has.
    """
    others = [*values[:index], *values[index + 1 :]]
    if len(others) < 2 or abs(values[index] - statistics.median(values)) <= fence:
        return False
    middle = statistics.median(others)
    scale = _MAD_TO_SD * statistics.median(abs(value - middle) for value in others)
    return abs(values[index] - middle) > FENCE * scale


def typical(values: Iterable[Value], noise: Noise) -> list[float]:
    """A recipe's numbers without those that have diverged."""
    return inside(numbers_of(values), noise.fence)


def numbers_of(values: Iterable[Value]) -> list[float]:
    """Those that are finite numbers."""
    return [value for value in values if value is not None and math.isfinite(value)]


def _fence(groups: Sequence[Sequence[float]]) -> float:
    middles = [statistics.median(group) for group in groups]
    distances = (abs(value - middle) for group, middle in zip(groups, middles, strict=True) for value in group)
    scale = _MAD_TO_SD * statistics.median(distances)
    return FENCE * scale if scale > 0 else math.inf
