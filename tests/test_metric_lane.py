"""Metric mode through the lanes: what is trained again, what is taken up after a kill, and what a verdict rests on."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from scripted import RECIPE, Scripted, lines, script, until

from checkpoints import writes
from checkpoints.measurements import Measurement, Role
from checkpoints.records import BASELINE, FailureKind, Json, Lane, Outcome, Proposal, Stage, Verdict
from checkpoints.store import Store
from lanes.analyze.analyst import AnalyzeLane
from lanes.analyze.metric_rule import MetricRule
from lanes.analyze.verdict import Rule
from lanes.evaluate import EvaluateLane, EvaluateSettings
from lanes.lane import StageFailed, StagePaused
from lanes.measure import Bound, Metric
from lanes.order import Source
from lanes.train import TrainLane, TrainSettings
from lanes.worker import Worker
from runner.promotion import examine

CHAMPION, CHANGED = 5e-5, 1e-3
"""Learning rates of the baseline and of what is tried."""

FLAT = {str(CHAMPION): [50, 51, 49, 50, 50, 51], str(CHANGED): [60, 61, 60, 59, 60, 60, 61, 59, 60]}
"""Of 100 pairs in the right order by seed: the change is worth ten points."""

RULE = MetricRule(metric="val_pref_acc", seeds=3, confirm=2)
"""With fewer seeds than the default has: each is a process."""

MakeLane = Callable[..., TrainLane]


@pytest.fixture
def store(tmp_path: Path) -> Any:
    with Store(tmp_path / "run") as store:
        yield store


@pytest_asyncio.fixture
async def make_lane(store: Store) -> AsyncIterator[MakeLane]:
    """Lanes on one run: the first is the first runner's, the next ones belong to runners that come after it."""
    made: list[TrainLane] = []

    def make(metric: Metric | None = None, **what: Any) -> TrainLane:
        settings = TrainSettings(
            model=script(**({"steps": 1, "right": FLAT} | what)), sources={"a": Source(path="a.jsonl")}, standby=False,
            metric=metric or Metric(judge="val_pref_acc", rule=RULE),
        )  # fmt: skip
        made.append(TrainLane(store, settings, Scripted()))
        return made[-1]

    yield make
    for lane in made:
        await lane.close(keep_workers=False)
    assert not [folder for folder in (store.folder / "work").glob("*") if Worker(folder).alive]


async def begin(store: Store, lane: TrainLane, rate: float = CHAMPION, parent: int = BASELINE) -> Stage:
    """Let an experiment enter the train lane; the first is the baseline."""
    number = await store.do(writes.propose, Proposal("it helps", "optimiser", None, "program"))
    recipe: Json = RECIPE.model_dump(mode="json")
    recipe["training"]["learning_rate"] = rate
    base = None if number == BASELINE else parent
    order = lane.order(replace(store.read.experiment(number), recipe=recipe, parent=base))
    await store.do(writes.start_stage, number, Lane.TRAIN, order, recipe=recipe, parent=base)
    stage = store.read.open_stage(Lane.TRAIN)
    assert stage
    return stage


async def trained(store: Store, lane: TrainLane, rate: float = CHAMPION) -> Json:
    """An experiment through the train lane."""
    stage = await begin(store, lane, rate)
    return await done(store, stage, await asyncio.wait_for(lane.run(stage), 60))


async def done(store: Store, stage: Stage, result: Json) -> Json:
    crown = "the first" if stage.experiment == BASELINE else ""
    await store.do(writes.finish_stage, stage.experiment, Lane.TRAIN, stage.attempt, result, 1.0, crown)
    return result


async def judged(store: Store, metric: Metric, number: int, opponent: int | None = BASELINE) -> Verdict:
    """Through the lanes behind: uploaded, evaluated, judged."""
    await store.do(writes.start_stage, number, Lane.UPLOAD, {})
    await store.do(writes.finish_stage, number, Lane.UPLOAD, 1, {}, 1.0)
    lane = EvaluateLane(store, EvaluateSettings(model="m", prompts=None, metric=metric))
    order = lane.order(replace(store.read.experiment(number), opponent=opponent))
    await store.do(writes.start_stage, number, Lane.EVALUATE, order, opponent=opponent)
    result = await lane.run(store.read.stages(number)[-1])
    await store.do(writes.finish_stage, number, Lane.EVALUATE, 1, result, 1.0)
    return (await AnalyzeLane(store.read, Rule(), pytest.fail).judge(store.read.experiment(number)))[0]


def seeds(measurements: list[Measurement], experiment: int, role: Role = Role.FRESH) -> list[int]:
    return [one.seed for one in measurements if (one.experiment, one.role) == (experiment, role)]


def trainings(store: Store) -> int:
    """Lives of all trainers of the run."""
    return sum(len(lines(file)) for file in (store.folder / "work").glob("*-train-*/lives"))


