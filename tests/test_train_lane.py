"""The train lane: trainings are watched, taken up, restarted and ended, and the next worker is warm."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from scripted import RECIPE, Scripted, lines, lives, pid_file, script, until, zombies_of_ours

from checkpoints import writes
from checkpoints.records import FailureKind, Json, Lane, Proposal, Stage
from checkpoints.store import Store
from lanes.lane import StageFailed, StagePaused
from lanes.order import Source
from lanes.train import TrainLane, TrainSettings
from lanes.worker import Worker
from runner.lane_settings import train_settings
from runner.program import Program

MakeLane = Callable[..., TrainLane]


@pytest.fixture
def store(tmp_path: Path) -> Any:
    with Store(tmp_path / "run") as store:
        yield store


@pytest_asyncio.fixture
async def make_lane(store: Store) -> AsyncIterator[MakeLane]:
    """Lanes on one run: the first is the first runner's, the next ones belong to runners that come after it."""
    made: list[TrainLane] = []

    def make(standby: bool = False, checkpoint_steps: int = 2, **settings: Any) -> TrainLane:
        the_rest = {"model": script(), "sources": {"a": Source(path="a.jsonl")}} | settings
        complete = TrainSettings(standby=standby, checkpoint_steps=checkpoint_steps, **the_rest)
        made.append(TrainLane(store, complete, Scripted()))
        return made[-1]

    yield make
    for lane in made:
        await lane.close(keep_workers=False)
    assert not living_workers(store), "no process outlives the run"
    assert not zombies_of_ours()


def living_workers(store: Store) -> list[Path]:
    return [folder for folder in (store.folder / "work").glob("*") if Worker(folder).alive]


def standing_by(store: Store) -> list[Path]:
    return [folder for folder in living_workers(store) if not (folder / "order.json").exists()]


async def begin(store: Store, lane: TrainLane, model: str | None = None) -> Stage:
    """Propose an experiment and let it enter the lane."""
    if model is not None:
        lane.settings = replace(lane.settings, model=model)
    number = await store.do(writes.propose, Proposal("it helps", "data", None, "program"), "")
    recipe: Json = RECIPE.model_dump(mode="json")
    order = lane.order(replace(store.read.experiment(number), recipe=recipe))
    await store.do(writes.start_stage, number, Lane.TRAIN, order, recipe=recipe)
    stage = store.read.open_stage(Lane.TRAIN)
    assert stage
    return stage


async def go(store: Store, lane: TrainLane, within: float = 20, **what: Any) -> Json:
    """One experiment on a script, through the lane."""
    stage = await begin(store, lane, script(**what))
    return await finish(store, stage, asyncio.wait_for(lane.run(stage), within))


async def finish(store: Store, stage: Stage, running: Awaitable[Json]) -> Json:
    result = await running
    await store.do(writes.finish_stage, stage.experiment, Lane.TRAIN, stage.attempt, result, 1.0)
    return result


def folder_of(stage: Stage) -> Path:
    return Path(stage.order["folder"])


def leader(stage: Stage) -> int:
    identity = Worker(folder_of(stage)).identity()
    assert identity
    return identity.pid


async def test_a_training_ends_in_a_result_with_its_metrics_in_the_store(store: Store, make_lane: MakeLane) -> None:
    lane = make_lane()
    result = await go(store, lane, steps=7)

    assert result["status"] == "done" and result["steps"] == 7 and result["final_loss"] == pytest.approx(1 / 7)
    assert "pairs" not in result
    assert json.loads(await asyncio.to_thread(Path(result["details"]).read_text))["pairs"]
    assert result["artifact"] == str(store.folder / "artifacts" / "exp-0000")
    metrics = store.read.metrics(0)
    assert [m.step for m in metrics] == [1, 2, 3, 4, 5, 6, 7]
    assert metrics[0].values == {"loss": 1.0, "tokens_per_second": 100.0}
    assert [m.values["val_pref_acc"] for m in store.read.metrics(0, "eval")] == [0.75]


async def test_progress_says_how_far_it_is_how_fast_and_how_long_it_will_take(
    store: Store, make_lane: MakeLane
) -> None:
    lane = make_lane()
    stage = await begin(store, lane, script(steps=200, seconds=0.1))
    running = asyncio.create_task(lane.run(stage))

    def progress() -> Any:
        return store.read.progress().get(Lane.TRAIN)

    await until(progress)
    assert progress().doing in ("loading the [31mmodel", "steps")
    await until(lambda: progress().done >= 5)
    shown = progress()
    assert (shown.doing, shown.total, shown.experiment) == ("steps", 200, 0)
    assert "loss 0." in shown.detail and "100 tokens/s" in shown.detail
    assert 0.1 * 190 * 0.8 < shown.eta < 0.1 * 200 * 3
    running.cancel()


