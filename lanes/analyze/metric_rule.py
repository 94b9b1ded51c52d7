"""The rule of a scalar metric: what to train next to know whether a candidate is better, and what follows from it.

Pure: it knows neither recipes nor scripts, only what was trained and the numbers that came. Whoever trains asks again
after each training. `confirmed` is the default: several seeds of the champion first, one run of the candidate as a
screen, then fresh seeds of both and a test that leaves the screen out; after a keep fresh seeds of the new champion.
`record` and `previous_step` are greedy on single runs, for those who want them by name.
"""

from __future__ import annotations

import functools
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, TypeAlias

from checkpoints.measurements import Role
from checkpoints.records import Interval, Outcome
from lanes.analyze.noise import Noise, Value, pooled_noise

RuleName: TypeAlias = Literal["confirmed", "record", "previous_step"]
Direction: TypeAlias = Literal["max", "min"]

FEWEST = 2
"""Numbers that a recipe must give to have a mean with an sd."""


@dataclass(frozen=True, slots=True)
class MetricRule:
    """When a number is better."""

    direction: Direction = "max"
    rule: RuleName = "confirmed"
    metric: str = "the metric"
    """Its name, for sentences."""

    seeds: int = 5
    """Fresh seeds of a champion before anything is compared with it."""

    screen: float = 0.5
    """Sds of one run by which a candidate's single run must be better than the champion's mean."""

    confirm: int = 3
    """Fresh seeds of a candidate that passed the screen; one more of the champion goes with them."""

    alpha: float = 0.10
    """Chance of keeping a candidate that is no better, once it has passed the screen."""


@dataclass(frozen=True, slots=True)
class RowsError:
    """What the choice of held-out rows adds to the error of a difference, over and above the seeds."""

    variance: float
    """Of the difference, in the metric's unit squared."""

    rows: int


@dataclass(frozen=True, slots=True)
class Trial:
    """All that was measured by the moment when a candidate is judged, in the order in which it was trained."""

    champion: Sequence[Value] = ()
    """Fresh seeds of the champion from before; under the greedy rules its single run."""

    beside: Sequence[Value] = ()
    """Fresh seeds of the champion that were trained for this trial."""

    screen: Sequence[Value] = ()
    """The candidate's first, single run."""

    fresh: Sequence[Value] = ()
    """Fresh seeds of the candidate: those of the test first, then those of its own baseline."""

    others: Sequence[Sequence[Value]] = ()
    """Fresh seeds of all other recipes, a sequence each: they tell of the noise."""

    previous: Value = None
    """What the step before got, kept or not; for ``previous_step``."""

    rows: RowsError | None = None
    """Of champion and candidate on the same held-out rows, where the metric has rows."""

    broken: str = ""
    """The guard that a run of the candidate has broken, in words; empty where none is."""


class Whose(StrEnum):
    """Whose recipe is trained."""

    CHAMPION = "champion"
    CANDIDATE = "candidate"


@dataclass(frozen=True, slots=True)
class Train:
    """Train one recipe once, with a seed that it has not had, and ask again."""

    whose: Whose
    role: Role


@dataclass(frozen=True, slots=True)
class Decide:
    """What follows from the numbers."""

    outcome: Outcome
    reason: str
    """One sentence for a person: numbers, seeds, rule."""

    value: Interval | None = None
    """The candidate's metric. Over the seeds of its own baseline after a keep, over those of the test otherwise."""

    effect: Interval | None = None
    """Gain over the champion, above 0 is better, with its two-sided 1 − 2α interval: a keep's lies above 0."""


def next_step(rule: MetricRule, trial: Trial) -> Train | Decide:
    """What to train next to judge a candidate against a champion, or the decision.

    Every call looks at the same numbers in the same way, so that a process that was killed goes on where it was, and
    whoever decides later decides alike.
    """
    if trial.broken:
        return Decide(Outcome.DISCARD, f"{trial.broken}: discarded, whatever its {rule.metric}.")
    if rule.rule != "confirmed":
        return _greedy(rule, trial)
    return _confirmed(rule, trial)


def next_of_baseline(rule: MetricRule, fresh: Sequence[Value]) -> Train | Decide:
    """The same for a run's first champion, which has nobody to beat: only its own noise is measured.

    Args:
        fresh: What its recipe's trainings got so far.
    """
    wanted = rule.seeds if rule.rule == "confirmed" else 1
    if _lacks(fresh, wanted):
        return Train(Whose.CANDIDATE, Role.FRESH)
    return _reigning(rule, fresh)


def settle_baseline(rule: MetricRule, fresh: Sequence[Value]) -> Decide:
    """The same with what is there, where nothing more is trained for it."""
    step = next_of_baseline(rule, fresh)
    return step if isinstance(step, Decide) else _reigning(rule, fresh)


def settle(rule: MetricRule, trial: Trial) -> Decide:
    """The decision with what is there, where nothing more is trained for it."""
    step = next_step(rule, trial)
    if isinstance(step, Decide):
        return step
    if trial.screen and trial.screen[0] is None:
        return _crashed(rule)
    return Decide(Outcome.INCONCLUSIVE, f"{rule.metric} was not measured often enough against this champion.")