async def test_a_change_that_is_better_is_kept_on_fresh_seeds_of_both(store: Store, make_lane: MakeLane) -> None:
    lane = make_lane()
    metric = lane.settings.metric
    assert metric
    result = await trained(store, lane)
    baseline = await judged(store, metric, BASELINE, None)
    assert baseline.outcome is Outcome.KEEP and baseline.value and baseline.value.estimate == pytest.approx(0.5)
    assert result["trainings"] == 3 and trainings(store) == 3

    result = await trained(store, lane, CHANGED)
    found = store.read.measurements()
    assert seeds(found, BASELINE) == [42, 43, 44, 45]
    assert seeds(found, 1, Role.SCREEN) == [42]
    assert seeds(found, 1) == [43, 44, 45, 46, 47], "two of the test, three of its own baseline"
    assert (result["trainings"], result["decided"]) == (7, "keep")
    assert next(one.standard_error for one in found) == pytest.approx(0.0502, abs=1e-3)
    verdict = await judged(store, metric, 1)
    assert verdict.outcome is Outcome.KEEP
    assert "0.605 over 2 seeds against 0.5 over 4 seeds of the champion exp-0000" in verdict.reason
    assert "100 held-out rows" in verdict.reason
    assert verdict.effect and verdict.effect.low > 0
    assert verdict.value == verdict.reference

    assert len(store.read.metrics(1)) == 1, "the curve is that of its own training"
    models = [folder.name for folder in (store.folder / "work" / "trainings").iterdir() if folder.is_dir()]
    assert models == [], "models of repeated trainings are not kept"


async def test_a_change_that_is_no_better_costs_one_training(store: Store, make_lane: MakeLane) -> None:
    lane = make_lane(right=FLAT | {str(CHANGED): [50]})
    assert lane.settings.metric
    await trained(store, lane)
    await judged(store, lane.settings.metric, BASELINE, None)
    assert (await trained(store, lane, CHANGED))["trainings"] == 1
    verdict = await judged(store, lane.settings.metric, 1)
    assert verdict.outcome is Outcome.DISCARD
    assert verdict.value and verdict.effect and verdict.effect.low < 0 < verdict.effect.high


async def test_a_seed_that_is_not_finite_is_no_measurement_of_the_champion_and_another_is_trained(
    store: Store, make_lane: MakeLane
) -> None:
    lane = make_lane(right={str(CHAMPION): [50, None, 49, 50, 50, 51]})
    await trained(store, lane)
    found = store.read.measurements()
    assert [one.value for one in found] == [0.5, None, 0.49, 0.5]
    assert found[1].failure == "nan: loss is nan"


async def test_a_runner_that_is_killed_anywhere_in_a_passage_trains_nothing_twice(
    store: Store, make_lane: MakeLane
) -> None:
    stage = await begin(store, make_lane(seconds=0.1, steps=2))
    for ended in (0, 1, 2):
        lane = make_lane(seconds=0.1, steps=2)
        running = asyncio.create_task(lane.run(stage))
        await until(lambda ended=ended: len(store.read.measurements()) >= ended and trainings(store) > ended, 30)
        running.cancel()
        await asyncio.wait([running])
    lane = make_lane(seconds=0.1, steps=2)
    await lane.end_all_but(stage)
    result = await asyncio.wait_for(lane.run(stage), 60)
    assert result["trainings"] == 3
    assert seeds(store.read.measurements(), BASELINE) == [42, 43, 44]
    assert trainings(store) == 3, "three trainers for three trainings"


async def test_a_trainer_that_is_killed_goes_on_and_counts_once(store: Store, make_lane: MakeLane) -> None:
    lane = make_lane(seconds=0.05, steps=6)
    stage = await begin(store, lane)
    running = asyncio.create_task(lane.run(stage))
    await until(lambda: trainings(store) == 2, 30)
    second = next(file for file in (store.folder / "work").glob("*-seed-43-train-1/lives"))
    await until(lambda: len(lines(second.with_name("steps"))) >= 3, 30)
    os.kill(lines(second)[0], signal.SIGKILL)
    await asyncio.wait_for(running, 60)
    assert lines(second.with_name("steps"))[-1] == 6
    assert seeds(store.read.measurements(), BASELINE) == [42, 43, 44]
    assert trainings(store) == 4, "one of the three had a second life"


async def test_pause_ends_a_passage_between_its_trainings_and_it_goes_on(store: Store, make_lane: MakeLane) -> None:
    lane = make_lane(seconds=0.05, steps=6)
    stage = await begin(store, lane)
    running = asyncio.create_task(lane.run(stage))
    await until(lambda: len(store.read.measurements()) == 2, 30)
    await lane.pause()
    with pytest.raises(StagePaused):
        await asyncio.wait_for(running, 30)
    assert len(store.read.measurements()) < 3
    assert (await asyncio.wait_for(lane.run(stage), 60))["trainings"] == 3


