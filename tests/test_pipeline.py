"""The loop with lanes that sleep: one step off, late binding, back-pressure, failures and a person's steps."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from laws import broken_laws
from sleeping import drive

from checkpoints import writes
from checkpoints.records import FailureKind, Lane, Outcome, Proposal, RunState, Stage, StageState, State, Step
from checkpoints.store import Store
from lanes.lane import StageFailed
from runner.agent.memory import Memory
from runner.agent.playbook import Playbook

FAST = {Lane.TRAIN: 0.04, Lane.UPLOAD: 0.01, Lane.EVALUATE: 0.02, Lane.ANALYZE: 0.01}
SLOW_VOTES = FAST | {Lane.EVALUATE: 0.15}


@asynccontextmanager
async def running(store: Store, experiments: int, **options: object) -> AsyncIterator[asyncio.Task[None]]:
    """A loop that runs while the test looks at it and steps in; its end is awaited."""
    seconds = options.pop("seconds", FAST)
    task = asyncio.create_task(drive(store, experiments, seconds, **options))  # type: ignore[arg-type]
    try:
        yield task
        await asyncio.wait_for(task, 20)
    finally:
        task.cancel()


async def until(store: Store, state: State, number: int) -> None:
    """Wait until an experiment is in a state."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if number < store.read.count() and store.read.experiment(number).state is state:
            return
        await asyncio.sleep(0.005)
    raise AssertionError(f"experiment {number} never was {state}: {store.read.experiments()}")


async def intervene(store: Store, step: Step, number: int | None = None, reason: str = "", **detail: object) -> str:
    """Do what a person does, and return what came of it once it was acknowledged."""
    asked = await store.do(writes.intervene, step, number, reason, detail)
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        effect = store.read.interventions()[asked - 1].effect
        if effect:
            return effect
        await asyncio.sleep(0.01)
    raise AssertionError(f"{step} was never acknowledged")


def spans(store: Store, lane: Lane) -> list[Stage]:
    return [stage for stage in store.read.stages() if stage.lane is lane and stage.state is StageState.DONE]


def overlaps(first: list[Stage], second: list[Stage]) -> int:
    return sum(
        a.started_at < (b.finished_at or 0) and b.started_at < (a.finished_at or 0) for a in first for b in second
    )


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    with Store(tmp_path) as store:
        yield store


async def test_every_experiment_passes_all_four_lanes_and_the_run_ends(store: Store) -> None:
    await drive(store, 6, FAST, keeps=frozenset({2, 4}))
    run = store.read.run()
    assert run and run.state is RunState.FINISHED and "all 6 experiments" in run.reason
    assert broken_laws(store.read, 6) == []
    assert [row.experiment.number for row in store.read.rows() if row.experiment.state is State.KEPT] == [0, 2, 4]


async def test_training_goes_on_while_the_one_before_is_evaluated(store: Store) -> None:
    await drive(store, 6, FAST | {Lane.EVALUATE: 0.035})
    training, evaluating = spans(store, Lane.TRAIN), spans(store, Lane.EVALUATE)
    assert overlaps(training, evaluating) >= 5
    assert overlaps(training, training) == len(training), "a lane works on one experiment at a time"
    for before, after in zip(evaluating, training[2:], strict=False):
        assert after.experiment == before.experiment + 2


async def test_training_runs_at_most_one_ahead_of_the_evaluation_and_says_what_it_waits_for(store: Store) -> None:
    await drive(store, 4, SLOW_VOTES)
    evaluating = {stage.experiment: stage for stage in spans(store, Lane.EVALUATE)}
    for stage in spans(store, Lane.TRAIN)[2:]:
        assert stage.started_at >= evaluating[stage.experiment - 2].finished_at  # type: ignore[operator]
    waits = [wait for wait in store.read.waits() if wait.lane is Lane.TRAIN and "the evaluation of exp-" in wait.what]
    assert waits and all(wait.until is not None and wait.until >= wait.since for wait in waits)


async def test_a_change_is_bound_to_the_champion_when_its_training_starts(store: Store) -> None:
    await drive(store, 8, FAST, keeps=frozenset({1, 5}))
    reigns = store.read.championships()
    for stage in spans(store, Lane.TRAIN)[1:]:
        experiment = store.read.experiment(stage.experiment)
        reigning = [reign.experiment for reign in reigns if reign.since <= stage.started_at][-1]
        assert experiment.parent == reigning
    for stage in spans(store, Lane.EVALUATE)[1:]:
        experiment = store.read.experiment(stage.experiment)
        assert experiment.opponent == [one.experiment for one in reigns if one.since <= stage.started_at][-1]