def worst(rule: MetricRule) -> float:
    """What a training without a number counts as: never a best."""
    return -math.inf if rule.direction == "max" else math.inf


def better_by(rule: MetricRule, one: float, other: float) -> float:
    """How much better one value is than another, in the metric's unit; below 0 where it is worse."""
    return one - other if rule.direction == "max" else other - one


def _reigning(rule: MetricRule, fresh: Sequence[Value]) -> Decide:
    numbers = _numbers(fresh)
    if not numbers:
        return Decide(Outcome.CRASH, f"{len(fresh)} trainings of the baseline gave no {rule.metric}.")
    mean = statistics.fmean(numbers)
    noise = pooled_noise([fresh])
    value = _around(mean, noise.sd / math.sqrt(len(numbers)), noise.freedom, rule.alpha) if noise else None
    words = f" ({noise.words})" if noise else ", so that its noise was not measured"
    reason = f"{rule.metric} {_number(mean)} over {_seeds(numbers)}{words}; the baseline reigns without a contest."
    return Decide(Outcome.KEEP, reason, value or Interval(mean, mean, mean))


def _confirmed(rule: MetricRule, trial: Trial) -> Train | Decide:
    lead = [*trial.champion, *trial.beside]
    if not trial.fresh:  # once there is one, its screen was passed
        if _lacks(lead, rule.seeds):
            return Train(Whose.CHAMPION, Role.FRESH)
        if len(_numbers(lead)) < FEWEST:
            words = f"{len(lead)} trainings of the champion's recipe gave {len(_numbers(lead))} numbers"
            return Decide(Outcome.INCONCLUSIVE, f"{words}: there is nothing to compare with.")
        if not trial.screen:
            return Train(Whose.CANDIDATE, Role.SCREEN)
        if (failed := _screened(rule, trial, lead)) is not None:
            return failed
    if len(trial.fresh) < rule.confirm and None not in trial.fresh:
        return Train(Whose.CANDIDATE, Role.FRESH)
    if None not in trial.fresh and _lacks_one_more(rule, trial):
        return Train(Whose.CHAMPION, Role.FRESH)
    return _tested(rule, trial, lead)


def _lacks(values: Sequence[Value], wanted: int) -> bool:
    """Whether there are too few numbers, and not so many failures that it is no use to go on."""
    return len(_numbers(values)) < wanted and len(values) < 2 * wanted


def _lacks_one_more(rule: MetricRule, trial: Trial) -> bool:
    """Whether the champion has yet to be trained beside the candidate; twice at most."""
    filling = max(0, rule.seeds - len(_numbers(trial.champion)))
    there = len(_numbers(trial.beside))
    return there < filling + 1 and len(trial.beside) - there < FEWEST + filling


def _screened(rule: MetricRule, trial: Trial, lead: Sequence[Value]) -> Decide | None:
    """What becomes of a candidate that does not pass the screen; None where it does."""
    value = trial.screen[0]
    if value is None:
        return _crashed(rule)
    noise = pooled_noise([lead, *trial.others])
    assert noise is not None, "the champion has two numbers, or this is not asked"
    base = _for_champion(rule, lead, noise)
    gain = better_by(rule, value, statistics.fmean(base))
    if gain > rule.screen * noise.sd:
        return None
    effect = _around(gain, noise.sd * math.sqrt(1 + 1 / len(base)), noise.freedom, rule.alpha)
    reason = (
        f"{rule.metric} {_number(value)} in one run against {_number(statistics.fmean(base))} over"
        f" {_seeds(base)} of the champion: not {rule.screen:g} sd better, so no fresh seeds were spent on it"
        f" ({noise.words})."
    )
    return Decide(Outcome.DISCARD, reason, _around(value, noise.sd, noise.freedom, rule.alpha), effect)


def _tested(rule: MetricRule, trial: Trial, lead: Sequence[Value]) -> Train | Decide:
    """The test on fresh seeds: Student's t with the sd pooled over all replicates, one-sided."""
    confirming, baseline = trial.fresh[: rule.confirm], trial.fresh[rule.confirm :]
    if None in confirming:
        return Decide(
            Outcome.DISCARD,
            f"{rule.metric}: {confirming.index(None) + 1} of its fresh seeds, one of them without a number:"
            " a recipe that fails is no better.",
        )
    noise = pooled_noise([lead, confirming, *trial.others])
    assert noise is not None, "the candidate has fresh seeds, or this is not asked"
    base, ours = _for_champion(rule, lead, noise), _for_candidate(rule, confirming, noise)
    gain = better_by(rule, statistics.fmean(ours), statistics.fmean(base))
    error, freedom = _error(noise, len(ours), len(base), trial.rows)
    effect = _around(gain, error, freedom, rule.alpha)
    better = effect.low > 0
    if better and _lacks(baseline, rule.seeds):
        return Train(Whose.CANDIDATE, Role.FRESH)
    seconds = _numbers(baseline) if better else []
    shown = seconds if len(seconds) >= FEWEST else ours
    value = _around(statistics.fmean(shown), noise.sd / math.sqrt(len(shown)), noise.freedom, rule.alpha)
    words = (
        f"{rule.metric} {_number(statistics.fmean(ours))} over {_seeds(ours)} against"
        f" {_number(statistics.fmean(base))} over {_seeds(base)} of the champion: a gain of {_interval(effect)}"
        f" at {100 * (1 - 2 * rule.alpha):g} % ({noise.words}{_of_rows(trial.rows)})"
    )
    if not better:
        return Decide(Outcome.DISCARD, f"{words}: not better beyond noise.", value, effect)
    again = f"; {_seeds(shown)} trained after that give {_number(value.estimate)}" if shown is seconds else ""
    return Decide(Outcome.KEEP, f"{words}: better{again}.", value, effect)


