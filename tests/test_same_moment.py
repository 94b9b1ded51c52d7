"""A person's step and the loop in one moment: whoever came first stands, and nothing spins, loops or falls over."""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from laws import broken_laws
from sleeping import SleepingAnalyst, SleepingLane, drive
from test_pipeline import FAST, intervene, running, until

from checkpoints import writes
from checkpoints.records import (
    Answer,
    Experiment,
    FailureKind,
    Json,
    Lane,
    Level,
    Proposal,
    Stage,
    StageState,
    Standing,
    State,
    Step,
    Verdict,
    model_name,
)
from checkpoints.store import Store
from lanes.lane import StageFailed
from lanes.worker import WorkerError

IDEA = Proposal("it helps", "data", None, "program")
BROKEN = StageFailed(FailureKind.INPUT, "it broke in the very moment of a skip")


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    with Store(tmp_path) as store:
        yield store


async def test_a_vote_that_waits_for_a_held_verdict_keeps_nobody_busy(store: Store) -> None:
    commits = list[int]()
    async with running(store, 2, seconds=FAST | {Lane.EVALUATE: 0.3}):
        await until(store, State.EVALUATING, 1)
        one, other = model_name(1), model_name(0)
        await store.do(writes.add_answers, [Answer(1, "p-1", model, "yes") for model in (one, other)])
        await intervene(store, Step.PAUSE, when="stage")
        await until(store, State.EVALUATED, 1)
        vote = {"prompt": "p-1", "model_a": other, "model_b": one, "voter": "ana", "choice": "b"}
        await store.do(writes.intervene, Step.VOTE, 1, "", vote)
        await asyncio.sleep(0.3)
        forget = store.listen(lambda: commits.append(1))
        await asyncio.sleep(0.4)
        forget()
        assert store.read.interventions()[-1].acknowledged_at is None
        await intervene(store, Step.RESUME)
    assert len(commits) <= 2
    assert store.read.interventions()[1].effect == "counted"


async def test_a_step_that_was_done_is_not_called_refused_because_a_worker_does_not_end(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def stuck(_: SleepingLane, experiment: int) -> None:
        raise WorkerError("the worker does not end")

    monkeypatch.setattr(SleepingLane, "abort", stuck)
    async with running(store, 2, seconds=FAST | {Lane.TRAIN: 0.2}):
        await until(store, State.TRAINING, 1)
        await intervene(store, Step.SKIP, 1)
    skipped = store.read.interventions()[0]
    assert not skipped.refused and skipped.done["cancelled"] == [1]
    errors = [event.text for event in store.read.events() if event.level is Level.ERROR]
    assert errors == ["goes on: the worker does not end"]


async def test_a_pause_that_is_refused_holds_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    async def stuck(_: SleepingLane) -> None:
        raise OSError("no room for the mark")

    async with running(store, 2, seconds=FAST | {Lane.TRAIN: 0.2}):
        await until(store, State.TRAINING, 1)
        monkeypatch.setattr(SleepingLane, "pause", stuck)
        assert await intervene(store, Step.PAUSE, when="now") == "refused: OSError: no room for the mark"
        await until(store, State.TRAINING, 2)
    assert broken_laws(store.read, 2) == []


async def test_no_passage_starts_on_a_champion_who_was_just_taken_back(store: Store) -> None:
    for _ in range(3):
        await store.do(writes.propose, IDEA)
    await store.do(writes.start_stage, 0, Lane.TRAIN, {}, recipe={})
    await store.do(writes.change_champion, 0, "the baseline")
    await store.do(writes.start_stage, 1, Lane.TRAIN, {}, recipe={}, parent=0)
    for lane in (Lane.TRAIN, Lane.UPLOAD):
        for number in (0, 1):
            if lane is Lane.UPLOAD:
                await store.do(writes.start_stage, number, lane, {})
            await store.do(writes.finish_stage, number, lane, 1, {}, 0.1)
    await store.do(writes.change_champion, 1, "a person pinned it")
    with pytest.raises(writes.Dethroned, match="bound to 0, which is champion no longer"):
        await store.do(writes.start_stage, 2, Lane.TRAIN, {}, recipe={}, parent=0)
    with pytest.raises(writes.Dethroned, match="bound to 0, which is champion no longer"):
        await store.do(writes.start_stage, 1, Lane.EVALUATE, {}, opponent=0)
    assert (store.read.experiment(1).state, store.read.experiment(2).state) == (State.UPLOADED, State.PROPOSED)
    assert await store.do(writes.start_stage, 0, Lane.EVALUATE, {}) == 1, "a late baseline meets the reference"


async def test_a_keep_against_one_who_reigns_no_longer_is_evaluated_again(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge, judged = SleepingAnalyst.judge, list[int]()

    async def late(analyst: SleepingAnalyst, experiment: Experiment) -> tuple[Verdict, list[Standing]]:
        judged.append(experiment.number)
        if judged == [0, 1]:
            await store.do(lambda db: db.execute("UPDATE experiments SET opponent = NULL WHERE number = 1"))
        return await judge(analyst, experiment)

    monkeypatch.setattr(SleepingAnalyst, "judge", late)
    await asyncio.wait_for(drive(store, 2, FAST, keeps=frozenset({1})), 10)
    passages = [stage.state for stage in store.read.stages(1) if stage.lane is Lane.EVALUATE]
    assert passages == [StageState.CANCELLED, StageState.DONE]
    assert store.read.experiment(1).state is State.KEPT and store.read.experiment(1).opponent == 0
    assert broken_laws(store.read, 2) == []


async def test_a_failure_in_the_moment_of_a_skip_ends_nothing_but_the_experiment(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    order, judge = SleepingLane.order, SleepingAnalyst.judge

    def skip(number: int) -> None:
        store.submit(writes.cancel, number, "skipped").result()

    def revise(lane: SleepingLane, stage: Stage, failure: StageFailed) -> Json | None:
        skip(stage.experiment)
        return stage.order if stage.experiment == 2 else None

    def no_order(lane: SleepingLane, experiment: Experiment) -> Json:
        if (lane.name, experiment.number) != (Lane.UPLOAD, 3):
            return order(lane, experiment)
        skip(3)
        raise BROKEN

    async def no_verdict(analyst: SleepingAnalyst, experiment: Experiment) -> tuple[Verdict, list[Standing]]:
        if experiment.number != 4:
            return await judge(analyst, experiment)
        skip(4)
        raise BROKEN

    monkeypatch.setattr(SleepingLane, "revise", revise)
    monkeypatch.setattr(SleepingLane, "order", no_order)
    monkeypatch.setattr(SleepingAnalyst, "judge", no_verdict)
    await drive(store, 2, FAST, failures={Lane.TRAIN: {1: BROKEN}, Lane.EVALUATE: {2: BROKEN}})
    assert [one.state for one in store.read.experiments()[1:5]] == [State.CANCELLED] * 4
    assert broken_laws(store.read, 2) == []