async def test_a_change_that_the_new_champion_has_already_goes_back(store: Store) -> None:
    async with running(store, 5, seconds=SLOW_VOTES, keeps=frozenset({1})):
        await until(store, State.EVALUATING, 1)
        await intervene(store, Step.INJECT, text="data.mix.a = 3")
    rows = [row.experiment for row in store.read.rows()]
    injected = next(one for one in rows if one.proposal.proposer == "person")
    assert rows[1].proposal.change and rows[1].proposal.change.field == "data.mix.a"
    assert injected.state is State.CANCELLED or injected.parent == 0
    assert broken_laws(store.read, 5) == []


async def test_a_failed_training_ends_in_a_crash_with_the_reason_and_the_loop_goes_on(store: Store) -> None:
    nan = StageFailed(FailureKind.NAN, "the loss is not a number at step 3")
    await drive(store, 4, FAST, failures={Lane.TRAIN: {2: nan}})
    crashed = store.read.verdict(2)
    assert crashed and crashed.outcome is Outcome.CRASH
    assert crashed.reason == "train: nan: the loss is not a number at step 3"
    assert broken_laws(store.read, 4) == []


async def test_without_a_baseline_the_run_pauses_and_says_why_and_goes_on_at_the_next_start(store: Store) -> None:
    no_model = StageFailed(FailureKind.INPUT, "there is no model at /nowhere")
    await drive(store, 2, FAST, failures={Lane.TRAIN: {0: no_model}})
    run = store.read.run()
    assert run and run.state is RunState.PAUSED and "there is no model at /nowhere" in run.reason
    await drive(store, 2, FAST)
    assert broken_laws(store.read, 2) == []


@pytest.mark.parametrize("lane", [Lane.TRAIN, Lane.UPLOAD, Lane.EVALUATE])
async def test_a_lane_that_cannot_say_what_to_do_ends_the_experiment_and_the_loop_goes_on(
    store: Store, lane: Lane
) -> None:
    gone = StageFailed(FailureKind.INPUT, "exp-0001 has nothing published")
    await drive(store, 4, FAST, no_orders={lane: {2: gone}})
    crashed = store.read.verdict(2)
    assert crashed and crashed.outcome is Outcome.CRASH
    assert crashed.reason == f"{lane}: input: exp-0001 has nothing published"
    assert [stage.state for stage in store.read.stages(2) if stage.lane is lane] == [StageState.FAILED]
    assert broken_laws(store.read, 4) == []


async def test_a_baseline_that_a_lane_has_no_order_for_pauses_the_run_and_it_goes_on_at_the_next_start(
    store: Store,
) -> None:
    gone = StageFailed(FailureKind.INPUT, "there is no artifact")
    await drive(store, 2, FAST, no_orders={Lane.UPLOAD: {0: gone}})
    run = store.read.run()
    assert run and run.state is RunState.PAUSED and "upload lane (input): there is no artifact" in run.reason
    await drive(store, 2, FAST)
    assert broken_laws(store.read, 2) == []


async def test_pause_after_this_stage_starts_nothing_new_until_resume(store: Store) -> None:
    async with running(store, 4, seconds=FAST | {Lane.TRAIN: 0.2}):
        await until(store, State.TRAINING, 1)
        assert "nothing new starts" in await intervene(store, Step.PAUSE, when="stage")
        await asyncio.sleep(0.3)
        assert store.read.experiment(1).state is State.TRAINED
        assert [store.read.open_stage(lane) for lane in Lane] == [None] * 4
        run = store.read.run()
        assert run and run.state is RunState.PAUSED
        await intervene(store, Step.RESUME)
    assert broken_laws(store.read, 4) == []


class SlowPlaybook(Playbook):
    """Thinks for a while, as a model does."""

    thinks = 0

    async def propose(self, memory: Memory) -> Proposal | None:
        self.thinks += 1
        await asyncio.sleep(0.2)
        return await super().propose(memory)


async def test_a_pause_while_a_proposal_is_thought_about_stays_a_pause(store: Store) -> None:
    slow = SlowPlaybook()
    async with running(store, 2, proposer=slow):
        while not slow.thinks:
            await asyncio.sleep(0.005)
        await intervene(store, Step.PAUSE, when="stage")
        await until(store, State.PROPOSED, 1)
        await asyncio.sleep(0.1)
        run = store.read.run()
        assert run and run.state is RunState.PAUSED
        await intervene(store, Step.RESUME)
    assert broken_laws(store.read, 2) == []


async def test_pause_now_interrupts_and_resume_takes_the_same_attempt_up(store: Store) -> None:
    async with running(store, 2, seconds=FAST | {Lane.TRAIN: 0.3}):
        await until(store, State.TRAINING, 1)
        await intervene(store, Step.PAUSE, when="now")
        await asyncio.sleep(0.4)
        assert store.read.experiment(1).state is State.TRAINING
        await intervene(store, Step.RESUME)
    assert [stage.attempt for stage in store.read.stages(1) if stage.lane is Lane.TRAIN] == [1]