@pytest.mark.slow
async def test_metrics_come_in_few_batches(store: Store, make_lane: MakeLane) -> None:
    commits = 0

    def count() -> None:
        nonlocal commits
        commits += 1

    lane = make_lane()
    stage = await begin(store, lane, script(steps=200, seconds=0.01))
    stop = store.listen(count)
    began = time.monotonic()
    await lane.run(stage)
    stop()
    assert commits <= 3 * (time.monotonic() - began) + 3
    assert len(store.read.metrics(0)) == 200


async def test_a_living_worker_is_taken_up_with_no_step_done_again(store: Store, make_lane: MakeLane) -> None:
    first = make_lane()
    stage = await begin(store, first, script(steps=30, seconds=0.05))
    running = asyncio.create_task(first.run(stage))
    steps = folder_of(stage) / "steps"
    await until(lambda: len(lines(steps)) >= 5)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await first.close(keep_workers=True)
    assert Worker(folder_of(stage)).alive, "cancelling leaves it alone"

    second = make_lane()
    open_stage = store.read.open_stage(Lane.TRAIN)
    assert open_stage
    await asyncio.wait_for(second.run(open_stage), 20)

    assert lines(steps) == list(range(1, 31))
    assert len(lines(folder_of(stage) / "lives")) == 1
    assert [m.step for m in store.read.metrics(0)] == list(range(1, 31))


async def test_a_result_that_nobody_fetched_is_read_and_not_trained_again(store: Store, make_lane: MakeLane) -> None:
    first = make_lane()
    stage = await begin(store, first, script(steps=3))
    await first.run(stage)

    result = await make_lane().run(stage)

    assert result["steps"] == 3
    assert len(lines(folder_of(stage) / "lives")) == 1


async def test_what_a_trainer_logged_to_its_end_while_nobody_drove_the_run_is_kept_with_its_result(
    store: Store, make_lane: MakeLane
) -> None:
    first = make_lane()
    stage = await begin(store, first, script(steps=8, seconds=0.05))
    running = asyncio.create_task(first.run(stage))
    await until(lambda: lines(folder_of(stage) / "steps"))
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await first.close(keep_workers=True)
    await until(lambda: Worker(folder_of(stage)).result())

    await make_lane().run(stage)

    assert [metric.step for metric in store.read.metrics(0)] == list(range(1, 9))
    assert [metric.step for metric in store.read.metrics(0, "eval")] == [8]


async def test_a_worker_that_died_with_its_runner_goes_on_from_its_checkpoint(
    store: Store, make_lane: MakeLane
) -> None:
    first = make_lane(checkpoint_steps=5)
    stage = await begin(store, first, script(steps=20, seconds=0.05))
    running = asyncio.create_task(first.run(stage))
    steps = folder_of(stage) / "steps"
    await until(lambda: len(lines(steps)) >= 8)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    os.kill(leader(stage), signal.SIGKILL)
    await Worker(folder_of(stage)).ended(2)
    reached = lines(steps)[-1]

    await asyncio.wait_for(make_lane().run(stage), 20)

    assert len(lines(steps)) - 20 == reached % 5, "no more than was done since the checkpoint is done again"


async def test_a_worker_that_is_killed_costs_one_checkpoint_interval_and_no_attempt(
    store: Store, make_lane: MakeLane
) -> None:
    lane = make_lane(checkpoint_steps=5)
    stage = await begin(store, lane, script(steps=20, seconds=0.05))
    running = asyncio.create_task(lane.run(stage))
    steps = folder_of(stage) / "steps"
    await until(lambda: len(lines(steps)) >= 8)
    os.kill(leader(stage), signal.SIGKILL)

    result = await asyncio.wait_for(running, 20)

    assert result["status"] == "done"
    assert len(lines(steps)) <= 20 + 5
    assert any("SIGKILL" in e.text and "goes on from its last checkpoint" in e.text for e in store.read.events())
    assert len(store.read.metrics(0)) == 20


async def test_a_worker_that_dies_at_the_same_step_again_is_a_crash_with_its_last_words(
    store: Store, make_lane: MakeLane
) -> None:
    with pytest.raises(StageFailed) as failed:
        await go(store, make_lane(), steps=20, die_always_at=5)
    assert failed.value.kind is FailureKind.CRASH
    assert "at step 5 of 20" in str(failed.value) and "RuntimeError: the sky fell" in str(failed.value)
    assert str(failed.value).isprintable()
    assert len(lines(store.folder / "work" / "exp-0000-train-1" / "lives")) == 2


