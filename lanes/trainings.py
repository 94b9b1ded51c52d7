"""Where the trainings of a run's recipes are found again, each by its experiment and seed, and what their files say.

An entry (``work/trainings/exp-0003-seed-45.json``) names the folder of the worker that trained, or trains.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from checkpoints.measurements import Measurement
from checkpoints.records import Json, model_name
from lanes.analyze.metric_rule import Trial
from lanes.analyze.trials import rows_error, seeds_of_test, trial_of
from lanes.measure import Metric, by_command, by_result
from lanes.order import RESULT, CommandResult

TRAININGS = "trainings"
"""Folder of ``work`` with the entries, and with the models of repeated trainings for as long as they are measured."""


def trial(work: Path, metric: Metric, measurements: Sequence[Measurement], candidate: int, champion: int) -> Trial:
    """What the rule looks at, with what only the workers' files say: the scores of single rows, and broken guards.

    Args:
        work: Folder of the run with the entries.
        metric: What is measured.
        measurements: Of the run, on the rows that decide.
        candidate: Number of the experiment.
        champion: Number of the one that it is compared with.
    """
    found = trial_of(metric.rule, measurements, candidate, champion)
    if metric.judge == "command":
        seeds = [one.seed for one in measurements if one.experiment == candidate and one.value is not None]
        return replace(found, broken=next(_broken(work, metric, candidate, seeds), ""))
    if len(found.fresh) < metric.rule.confirm:
        return found
    ours, theirs = seeds_of_test(metric.rule, measurements, candidate, champion)
    rows = rows_error(
        [run for seed in ours if (run := _rows(work, metric, candidate, seed))],
        [run for seed in theirs if (run := _rows(work, metric, champion, seed))],
    )
    return replace(found, rows=rows)


def entry_name(experiment: int, seed: int) -> str:
    """What a training of an experiment's recipe with one seed is called in ``work``."""
    return f"{model_name(experiment)}-seed-{seed}"


def entry_path(work: Path, experiment: int, seed: int) -> Path:
    """Its entry."""
    return work / TRAININGS / f"{entry_name(experiment, seed)}.json"


def read_entry(work: Path, experiment: int, seed: int) -> Json | None:
    """Its entry; None where there is none that can be read."""
    try:
        found: Json = json.loads(entry_path(work, experiment, seed).read_bytes())
    except (OSError, ValueError):
        return None
    return found


def command_folder(work: Path, experiment: int, seed: int) -> Path:
    """Where the command that measures it works."""
    return work / f"measure-{entry_name(experiment, seed)}"


def folders_of(work: Path, experiment: int) -> set[Path]:
    """Folders of all workers that a passage has begun."""
    found = set[Path]()
    for place in (work / TRAININGS).glob("*.json"):
        try:
            entry: Json = json.loads(place.read_bytes())
        except (OSError, ValueError):
            continue
        if entry.get("asked_by") == experiment:
            found |= {Path(entry["folder"]), work / f"measure-{place.stem}", work / f"score-{place.stem}"}
    return found


def _rows(work: Path, metric: Metric, experiment: int, seed: int) -> Mapping[str, float]:
    entry = read_entry(work, experiment, seed)
    return by_result(metric.judge, Path(entry["folder"]) / RESULT).rows if entry else {}


def _broken(work: Path, metric: Metric, experiment: int, seeds: Sequence[int]) -> Iterator[str]:
    for seed in seeds:
        try:
            said = json.loads((command_folder(work, experiment, seed) / RESULT).read_bytes())
            broken = by_command(metric, CommandResult.model_validate(said)).broken
        except (OSError, ValueError):
            continue
        if broken:
            yield f"{broken} with seed {seed}"
