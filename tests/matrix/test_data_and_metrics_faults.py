"""Files that a training reads and writes, spoilt under its hands: its data, and its stream of metrics.

Elsewhere: half lines, garbage and replaced files as the reader of a worker's metrics sees them (``test_worker``); data
that cannot be trained on at all (``test_bad_input``, ``test_data``).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from scripted import RECIPE, Scripted, lines, script, until
from test_metric_lane import FLAT, RULE

from checkpoints import writes
from checkpoints.records import FailureKind, Json, Lane, Level, Proposal, Stage
from checkpoints.store import Store
from lanes import data_files
from lanes.lane import StageFailed
from lanes.measure import Metric
from lanes.order import Source
from lanes.train import TrainLane, TrainSettings

ROW = '{"prompt": "p", "chosen": "c", "rejected": "r"}\n'


@pytest.fixture
def store(tmp_path: Path) -> Any:
    with Store(tmp_path / "run") as store:
        yield store


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "a.jsonl"
    path.write_text(ROW)
    return path


@pytest_asyncio.fixture
async def lane(store: Store, data: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[TrainLane]:
    monkeypatch.setattr(data_files, "LOOK_SECONDS", 0.05)
    settings = TrainSettings(
        standby=False, checkpoint_steps=2, model=script(steps=40, seconds=0.05), sources={"a": Source(path=str(data))}
    )
    lane = TrainLane(store, settings, Scripted())
    yield lane
    await lane.close(keep_workers=False)


async def begin(store: Store, lane: TrainLane) -> Stage:
    number = await store.do(writes.propose, Proposal("it helps", "data", None, "program"), "")
    recipe: Json = RECIPE.model_dump(mode="json")
    order = lane.order(replace(store.read.experiment(number), recipe=recipe))
    await store.do(writes.start_stage, number, Lane.TRAIN, order, recipe=recipe)
    stage = store.read.open_stage(Lane.TRAIN)
    assert stage
    return stage


def warnings(store: Store) -> list[str]:
    store.submit(lambda _: None).result()  # done when all before it are
    return [event.text for event in store.read.events() if event.level is Level.WARNING]


def rewritten(path: Path) -> None:
    path.write_text(ROW * 2)


def replaced(path: Path) -> None:
    path.with_suffix(".new").write_text(ROW.replace("c", "d"))
    path.with_suffix(".new").rename(path)


def taken_away(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize(
    "change", [rewritten, *(pytest.param(c, marks=pytest.mark.slow) for c in (replaced, taken_away))]
)
async def test_a_data_file_that_is_changed_under_a_running_training_is_said_once_and_the_training_goes_on(
    store: Store, lane: TrainLane, data: Path, change: Callable[[Path], None]
) -> None:
    stage = await begin(store, lane)
    running = asyncio.create_task(lane.run(stage))
    await until((Path(stage.order["folder"]) / data_files.DATA).exists)
    await until(lambda: lines(Path(stage.order["folder"]) / "steps"))
    change(data)
    await until(lambda: warnings(store))
    assert not running.done(), "said while it goes on"
    assert (await asyncio.wait_for(running, 20))["status"] == "done"
    (said,) = warnings(store)
    assert said.startswith(f"{data} was changed under a running training (")
    assert ("it is gone" in said) == (change is taken_away)


@pytest.mark.slow
async def test_a_data_file_that_is_only_touched_is_not_a_change(store: Store, lane: TrainLane, data: Path) -> None:
    stage = await begin(store, lane)
    running = asyncio.create_task(lane.run(stage))
    await until((Path(stage.order["folder"]) / data_files.DATA).exists)
    replaced_by_the_same = data.with_suffix(".new")
    replaced_by_the_same.write_text(ROW)
    replaced_by_the_same.rename(data)
    await asyncio.wait_for(running, 20)
    assert warnings(store) == []


@pytest.mark.slow
async def test_what_was_changed_while_nobody_drove_the_run_is_said_when_the_training_is_taken_up(
    store: Store, lane: TrainLane, data: Path
) -> None:
    stage = await begin(store, lane)
    running = asyncio.create_task(lane.run(stage))
    await until((Path(stage.order["folder"]) / data_files.DATA).exists)
    await until(lambda: lines(Path(stage.order["folder"]) / "steps"))
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    rewritten(data)
    again = TrainLane(store, lane.settings, Scripted())
    await asyncio.wait_for(again.run(stage), 20)
    await again.close(keep_workers=False)
    assert [said.split(" (")[0] for said in warnings(store)] == [f"{data} was changed under a running training"]


@pytest.mark.parametrize("owner", ["the same", "another"])
async def test_data_that_are_changed_between_two_trainings_are_said_once_also_by_another_owner(
    store: Store, lane: TrainLane, data: Path, owner: str
) -> None:
    lane.settings = replace(lane.settings, model=script(steps=1))
    own = TrainLane(store, lane.settings, Scripted()) if owner == "another" else lane

    async def train(lane: TrainLane) -> None:
        stage = await begin(store, lane)
        result = await asyncio.wait_for(lane.run(stage), 20)
        await store.do(writes.finish_stage, stage.experiment, Lane.TRAIN, 1, result, 0.1)

    await train(lane)
    await train(lane)
    assert warnings(store) == []
    rewritten(data)
    await train(own)
    await train(own)
    await own.close(keep_workers=False)
    [said] = [event for event in store.read.events() if event.level is Level.WARNING]
    assert said.text.startswith(f"{data} was changed since the training before (SHA-256 ") and said.experiment == 2


async def test_data_that_changed_before_a_training_that_failed_are_said_once(
    store: Store, lane: TrainLane, data: Path
) -> None:
    lane.settings = replace(lane.settings, model=script(steps=1))
    first = await begin(store, lane)
    await store.do(writes.finish_stage, 0, Lane.TRAIN, 1, await asyncio.wait_for(lane.run(first), 20), 0.1)
    rewritten(data)
    for _ in range(2):
        lane.settings = replace(lane.settings, model=script(fail=["nan", "no number"]))
        stage = await begin(store, lane)
        with pytest.raises(StageFailed):
            await asyncio.wait_for(lane.run(stage), 20)
        await store.do(writes.fail_stage, stage.experiment, Lane.TRAIN, 1, FailureKind.NAN, "no number", 0.1)
        await store.do(writes.crash, stage.experiment, "no number")
    assert [said.split(" (")[0] for said in warnings(store)].count(f"{data} was changed since the training before") == 1


@pytest.mark.slow
async def test_data_that_are_changed_within_a_passage_that_a_metric_judges_are_said_of_the_training_that_read_them(
    store: Store, lane: TrainLane, data: Path
) -> None:
    model = script(steps=10, seconds=0.1, right=FLAT)
    lane.settings = replace(lane.settings, model=model, metric=Metric(judge="val_pref_acc", rule=RULE))
    stage = await begin(store, lane)
    running = asyncio.create_task(lane.run(stage))
    work = store.folder / "work"
    await until(lambda: len(list(work.glob(f"*-train-*/{data_files.DATA}"))) == 2, 30)
    rewritten(data)
    await asyncio.wait_for(running, 60)
    assert {text.split(" (")[0] for text in warnings(store)} == {
        f"{data} was changed under a running training", f"{data} was changed since the training before"
    }  # fmt: skip
    assert len(list(work.glob(f"*-train-*/{data_files.DATA}"))) > 2, "and the next seeds were trained"


@pytest.mark.slow
async def test_metrics_with_garbage_half_lines_and_a_rotation_lose_no_step_that_the_trainer_logged(
    store: Store, lane: TrainLane
) -> None:
    stage = await begin(store, lane)
    running = asyncio.create_task(lane.run(stage))
    log = Path(stage.order["folder"]) / "metrics.jsonl"
    await until(lambda: len(store.read.metrics(0)) >= 3)
    with log.open("ab") as file:
        file.write(
            b'\xff\xfe\x00 not a line\n{"phase": "train", "step": "NaN"}\n[]\n{"phase": "train", "step": 5, "val\n'
        )
        file.write(json.dumps({"phase": "train", "step": 7.5, "values": {"loss": 1e400}}).encode() + b"\n")
    await asyncio.wait_for(running, 20)
    assert [one.step for one in store.read.metrics(0)] == list(range(1, 41))
    assert warnings(store) == []


@pytest.mark.slow
async def test_a_trainer_whose_log_is_rotated_away_goes_on_in_a_new_one(store: Store, lane: TrainLane) -> None:
    stage = await begin(store, lane)
    running = asyncio.create_task(lane.run(stage))
    log = Path(stage.order["folder"]) / "metrics.jsonl"
    await until(lambda: len(store.read.metrics(0)) >= 3)
    log.rename(log.with_suffix(".1"))
    found = await asyncio.wait_for(running, 20)
    assert (found["status"], found["steps"]) == ("done", 40)
    assert len(lines(Path(stage.order["folder"]) / "lives")) == 1
    steps = [one.step for one in store.read.metrics(0)]
    assert steps[:3] == [1, 2, 3] and steps[-10:] == list(range(31, 41))