async def test_a_worker_that_never_begins_is_not_started_for_ever(store: Store, make_lane: MakeLane) -> None:
    with pytest.raises(StageFailed, match="before its first step") as failed:
        await go(store, make_lane(), first_lives=99)
    assert failed.value.kind is FailureKind.CRASH
    assert len(lines(store.folder / "work" / "exp-0000-train-1" / "lives")) == 1


async def test_a_worker_that_says_nothing_is_a_hang_and_is_killed(store: Store, make_lane: MakeLane) -> None:
    with pytest.raises(StageFailed, match="at step 2 of 5") as failed:
        await go(store, make_lane(hang_seconds=1.0), steps=5, hang_at=3, deaf=False)
    assert failed.value.kind is FailureKind.HANG
    assert not living_workers(store)


async def test_a_training_that_takes_too_long_is_killed(store: Store, make_lane: MakeLane) -> None:
    began = time.monotonic()
    with pytest.raises(StageFailed, match="seconds_per_training") as failed:
        await go(store, make_lane(seconds_per_training=1.5), steps=1000, seconds=0.05)
    assert failed.value.kind is FailureKind.TIMEOUT
    assert time.monotonic() - began < 5
    assert not living_workers(store)


async def test_a_failure_that_the_worker_reports_has_its_class_and_its_line(store: Store, make_lane: MakeLane) -> None:
    with pytest.raises(StageFailed, match="lower learning_rate") as failed:
        await go(store, make_lane(), fail=["nan", "loss became nan at step 3: lower learning_rate"])
    assert failed.value.kind is FailureKind.NAN


async def test_a_result_that_makes_no_sense_is_a_crash(store: Store, make_lane: MakeLane) -> None:
    lane = make_lane()
    stage = await begin(store, lane)
    await asyncio.to_thread(folder_of(stage).mkdir, parents=True)
    await Worker(folder_of(stage)).put("result.json", {"status": "wonderful"})
    with pytest.raises(StageFailed, match="no training result") as failed:
        await lane.run(stage)
    assert failed.value.kind is FailureKind.CRASH


async def failed_stage(store: Store, make_lane: MakeLane, batch: int = 8) -> tuple[TrainLane, Stage]:
    lane = make_lane()
    stage = await begin(store, lane)
    stage.order["train"]["recipe"]["training"]["per_device_train_batch_size"] = batch
    return lane, stage


def training(order: Json) -> Json:
    return order["train"]["recipe"]["training"]


@pytest.mark.parametrize(("batch", "half", "accumulation"), [(8, 4, 2), (2, 1, 2), (5, 2, 3), (3, 1, 3)])
async def test_out_of_memory_is_tried_again_once_with_half_the_batch(
    store: Store, make_lane: MakeLane, batch: int, half: int, accumulation: int
) -> None:
    lane, stage = await failed_stage(store, make_lane, batch)
    (store.folder / "work" / "exp-0000-train-1").mkdir(parents=True)
    oom = StageFailed(FailureKind.OOM, "out of memory")

    order = lane.revise(stage, oom)

    assert order is not None and order["folder"] != stage.order["folder"]
    assert training(order)["per_device_train_batch_size"] == half
    assert training(order)["gradient_accumulation_steps"] == accumulation
    assert training(stage.order)["per_device_train_batch_size"] == batch, "the old order stays as it was"
    assert lane.revise(replace(stage, order=order), oom) is None


async def test_out_of_memory_with_one_row_is_the_end(store: Store, make_lane: MakeLane) -> None:
    lane, stage = await failed_stage(store, make_lane, batch=1)
    assert lane.revise(stage, StageFailed(FailureKind.OOM, "")) is None


async def test_a_crash_or_a_hang_gets_one_more_attempt_and_other_failures_none(
    store: Store, make_lane: MakeLane
) -> None:
    lane, stage = await failed_stage(store, make_lane)
    again = lane.revise(stage, StageFailed(FailureKind.CRASH, ""))
    assert again is not None and again["train"] == stage.order["train"]
    assert lane.revise(replace(stage, order=again), StageFailed(FailureKind.HANG, "")) is None
    for kind in (FailureKind.NAN, FailureKind.INPUT, FailureKind.TIMEOUT):
        assert lane.revise(stage, StageFailed(kind, "")) is None


