"""The verdict on an edit of a script: the metric's rule, and that of two equal scripts the shorter one is better.

``confirmed`` is that of ``lanes.analyze.metric_rule`` with fresh seeds. ``record`` is greedy on single runs, for
scripts that take no seed: it keeps what is better than the best kept so far by more than the noise floor, which
repeated runs of the baseline have measured. ``previous_step`` takes any difference for progress and is there by name.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace

from checkpoints.records import Interval, Outcome
from lanes.analyze.comparing import compare
from lanes.analyze.metric_rule import Decide, MetricRule, Train, Trial, better_by, next_of_baseline, next_step
from lanes.analyze.noise import Noise, Value, numbers_of, pooled_noise
from lanes.script.edits import Size

FLOOR = statistics.NormalDist().inv_cdf(0.975)
"""Sds of one run that make the noise floor: a single run of the same script lies within them in 95 of 100 cases."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What an edit is held against, besides the champion's own runs."""

    best: Value
    """The best number among all that was kept and stands; a simpler script that is a little worse does not lower it."""

    who: str
    """Whose it is."""

    replicates: Sequence[Sequence[Value]]
    """Repeated runs of one script, a sequence each."""

    fresh_of_best: Sequence[Value] = ()
    """Fresh seeds of the script with the best mean of them among all that was kept and stands."""


def next_of_first(rule: MetricRule, fresh: Sequence[Value]) -> Train | Decide:
    """What to run next of the unchanged script, until its noise is measured, or that it reigns."""
    return next_of_baseline(replace(rule, rule="confirmed"), fresh)


def next_run(rule: MetricRule, trial: Trial, standing: Standing, size: Size) -> Train | Decide:
    """What to run next to judge an edit, or the decision.

    Args:
        rule: When a number is better.
        trial: What was measured of the edit and of the champion.
        standing: What else it is held against.
        size: How much it adds to the champion's script and takes from it.
    """
    if rule.rule == "confirmed":
        return _confirmed(rule, trial, standing, size)
    if rule.rule == "previous_step" or not trial.screen:
        return next_step(rule, trial)
    return _record(rule, trial.screen[0], standing, size)


def _confirmed(rule: MetricRule, trial: Trial, standing: Standing, size: Size) -> Train | Decide:
    """A shorter script need not be better in its first run, only not clearly worse, to be worth fresh seeds.

    It is held against the best that was kept, too: else each of a row of them could lose a little against the last.
    """
    found = next_step(replace(rule, screen=-rule.screen) if size.net < 0 else rule, trial)
    if not isinstance(found, Decide) or not found.equal or size.net >= 0:
        return found
    said, noise = found.reason.removesuffix("."), pooled_noise([*standing.replicates, trial.fresh])
    best, ours = standing.fresh_of_best, trial.fresh[: rule.confirm]
    if numbers_of(best) and noise and compare(ours, best, noise, rule.direction == "min").is_worse(rule.alpha):
        mean = statistics.fmean(numbers_of(best))
        return replace(found, reason=f"{said}, nor worse, but worse than the best that was kept, {mean:.4g}.")
    reason = f"{said}, nor worse; {_shorter(size)}"
    return replace(found, outcome=Outcome.KEEP, reason=reason)


def _record(rule: MetricRule, value: Value, standing: Standing, size: Size) -> Decide:
    if value is None:
        return Decide(Outcome.CRASH, f"its run gave no {rule.metric}: the worst value there is.")
    itself = Interval(value, value, value)
    if standing.best is None:
        return Decide(Outcome.KEEP, f"{rule.metric} {value:.6g} in one run, and nothing that stands has one.", itself)
    noise = pooled_noise(standing.replicates)
    floor, gain = _floor(noise), better_by(rule, value, standing.best)
    effect = Interval(gain, gain - math.sqrt(2) * floor, gain + math.sqrt(2) * floor)
    words = (
        f"{rule.metric} {value:.6g} in one run against {standing.best:.6g} of {standing.who}: {gain:+.3g},"
        f" noise floor {floor:.3g} ({noise.words if noise else 'nobody has measured it'})"
    )
    if gain > floor:
        return Decide(Outcome.KEEP, f"{words}: better by the rule record.", itself, effect)
    if gain < -floor or (size.net >= 0 and gain <= 0):
        return Decide(Outcome.DISCARD, f"{words}: not better.", itself, effect)
    if size.net < 0:
        return Decide(Outcome.KEEP, f"{words}: equal within the noise; {_shorter(size)}", itself, effect)
    return Decide(Outcome.DISCARD, f"{words}: within the noise, which is no progress.", itself, effect)


def _floor(noise: Noise | None) -> float:
    return FLOOR * noise.sd if noise else 0.0


def _shorter(size: Size) -> str:
    lines = -size.net
    return f"simpler by {lines} line{'' if lines == 1 else 's'}, so it is kept."
