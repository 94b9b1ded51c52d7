"""The rule of a scalar metric: what to train next to know whether a candidate is better, and what follows from it.

Pure: it knows neither recipes nor scripts, only what was trained and the numbers that came. Whoever trains asks again
after each training. `confirmed` is the default: several seeds of the champion first, one run of the candidate as a
screen, then fresh seeds of both and a test that leaves the screen out; after a keep fresh seeds of the new champion.
`record` and `previous_step` are greedy on single runs, for those who want them by name.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, TypeAlias

from checkpoints.measurements import Role
from checkpoints.records import Interval, Outcome
from lanes.analyze.comparing import LEVEL, RowsError, around, compare, seeds_in, without_divergence
from lanes.analyze.noise import Value, numbers_of, pooled_noise, typical

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
    """Gain over the champion, above 0 is better, with its two-sided 95 % interval. The test is one-sided and at α, so
    that the interval of a keep may reach below 0."""

    equal: bool = False
    """Whether the test found the candidate neither better nor worse."""


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
    if not numbers_of(fresh):
        return Decide(Outcome.CRASH, f"{len(fresh)} trainings of the baseline gave no {rule.metric}.")
    noise = pooled_noise([fresh])
    numbers = typical(fresh, noise) if noise else numbers_of(fresh)
    mean = statistics.fmean(numbers)
    value = around(mean, noise.sd / math.sqrt(len(numbers)), noise.freedom) if noise else None
    words = f" ({noise.words})" if noise else ", so that its noise was not measured"
    seeds = seeds_in(numbers, fresh)
    reason = f"{rule.metric} {_number(mean)} over {seeds}{words}; the baseline reigns without a contest."
    return Decide(Outcome.KEEP, reason, value or Interval(mean, mean, mean))


def _confirmed(rule: MetricRule, trial: Trial) -> Train | Decide:
    lead = [*trial.champion, *trial.beside]
    if not trial.fresh:  # once there is one, its screen was passed
        if _lacks(lead, rule.seeds):
            return Train(Whose.CHAMPION, Role.FRESH)
        if len(numbers_of(lead)) < FEWEST:
            return _nothing_to_compare_with(lead)
        if not trial.screen:
            return Train(Whose.CANDIDATE, Role.SCREEN)
        if (failed := _screened(rule, trial, lead)) is not None:
            return failed
    if len(trial.fresh) < rule.confirm and None not in trial.fresh:
        return Train(Whose.CANDIDATE, Role.FRESH)
    if None not in trial.fresh and _lacks_one_more(rule, trial):
        return Train(Whose.CHAMPION, Role.FRESH)
    return _tested(rule, trial, lead) if len(numbers_of(lead)) >= FEWEST else _nothing_to_compare_with(lead)


def _nothing_to_compare_with(lead: Sequence[Value]) -> Decide:
    words = f"{len(lead)} trainings of the champion's recipe gave {len(numbers_of(lead))} numbers"
    return Decide(Outcome.INCONCLUSIVE, f"{words}: there is nothing to compare with.")


def _lacks(values: Sequence[Value], wanted: int) -> bool:
    """Whether there are too few numbers, and not so many failures that it is no use to go on."""
    return len(numbers_of(values)) < wanted and len(values) < 2 * wanted


def _lacks_one_more(rule: MetricRule, trial: Trial) -> bool:
    """Whether the champion has yet to be trained beside the candidate; twice at most."""
    filling = max(0, rule.seeds - len(numbers_of(trial.champion)))
    there = len(numbers_of(trial.beside))
    return there < filling + 1 and len(trial.beside) - there < FEWEST + filling


def _screened(rule: MetricRule, trial: Trial, lead: Sequence[Value]) -> Decide | None:
    """What becomes of a candidate that does not pass the screen; None where it does."""
    value = trial.screen[0]
    if value is None:
        return _crashed(rule)
    noise = pooled_noise([lead, *trial.others])
    assert noise is not None, "the champion has two numbers, or this is not asked"
    base = without_divergence(lead, noise, rule.direction == "min")
    gain = better_by(rule, value, statistics.fmean(base))
    if gain > rule.screen * noise.sd:
        return None
    effect = around(gain, noise.sd * math.sqrt(1 + 1 / len(base)), noise.freedom)
    bar = f"not {rule.screen:g} sd better" if rule.screen >= 0 else f"more than {-rule.screen:g} sd worse"
    reason = (
        f"{rule.metric} {_number(value)} in one run against {_number(statistics.fmean(base))} over"
        f" {seeds_in(base, lead)} of the champion: {bar}, so no fresh seeds were spent on it"
        f" ({noise.words})."
    )
    return Decide(Outcome.DISCARD, reason, around(value, noise.sd, noise.freedom), effect)


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
    found = compare(confirming, lead, noise, rule.direction == "min", trial.rows)
    better = found.is_better(rule.alpha)
    if better and _lacks(baseline, rule.seeds):
        return Train(Whose.CANDIDATE, Role.FRESH)
    seconds = typical(baseline, noise) if better else []
    shown = seconds if len(seconds) >= FEWEST else found.ours
    value = around(statistics.fmean(shown), noise.sd / math.sqrt(len(shown)), noise.freedom)
    rows = f"; {trial.rows.rows:,} held-out rows" if trial.rows else ""
    words = (
        f"{rule.metric} {_number(statistics.fmean(found.ours))} over {seeds_in(found.ours, confirming)} against"
        f" {_number(statistics.fmean(found.theirs))} over {seeds_in(found.theirs, lead)} of the champion: a gain of"
        f" {_interval(found.effect)} at {100 * LEVEL:g} % ({noise.words}{rows})"
    )
    test = f"by a one-sided t at α = {rule.alpha:g}"
    if not better:
        equal = not found.is_worse(rule.alpha)
        return Decide(Outcome.DISCARD, f"{words}: not better {test}.", value, found.effect, equal)
    again = f"; {seeds_in(shown, baseline)} trained after that give {_number(value.estimate)}"
    reason = f"{words}: better {test}{again if shown is seconds else ''}."
    return Decide(Outcome.KEEP, reason, value, found.effect)


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


def _number(value: float) -> str:
    return f"{value:.4g}"


def _interval(found: Interval) -> str:
    return f"{found.estimate:+.3g} [{found.low:+.3g}, {found.high:+.3g}]"