async def test_a_pause_checkpoints_and_the_training_goes_on_from_there(store: Store, make_lane: MakeLane) -> None:
    lane = make_lane(checkpoint_steps=1000)
    stage = await begin(store, lane, script(steps=20, seconds=0.05))
    running = asyncio.create_task(lane.run(stage))
    steps = folder_of(stage) / "steps"
    await until(lambda: len(lines(steps)) >= 4)
    await lane.pause()
    with pytest.raises(StagePaused):
        await asyncio.wait_for(running, 5)
    assert await Worker(folder_of(stage)).ended(5), "the device is free"

    await asyncio.wait_for(lane.run(stage), 20)

    assert lines(steps) == list(range(1, 21))


async def test_a_pause_before_the_worker_has_begun_is_not_forgotten(store: Store, make_lane: MakeLane) -> None:
    lane = make_lane()
    stage = await begin(store, lane, script(steps=1000, seconds=0.05))
    running = asyncio.create_task(lane.run(stage))
    await asyncio.sleep(0)
    await lane.pause()
    with pytest.raises(StagePaused):
        await asyncio.wait_for(running, 5)


async def test_abort_kills_the_whole_family_and_the_stage_fails(store: Store, make_lane: MakeLane) -> None:
    lane = make_lane()
    stage = await begin(store, lane, script(steps=1000, child=True))
    running = asyncio.create_task(lane.run(stage))
    await until((folder_of(stage) / "steps").exists)
    pid, child = leader(stage), pid_file(folder_of(stage) / "child")

    await lane.abort()

    await until(lambda: not lives(pid) and not lives(child))  # who is killed may take a moment to be gone
    with pytest.raises(StageFailed, match="stopped"):
        await asyncio.wait_for(running, 5)


async def test_abort_before_the_worker_has_begun_leaves_nothing_alive(store: Store, make_lane: MakeLane) -> None:
    lane = make_lane()
    stage = await begin(store, lane, script(steps=1000))
    running = asyncio.create_task(lane.run(stage))
    await until((folder_of(stage) / "order.json").exists)
    await lane.abort()
    with pytest.raises(StageFailed):
        await asyncio.wait_for(running, 5)
    assert not living_workers(store)


@pytest.mark.slow
async def test_the_loop_is_never_held_up_for_long(store: Store, make_lane: MakeLane) -> None:
    lane = make_lane(standby=True)
    stalls: list[float] = []

    async def measure() -> None:
        while True:
            began = time.monotonic()
            await asyncio.sleep(0.005)
            stalls.append(time.monotonic() - began - 0.005)

    measuring = asyncio.create_task(measure())
    await go(store, lane, steps=50)
    await go(store, lane, steps=50)
    measuring.cancel()
    assert sorted(stalls)[int(len(stalls) * 0.99)] < 0.05


# A standby worker.


async def test_the_next_training_begins_in_a_worker_that_is_warm(store: Store, make_lane: MakeLane) -> None:
    lane = make_lane(standby=True)
    first = await begin(store, lane, script(steps=30))
    running = asyncio.create_task(lane.run(first))
    await until(lambda: standing_by(store))
    warm = standing_by(store)[0]
    assert lines(folder_of(first) / "steps"), "not before the first step"
    assert json.loads((warm / "standby.json").read_text())["model"] == lane.settings.model
    await finish(store, first, running)
    await until((warm / "ready").exists)

    second = await begin(store, lane, script(steps=30, seconds=0.05))
    assert folder_of(second) == warm
    running = asyncio.create_task(lane.run(second))
    await until(lambda: standing_by(store) not in ([], [warm]))
    await finish(store, second, running)
    assert len(lines(warm / "lives")) == 1, "the warm process did the work"


async def test_the_device_is_released_before_the_next_training_takes_it(store: Store, make_lane: MakeLane) -> None:
    lane = make_lane(standby=True)
    first = await begin(store, lane, script(steps=20, slow_end=600, deaf=True))
    running = asyncio.create_task(lane.run(first))
    await until(lambda: standing_by(store))
    await finish(store, first, running)
    pid = leader(first)
    second = await begin(store, lane, script(steps=3))
    running = asyncio.create_task(lane.run(second))
    await until((folder_of(second) / "order.json").exists)
    assert not lives(pid)
    await finish(store, second, running)


async def test_a_standby_worker_that_died_is_replaced_and_its_folder_removed(store: Store, make_lane: MakeLane) -> None:
    lane = make_lane(standby=True)
    stage = await begin(store, lane, script(steps=1000, seconds=0.05))
    running = asyncio.create_task(lane.run(stage))
    await until(lambda: standing_by(store) and Worker(standing_by(store)[0]).identity())
    dead = Worker(standing_by(store)[0]).identity()
    assert dead
    os.kill(dead.pid, signal.SIGKILL)
    await until(lambda: standing_by(store) and Worker(standing_by(store)[0]).identity() not in (None, dead))
    assert len(list((store.folder / "work").glob("standby-*"))) == 1
    [said] = [event.text for event in store.read.events() if "stood by" in event.text]
    assert said.startswith("the trainer that stood by died (SIGKILL), another one is started: ")
    running.cancel()