async def test_a_veto_brings_the_champion_before_back_and_cancels_what_was_built_on_it(store: Store) -> None:
    async with running(store, 5, seconds=SLOW_VOTES, keeps=frozenset({1})):
        await until(store, State.KEPT, 1)
        await until(store, State.TRAINING, 3)
        assert store.read.experiment(3).parent == 1
        effect = await intervene(store, Step.VETO, 1, "it flatters")
        assert effect.startswith("#1 is taken back; champion #1 → #0; #3 is cancelled")
    assert store.read.experiment(1).state is State.VETOED
    assert store.read.experiment(3).state is State.CANCELLED
    champion = store.read.champion()
    assert champion and champion.experiment == 0
    later = [one for one in store.read.experiments()[4:] if one.state is not State.CANCELLED]
    assert later and all(one.parent == 0 for one in later)
    assert store.read.experiment(2).opponent in (0, 1)


async def test_an_experiment_whose_opponent_is_vetoed_is_evaluated_again(store: Store) -> None:
    async with running(store, 4, seconds=SLOW_VOTES, keeps=frozenset({1})):
        await until(store, State.KEPT, 1)
        await until(store, State.EVALUATING, 2)
        assert (store.read.experiment(2).parent, store.read.experiment(2).opponent) == (0, 1)
        await intervene(store, Step.VETO, 1, "no")
    passages = [stage.state for stage in store.read.stages(2) if stage.lane is Lane.EVALUATE]
    assert passages == [StageState.CANCELLED, StageState.DONE]
    assert store.read.experiment(2).opponent == 0


async def test_a_veto_of_what_was_not_kept_is_refused_with_the_reason(store: Store) -> None:
    async with running(store, 8):
        await until(store, State.DISCARDED, 1)
        assert "experiment 1 is discarded; only a kept one can be vetoed" in await intervene(store, Step.VETO, 1)
        assert "the baseline cannot be vetoed" in await intervene(store, Step.VETO, 0)


async def test_a_forced_zoom_out_applies_to_the_very_next_proposal_even_a_prepared_one(store: Store) -> None:
    async with running(store, 5, seconds=FAST | {Lane.TRAIN: 0.3}):
        await until(store, State.TRAINING, 1)
        await until(store, State.PROPOSED, 2)
        await intervene(store, Step.ZOOM_OUT, text="look at the adapter")
        zoom_out = store.read.zoom_outs()[-1]
        assert zoom_out.trigger == "forced" and "look at the adapter" in zoom_out.text
        await until(store, State.PROPOSED, 3)
        assert store.read.experiment(2).state is State.CANCELLED
        following = store.read.experiment(3).proposal
        assert following.category in zoom_out.categories and following.zoom_out == zoom_out.number
    assert broken_laws(store.read, 5) == []


async def test_an_idea_of_a_persons_is_the_next_experiment(store: Store) -> None:
    async with running(store, 3, seconds=FAST | {Lane.TRAIN: 0.2}):
        await until(store, State.TRAINING, 1)
        assert "next: training.beta 0.1 → 0.7" in await intervene(
            store, Step.INJECT, text="training.beta = 0.7: bolder"
        )
        assert "outside the space" in await intervene(store, Step.INJECT, text="training.adam_beta1 = 0.8")
        assert "say an idea as" in await intervene(store, Step.INJECT, text="make it better")
    mine = next(one for one in store.read.experiments() if one.proposal.proposer == "person")
    assert mine.proposal.hypothesis == "bolder" and mine.state is State.DISCARDED


async def test_skip_ends_the_experiment_in_hand(store: Store) -> None:
    async with running(store, 3, seconds=FAST | {Lane.TRAIN: 0.3}):
        await until(store, State.TRAINING, 1)
        await intervene(store, Step.SKIP, 1, "too slow")
        assert store.read.experiment(1).state is State.CANCELLED
    assert broken_laws(store.read, 3) == []


async def test_a_drain_finishes_the_stages_under_way_and_the_next_start_goes_on(store: Store) -> None:
    async with running(store, 5, seconds=FAST | {Lane.TRAIN: 0.1}):
        await until(store, State.TRAINING, 2)
        await intervene(store, Step.STOP, how="drain")
    assert all(store.read.open_stage(lane) is None for lane in Lane)
    assert store.read.count(State.KEPT, State.DISCARDED) < 6
    await drive(store, 5, FAST)
    assert broken_laws(store.read, 5) == []


async def test_a_raised_budget_goes_on_from_a_finished_run(store: Store) -> None:
    await drive(store, 2, FAST)
    await drive(store, 4, FAST)
    assert broken_laws(store.read, 4) == []


async def test_no_change_is_proposed_twice(store: Store) -> None:
    await drive(store, 25, {lane: 0.002 for lane in Lane}, keeps=frozenset({4, 9}))
    changes = [
        (e.proposal.change.field, str(e.proposal.change.new)) for e in store.read.experiments()[1:] if e.proposal.change
    ]
    assert len(changes) == len(set(changes)) == 25