def by_command(command: str, **more: Any) -> Metric:
    """Counts its runs in a file, then does as the command says."""
    rule = MetricRule(metric="score", seeds=2)
    return Metric(judge="command", rule=rule, command=f"echo x >> {{runs}}; {command}", **more)


def counted(metric: Metric, folder: Path) -> Metric:
    assert metric.command
    return metric.model_copy(update={"command": metric.command.format(runs=folder / "runs"), "folder": folder})


async def test_a_command_measures_each_training_once_with_the_models_folder(
    store: Store, make_lane: MakeLane, tmp_path: Path
) -> None:
    metric = counted(by_command('echo "METRIC score=1"; echo METRIC score=0.7; basename $AUTORESEARCH_MODEL'), tmp_path)
    lane = make_lane(metric)
    await trained(store, lane)
    assert [one.value for one in store.read.measurements()] == [0.7, 0.7], "the last number counts"
    assert (tmp_path / "runs").read_text() == "x\nx\n"
    said = [file.read_text().split()[-1] for file in sorted((store.folder / "work").glob("measure-*/command.txt"))]
    assert said == ["exp-0000", "exp-0000-seed-43"]


@pytest.mark.parametrize(
    ("command", "more", "kind", "says"),
    [
        ("echo accuracy 0.7", {}, FailureKind.INPUT, "neither 'score: number' nor 'METRIC score=number' is in the 1 l"),
        ("echo 0.7", {"pattern": "acc=(.*)"}, FailureKind.INPUT, "evaluate.metric.pattern 'acc=(.*)' matches nothing"),
        ("echo dead; exit 3", {}, FailureKind.CRASH, "ended with status 3: its last line is 'dead'"),
        ("echo METRIC score=nan", {}, FailureKind.CRASH, "says that score is nan"),
        ("sleep 60", {"seconds": 0.5}, FailureKind.CRASH, "was not done after 0.5 s"),
    ],
)
async def test_a_command_that_gives_no_number_is_said_after_the_first_training(
    store: Store, make_lane: MakeLane, tmp_path: Path, command: str, more: Json, kind: FailureKind, says: str
) -> None:
    lane = make_lane(counted(by_command(command, **more), tmp_path))
    stage = await begin(store, lane)
    with pytest.raises(StageFailed) as failed:
        await asyncio.wait_for(lane.run(stage), 60)
    assert failed.value.kind is kind and says in str(failed.value)
    assert "\n" not in str(failed.value)
    assert trainings(store) == 1, "not a night is spent"
    assert lane.revise(stage, failed.value) is None


async def test_a_guard_that_the_command_breaks_discards_and_is_named(
    store: Store, make_lane: MakeLane, tmp_path: Path
) -> None:
    metric = counted(by_command("echo score: 1; echo memory_gb: 90", guards={"memory_gb": Bound(max=80)}), tmp_path)
    lane = make_lane(metric)
    await trained(store, lane)
    await judged(store, metric, BASELINE, None)
    await trained(store, lane, CHANGED)
    verdict = await judged(store, metric, 1)
    assert verdict.outcome is Outcome.DISCARD
    assert verdict.reason.startswith("memory_gb 90 is above 80 with seed 42: discarded")


async def test_greedy_rules_train_each_experiment_once(store: Store, make_lane: MakeLane) -> None:
    metric = Metric(judge="val_pref_acc", rule=MetricRule(rule="record", metric="val_pref_acc"))
    lane = make_lane(metric, right={str(CHAMPION): [50], str(CHANGED): [51]})
    await trained(store, lane)
    await judged(store, metric, BASELINE, None)
    assert (await trained(store, lane, CHANGED))["trainings"] == 1
    verdict = await judged(store, metric, 1)
    assert verdict.outcome is Outcome.KEEP and "takes noise for progress" in verdict.reason


def test_the_entries_of_a_run_name_each_training(tmp_path: Path) -> None:
    from lanes.trainings import entry_path, read_entry

    place = entry_path(tmp_path, 3, 45)
    assert place.name == "exp-0003-seed-45.json"
    place.parent.mkdir(parents=True)
    place.write_text(json.dumps({"folder": "f"}))
    assert read_entry(tmp_path, 3, 45) == {"folder": "f"}
    assert read_entry(tmp_path, 3, 46) is None


async def test_what_a_metric_judged_is_not_promoted_and_the_reason_is_said(store: Store, make_lane: MakeLane) -> None:
    lane = make_lane()
    assert lane.settings.metric
    await trained(store, lane)
    await judged(store, lane.settings.metric, BASELINE, None)
    await trained(store, lane, CHANGED)
    verdict = await judged(store, lane.settings.metric, 1)
    attempt = await store.do(writes.start_stage, 1, Lane.ANALYZE, {})
    await store.do(writes.conclude, verdict, [], True, attempt, 1.0)
    found = examine(store.folder, lambda _folder, _name: pytest.fail("nobody is asked"))
    assert not found.passed
    assert found.lacking[0].startswith("fresh votes: val_pref_acc judged this run, and only people's votes promote")