async def test_a_standby_worker_that_dies_before_its_order_comes_costs_a_cold_start_only(
    store: Store, make_lane: MakeLane
) -> None:
    lane = make_lane(standby=True)
    first = await begin(store, lane, script(steps=20))
    running = asyncio.create_task(lane.run(first))
    await until(lambda: standing_by(store) and Worker(standing_by(store)[0]).identity())
    await finish(store, first, running)
    second = await begin(store, lane, script(steps=3))
    os.kill(leader(second), signal.SIGKILL)
    result = await finish(store, second, asyncio.wait_for(lane.run(second), 10))
    assert result["steps"] == 3


async def test_a_standby_worker_of_a_runner_that_was_killed_is_used_by_the_next(
    store: Store, make_lane: MakeLane
) -> None:
    first = make_lane(standby=True)
    stage = await begin(store, first, script(steps=20))
    running = asyncio.create_task(first.run(stage))
    await until(lambda: standing_by(store))
    await finish(store, stage, running)
    warm = standing_by(store)

    second = make_lane(standby=True)
    stage = await begin(store, second, script(steps=3))
    assert [folder_of(stage)] == warm
    await finish(store, stage, asyncio.wait_for(second.run(stage), 10))
    assert len(lines(folder_of(stage) / "lives")) == 1


async def test_a_trainer_whose_stage_is_over_is_ended_before_another_begins(store: Store, make_lane: MakeLane) -> None:
    first = make_lane()
    stage = await begin(store, first, script(steps=1000))
    running = asyncio.create_task(first.run(stage))
    await until((folder_of(stage) / "steps").exists)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    pid = leader(stage)
    await store.do(writes.cancel, stage.experiment, "a person skipped it")

    await go(store, make_lane(), steps=2)

    assert not lives(pid)


async def test_leaving_ends_the_standby_worker_and_keeps_the_trainer_if_wanted(
    store: Store, make_lane: MakeLane
) -> None:
    lane = make_lane(standby=True)
    stage = await begin(store, lane, script(steps=1000))
    running = asyncio.create_task(lane.run(stage))
    await until(lambda: standing_by(store))
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await lane.close(keep_workers=True)
    assert living_workers(store) == [folder_of(stage)]
    assert not list((store.folder / "work").glob("standby-*"))
    await lane.close(keep_workers=False)
    assert living_workers(store) == []


# The real trainer.


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_a_real_trainer_that_is_killed_goes_on_and_the_next_begins_warm(store: Store) -> None:
    program = Program.read(Path(__file__).parents[1])
    settings = replace(train_settings(program), checkpoint_steps=5, eval_rows=10)
    lane = TrainLane(store, settings)
    recipe = program.recipe.model_dump(mode="json")

    async def begin_real() -> Stage:
        number = await store.do(writes.propose, Proposal("it helps", "data", None, "program"), "")
        order = lane.order(replace(store.read.experiment(number), recipe=recipe))
        await store.do(writes.start_stage, number, Lane.TRAIN, order, recipe=recipe)
        stage = store.read.open_stage(Lane.TRAIN)
        assert stage
        return stage

    try:
        first = await begin_real()
        running = asyncio.create_task(lane.run(first))
        await until(lambda: store.read.progress() and store.read.progress()[Lane.TRAIN].done >= 8, 120)
        os.kill(leader(first), signal.SIGKILL)
        result = await finish(store, first, asyncio.wait_for(running, 120))
        assert result["status"] == "done" and result["steps"] == 30
        assert [m.step for m in store.read.metrics(0)] == list(range(1, 31))
        trained = (folder_of(first) / "metrics.jsonl").read_text().count('"phase": "train"')
        assert 30 <= trained <= 35, "at most one interval was done again"

        await until(lambda: any((folder / "ready").exists() for folder in standing_by(store)), 60)
        second = await begin_real()
        assert folder_of(second).name.startswith("standby-")
        ended = (folder_of(first) / "result.json").stat().st_mtime
        asked = time.time()
        result = await finish(store, second, asyncio.wait_for(lane.run(second), 120))
        assert result["first_step_at"] - max(asked, ended) < 3
    finally:
        await lane.close(keep_workers=False)
    assert not living_workers(store)
