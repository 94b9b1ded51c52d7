"""What the store says of a script's experiments: files, runs, and what the rule makes of them."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import fmean
from typing import cast

from checkpoints.measurements import Measurement, Role
from checkpoints.reader import Reader
from checkpoints.records import BASELINE, Experiment, Json, State, model_name
from lanes.analyze.metric_rule import Decide, MetricRule, Train, better_by
from lanes.analyze.noise import fresh_groups, numbers_of
from lanes.analyze.trials import fresh_of, trial_of
from lanes.script.edits import Size, size
from lanes.script.judging import Standing, next_of_first, next_run


def files_of(recipe: Json | None) -> Mapping[str, str]:
    """Texts of the files that may be edited, by path."""
    return cast(Mapping[str, str], (recipe or {}).get("files", {}))


def base_of(recipe: Json | None) -> str:
    """The commit that all other files are of."""
    return str((recipe or {}).get("commit", ""))


def next_for(read: Reader, rule: MetricRule, experiment: Experiment, champion: int | None) -> Train | Decide:
    """What to run next to judge an experiment, or the decision.

    Args:
        read: Of the run.
        rule: When a number is better.
        experiment: With its recipe.
        champion: Whom it is compared with; None for the baseline.
    """
    known = read.measurements()
    if experiment.number == BASELINE or champion is None:
        return next_of_first(rule, fresh_of(known, experiment.number))
    trial = trial_of(rule, known, experiment.number, champion)
    return next_run(rule, trial, _standing(read, rule, known), _size(read, experiment, champion))


def value_of(known: list[Measurement], number: int) -> float | None:
    """What an experiment's first run got; the mean of its runs where it is the baseline."""
    values = [one.value for one in known if one.experiment == number and one.value is not None]
    if number == BASELINE and values:
        return sum(values) / len(values)
    screen = [one.value for one in known if one.experiment == number and one.role is Role.SCREEN]
    return next(iter(screen), values[0] if values else None)


def _standing(read: Reader, rule: MetricRule, known: list[Measurement]) -> Standing:
    kept = {one.number for one in read.experiments(State.KEPT)} | {BASELINE}
    best, who = None, "nobody"
    for number in sorted(kept):
        value = value_of(known, number)
        if value is not None and (best is None or better_by(rule, value, best) > 0):
            best, who = value, "the baseline" if number == BASELINE else model_name(number)
    fresh = [numbers for number in sorted(kept) if (numbers := numbers_of(fresh_of(known, number)))]
    strongest = max(fresh, key=lambda numbers: better_by(rule, fmean(numbers), 0.0), default=list[float]())
    return Standing(best, who, [*fresh_groups(known).values()], strongest)


def _size(read: Reader, experiment: Experiment, champion: int) -> Size:
    before, after = files_of(read.experiment(champion).recipe), files_of(experiment.recipe)
    sizes = [size(before.get(path, ""), text) for path, text in after.items()]
    return Size(sum(one.added for one in sizes), sum(one.removed for one in sizes))