def _for_champion(rule: MetricRule, values: Sequence[Value], noise: Noise) -> list[float]:
    """Its numbers without the runs that diverged: they would make it easy to beat."""
    numbers = _numbers(values)
    middle = statistics.median(numbers)
    return [value for value in numbers if better_by(rule, middle, value) <= noise.fence]


def _for_candidate(rule: MetricRule, values: Sequence[Value], noise: Noise) -> list[float]:
    """Its numbers without one that is too good to be of the same kind: a spike would carry it."""
    numbers = _numbers(values)
    middle = statistics.median(numbers)
    return [value for value in numbers if better_by(rule, value, middle) <= noise.fence]


def _error(noise: Noise, ours: int, theirs: int, rows: RowsError | None) -> tuple[float, float]:
    """Standard error of the difference of two means, and its degrees of freedom.

    ``SE² = s²·(1/n₁ + 1/n₂) + V_rows``: the seeds' part is that of Student's t with a pooled sd, the rows' part what
    the choice of held-out rows adds to it. Each has degrees of freedom of its own, put together as Welch (1947) and
    Satterthwaite (1946) do: ``ν = SE⁴ / (V_seeds²/ν_seeds + V_rows²/(rows − 1))``.
    """
    seeds = noise.sd**2 * (1 / ours + 1 / theirs)
    if rows is None or rows.rows < FEWEST or rows.variance <= 0:
        return math.sqrt(seeds), noise.freedom
    whole = seeds + rows.variance
    return math.sqrt(whole), whole**2 / (seeds**2 / noise.freedom + rows.variance**2 / (rows.rows - 1))


def _greedy(rule: MetricRule, trial: Trial) -> Train | Decide:
    """Keep what beats a single number: the champion's own (``record``) or that of the step before."""
    if not trial.champion and not trial.beside:
        return Train(Whose.CHAMPION, Role.FRESH)
    if not trial.screen:
        return Train(Whose.CANDIDATE, Role.SCREEN)
    value = trial.screen[0]
    if value is None:
        return _crashed(rule)
    against, whose = trial.previous, "the step before"
    if rule.rule == "record":
        against, whose = [*trial.champion, *trial.beside][0], "the champion"
    against = worst(rule) if against is None else against
    gain = better_by(rule, value, against)
    outcome = Outcome.KEEP if gain > 0 else Outcome.DISCARD
    bar = f"{_number(against)} of {whose}" if math.isfinite(against) else f"no number of {whose}"
    reason = (
        f"{rule.metric} {_number(value)} in one run against {bar}: {'better' if gain > 0 else 'not better'}"
        f" by the rule {rule.rule}, which takes noise for progress."
    )
    effect = Interval(gain, gain, gain) if math.isfinite(gain) else None
    return Decide(outcome, reason, Interval(value, value, value), effect)


def _crashed(rule: MetricRule) -> Decide:
    return Decide(Outcome.CRASH, f"its training gave no {rule.metric}: the worst value there is.")


def _around(estimate: float, error: float, freedom: float, alpha: float = 0.10) -> Interval:
    half = _quantile(freedom, alpha) * error
    return Interval(estimate, estimate - half, estimate + half)


@functools.lru_cache(maxsize=4096)
def _quantile(freedom: float, alpha: float) -> float:
    """Student's t that is exceeded with probability ``alpha``."""
    from scipy import special  # takes long to load, and most who read this page compute nothing

    return float(special.stdtrit(freedom, 1 - alpha))


def _numbers(values: Sequence[Value]) -> list[float]:
    return [value for value in values if value is not None and math.isfinite(value)]


def _number(value: float) -> str:
    return f"{value:.4g}"


def _interval(found: Interval) -> str:
    return f"{found.estimate:+.3g} [{found.low:+.3g}, {found.high:+.3g}]"


def _seeds(values: Sequence[float]) -> str:
    return f"{len(values)} seed{'' if len(values) == 1 else 's'}"


def _of_rows(rows: RowsError | None) -> str:
    return f"; {rows.rows:,} held-out rows" if rows else ""
