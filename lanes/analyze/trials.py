"""From the store's measurements to what the metric's rule looks at; pure."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

from checkpoints.measurements import Measurement, Role
from checkpoints.records import BASELINE
from lanes.analyze.comparing import RowsError
from lanes.analyze.metric_rule import MetricRule, Trial
from lanes.analyze.noise import Value


def trial_of(rule: MetricRule, measurements: Sequence[Measurement], candidate: int, champion: int) -> Trial:
    """What is known of a candidate and of the champion that it is compared with.

    What later experiments have asked for is left out, so that whoever looks again later sees the same. The champion's
    own confirmation is no part of its mean: it was kept because those runs were good.

    Args:
        rule: Says how many seeds confirm.
        measurements: Of the run, on the rows that decide.
        candidate: Number of the experiment.
        champion: Number of the one that it is compared with.
    """
    known = [one for one in measurements if one.asked_by <= candidate]
    confirmation, baseline = _halves(rule, known, champion)
    before = [one.value for one in baseline if one.asked_by != candidate]
    beside = [one.value for one in baseline if one.asked_by == candidate]
    if rule.rule != "confirmed":
        single = [one.value for one in known if one.experiment == champion]
        before, beside = single[:1], []
    others = {one.experiment for one in known if one.role is Role.FRESH} - {candidate, champion}
    return Trial(
        champion=before,
        beside=beside,
        screen=[one.value for one in known if one.experiment == candidate and one.role is Role.SCREEN],
        fresh=fresh_of(known, candidate),
        others=[*(fresh_of(known, each) for each in sorted(others)), [one.value for one in confirmation]],
        previous=_previous(known, candidate),
    )


def fresh_of(measurements: Sequence[Measurement], experiment: int) -> list[Value]:
    """What the fresh seeds of an experiment's recipe got, in the order in which they were trained."""
    return [one.value for one in _fresh(measurements, experiment)]


def seeds_of_test(
    rule: MetricRule, measurements: Sequence[Measurement], candidate: int, champion: int
) -> tuple[list[int], list[int]]:
    """The seeds whose trainings are compared: the candidate's in the test, and those of the champion's own mean."""
    known = [one for one in measurements if one.asked_by <= candidate]
    ours = [one.seed for one in _fresh(known, candidate) if one.value is not None][: rule.confirm]
    return ours, [one.seed for one in _halves(rule, known, champion)[1] if one.value is not None]


def next_seed(measurements: Sequence[Measurement], experiment: int, first: int) -> int:
    """The next seed of an experiment's recipe, from its own on; one that gave no number is not tried again."""
    return max((one.seed + 1 for one in measurements if one.experiment == experiment), default=first)


def rows_error(ours: Sequence[Mapping[str, float]], theirs: Sequence[Mapping[str, float]]) -> RowsError | None:
    """What the choice of held-out rows adds to the error of a difference of means over seeds.

    Each run scores the same rows, so that rows are paired: with d_i the difference of the two recipes' means on row i
    of N, ``V = s²(d)/N − Σ_i (s²_i₁/n₁ + s²_i₂/n₂)/N²``, s²_ik the variance over the seeds on that row. The second term
    is what a row differs by from seed to seed: it is in the seeds' part already (expected mean squares of the two-way
    crossed layout, Searle, Casella & McCulloch, Variance Components, 1992; rows paired as in Miller, Adding Error Bars
    to Evals, 2024). Never below 0.

    Args:
        ours: The score of each row, for each training of the candidate.
        theirs: The same for the champion.

    Returns:
        None where they have fewer than two rows in common.
    """
    if not ours or not theirs:
        return None
    common = set[str].intersection(*(set(run) for run in (*ours, *theirs)))
    count = len(common)
    if count < 2:
        return None
    one, other = ([[run[row] for run in runs] for row in sorted(common)] for runs in (ours, theirs))
    differences = [statistics.fmean(a) - statistics.fmean(b) for a, b in zip(one, other, strict=True)]
    within = sum(_variance(row) / len(row) for rows in (one, other) for row in rows)
    return RowsError(max(0.0, statistics.variance(differences) / count - within / count**2), count)


def _variance(values: Sequence[float]) -> float:
    return statistics.variance(values) if len(values) > 1 else 0.0


def _fresh(measurements: Sequence[Measurement], experiment: int) -> list[Measurement]:
    found = [one for one in measurements if one.experiment == experiment and one.role is Role.FRESH]
    return sorted(found, key=lambda one: one.seed)


def _halves(
    rule: MetricRule, measurements: Sequence[Measurement], champion: int
) -> tuple[list[Measurement], list[Measurement]]:
    """A champion's fresh seeds: those that it was kept by, and those of its own baseline."""
    fresh = _fresh(measurements, champion)
    own = [] if champion == BASELINE else [one for one in fresh if one.asked_by == champion]
    kept_by = own[: rule.confirm]
    return kept_by, [one for one in fresh if one not in kept_by]


def _previous(measurements: Sequence[Measurement], candidate: int) -> Value:
    """What the single run of the experiment before got."""
    single = {one.experiment: one.value for one in reversed(measurements) if one.role is Role.SCREEN}
    baseline = fresh_of(measurements, BASELINE)
    single |= {BASELINE: baseline[0]} if baseline else {}
    return single.get(max((number for number in single if number < candidate), default=BASELINE))
