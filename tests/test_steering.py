"""A person's steps in a loop that runs: taken up, done once whatever is killed, acknowledged with what came of them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
from laws import broken_laws
from sleeping import drive
from test_pipeline import FAST, SLOW_VOTES, intervene, running, until

from checkpoints import writes
from checkpoints.reader import Reader
from checkpoints.records import Answer, FailureKind, Lane, RunState, StageState, State, Step, model_name
from checkpoints.store import Store
from lanes.evaluate import EvaluateLane, EvaluateSettings
from lanes.lane import StageFailed
from runner.agent.memory import Memory
from runner.agent.playbook import Playbook
from runner.agent.stock import Stock

CALM = FAST | {Lane.TRAIN: 0.3}


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    with Store(tmp_path) as store:
        yield store


async def test_a_pinned_champion_reigns_over_keeps_and_whoever_is_judged_is_judged_against_it(store: Store) -> None:
    async with running(store, 5, seconds=SLOW_VOTES, keeps=frozenset({1, 3})):
        await until(store, State.KEPT, 1)
        await until(store, State.EVALUATING, 2)
        assert await intervene(store, Step.PIN, 0) == "champion #1 → #0, pinned; #2 is judged again from the start"
        await until(store, State.KEPT, 3)
        champion = store.read.champion()
        assert champion and (champion.experiment, champion.pinned) == (0, True)
        assert (await intervene(store, Step.UNPIN)).startswith("champion #0 → #3")
    passages = [stage.state for stage in store.read.stages(2) if stage.lane is Lane.EVALUATE]
    assert passages == [StageState.CANCELLED, StageState.DONE]
    assert (store.read.experiment(2).opponent, store.read.experiment(3).opponent) == (0, 0)
    assert broken_laws(store.read, 5) == []


async def test_keep_anyway_needs_a_reason_overrules_the_verdict_and_can_be_undone(store: Store) -> None:
    async with running(store, 4, seconds=CALM):
        await until(store, State.DISCARDED, 1)
        verdict = store.read.verdict(1)
        assert "needs a reason" in await intervene(store, Step.KEEP, 1)
        await intervene(store, Step.KEEP, 1, "users wrote that they like it")
        kept, champion = store.read.experiment(1), store.read.champion()
        assert kept.note == "kept by a person: users wrote that they like it" and store.read.verdict(1) == verdict
        assert champion and champion.experiment == 1
        done = store.read.interventions()[-1].number
        await intervene(store, Step.UNDO, of=done)
        champion = store.read.champion()
        assert champion and champion.experiment == 0 and store.read.experiment(1).state is State.DISCARDED
        assert await intervene(store, Step.UNDO, of=done) == "refused: the keep was undone before"
    assert broken_laws(store.read, 4) == []


async def test_an_undone_veto_brings_champion_and_what_it_cancelled_back(store: Store) -> None:
    async with running(store, 6, seconds=SLOW_VOTES, keeps=frozenset({1})):
        await until(store, State.KEPT, 1)
        await until(store, State.TRAINING, 3)
        await intervene(store, Step.VETO, 1, "it flatters")
        effect = await intervene(store, Step.UNDO, of=1)
        assert effect.startswith("#1 is kept; champion #0 → #1")
        # The change goes on on the champion: by the undo, unless the playbook was faster.
        assert "#3 is tried again" in effect or "#3 does not come back: its change is tried as #" in effect
    changes = [one.proposal.change for one in store.read.experiments() if one.state is not State.CANCELLED]
    assert changes.count(store.read.experiment(3).proposal.change) == 1
    assert store.read.experiment(1).state is State.KEPT
    assert broken_laws(store.read, 6) == []


async def test_what_a_person_skipped_comes_again_only_when_a_person_asks(store: Store) -> None:
    async with running(store, 4, seconds=CALM):
        await until(store, State.TRAINING, 1)
        skipped = store.read.experiment(1).proposal.change
        await intervene(store, Step.SKIP, 1)
        await until(store, State.TRAINING, 2)
        assert skipped not in [one.proposal.change for one in store.read.experiments()[2:]]
        assert "#1 is tried again" in await intervene(store, Step.REQUEUE, 1)
        assert "its change is tried as #" in await intervene(store, Step.REQUEUE, 1)
        number = store.read.interventions()[1].done["proposed"]
        await intervene(store, Step.UNDO, of=2)
        assert store.read.experiment(number).state is State.CANCELLED
        await intervene(store, Step.UNDO, of=1)
    assert [one.proposal.change for one in store.read.experiments()].count(skipped) == 3
    assert broken_laws(store.read, 4) == []


async def test_two_ideas_of_a_persons_both_come_and_no_more_than_the_budget_allows(store: Store) -> None:
    async with running(store, 3, seconds=CALM):
        await until(store, State.TRAINING, 1)
        for value in (0.7, 0.8):
            assert "next: " in await intervene(store, Step.INJECT, text=f"training.beta = {value}")
        assert "all 3 experiments" in await intervene(store, Step.INJECT, text="training.beta = 0.9")
    changes = [str(one.proposal.change) for one in store.read.experiments() if one.state is State.DISCARDED]
    assert changes[1:] == ["training.beta 0.1 → 0.7", "training.beta 0.1 → 0.8"]
    assert broken_laws(store.read, 3) == []


async def test_a_persons_vote_counts_once_for_a_voter_and_a_pair(store: Store) -> None:
    async with running(store, 3, seconds=FAST | {Lane.EVALUATE: 0.6}):
        await until(store, State.EVALUATING, 1)
        one, other = model_name(1), model_name(0)
        await store.do(writes.add_answers, [Answer(1, "p-1", model, "yes") for model in (one, other)])
        pair = {"prompt": "p-1", "model_a": other, "model_b": one, "voter": "ana"}
        assert await intervene(store, Step.VOTE, 1, choice="b", **pair) == "counted"
        assert await intervene(store, Step.VOTE, 1, choice="a", **pair) == "had been counted before"
        past = await intervene(store, Step.VOTE, 1, choice="a", **pair | {"voter": "ben"})
        assert past == "refused: this pair has as many votes as count before the verdict (evaluate.votes_per_prompt)"
        assert "no such pair" in await intervene(store, Step.VOTE, 1, choice="a", **pair | {"prompt": "p-2"})
        assert "a vote is one of" in await intervene(store, Step.VOTE, 1, choice="both", **pair)
        assert store.read.tally(1, one, other).wins == 1
        assert [(vote.voter, vote.simulated) for vote in store.read.votes(1)] == [("ana", False)]
        assert "a vote stays counted" in await intervene(store, Step.UNDO, of=1)


async def test_a_vote_that_comes_between_the_last_vote_and_the_verdict_waits_for_the_verdict(store: Store) -> None:
    async with running(store, 2, seconds=FAST | {Lane.ANALYZE: 0.5}):
        await until(store, State.EVALUATED, 1)
        one, other = model_name(1), model_name(0)
        await store.do(writes.add_answers, [Answer(1, "p-1", model, "yes") for model in (one, other)])
        vote = {"prompt": "p-1", "model_a": other, "model_b": one, "voter": "ana", "choice": "b"}
        assert await intervene(store, Step.VOTE, 1, **vote) == "counted"
        assert store.read.experiment(1).state is State.DISCARDED
        assert await intervene(store, Step.UNDO, of="the last") == "refused: undo needs the number of a step"


class SilentPlaybook(Playbook):
    """Fails as a model without a key does."""

    async def take_stock(self, memory: Memory, trigger: str, steering: str) -> Stock:
        raise RuntimeError("no key\nfor the model")


async def test_a_step_that_fails_says_so_and_the_next_one_is_taken_up(store: Store) -> None:
    async with running(store, 2, seconds=CALM, proposer=SilentPlaybook()):
        await until(store, State.TRAINING, 1)
        assert await intervene(store, Step.ZOOM_OUT) == "refused: RuntimeError: no key for the model"
        assert await intervene(store, Step.PAUSE, when="stage") != ""
        await intervene(store, Step.RESUME)


async def test_an_undone_pause_goes_on_and_an_undone_resume_pauses(store: Store) -> None:
    async with running(store, 3, seconds=CALM):
        await until(store, State.TRAINING, 1)
        await intervene(store, Step.PAUSE, when="stage")
        assert await intervene(store, Step.UNDO, of=1) == "the run goes on"
        await intervene(store, Step.PAUSE, when="stage")
        await intervene(store, Step.RESUME)
        assert "nothing new starts" in await intervene(store, Step.UNDO, of=4)
        run = store.read.run()
        assert run and run.state is RunState.PAUSED
        await intervene(store, Step.RESUME)


async def test_an_evaluation_begun_again_for_another_opponent_has_its_second_try_still(store: Store) -> None:
    lane = EvaluateLane(store, EvaluateSettings("model", None))
    died = StageFailed(FailureKind.CRASH, "the server died")
    await drive(store, 1, FAST)
    await store.do(lambda db: db.execute("UPDATE experiments SET state = 'evaluated' WHERE number = 1"))
    for _ in range(2):
        await store.do(writes.evaluate_again, 1, "its opponent reigns no longer")
        await store.do(writes.start_stage, 1, Lane.EVALUATE, {"against": "another"}, opponent=0)
    stage = store.read.open_stage(Lane.EVALUATE)
    assert stage and stage.attempt == 3 and lane.revise(stage, died) == stage.order
    await store.do(writes.fail_stage, 1, Lane.EVALUATE, 3, died.kind, str(died), 1.0)
    assert lane.revise(stage, died) is None


def test_no_commit_lies_between_a_step_and_its_acknowledgement(tmp_path: Path) -> None:
    """Killed at any commit, a step is done and acknowledged, or neither: looked at after each of them."""
    asked, torn = threading.Event(), list[str]()

    def look(commit: int) -> None:
        if commit % 2 or not asked.is_set():
            return
        with closing(Reader(tmp_path)) as read:
            done = {one.step for one in read.interventions() if one.acknowledged_at is not None}
            beliefs = [one.proposal.hypothesis for one in read.experiments()[4:]]
            facts = {
                Step.KEEP: read.experiment(1).state is State.KEPT,
                Step.VETO: read.experiment(2).state is State.VETOED,
                Step.PIN: any(reign.pinned for reign in read.championships()),
                Step.REQUEUE: "once more" in beliefs,
                Step.INJECT: "mine" in beliefs,
                Step.ZOOM_OUT: bool(read.zoom_outs()),
            }
        torn.extend(f"{step} after commit {commit}" for step, is_done in facts.items() if is_done != (step in done))

    async def night(store: Store) -> None:
        await drive(store, 3, FAST, keeps=frozenset({2}))
        await store.do(lambda db: db.execute("UPDATE experiments SET hypothesis = 'once more' WHERE number = 3"))
        for step, number, detail in (
            (Step.KEEP, 1, {}), (Step.VETO, 2, {}), (Step.PIN, 1, {}), (Step.REQUEUE, 3, {}),
            (Step.INJECT, None, {"text": "training.beta = 0.77: mine"}), (Step.ZOOM_OUT, None, {}),
        ):  # fmt: skip
            await store.do(writes.intervene, step, number, "because", detail)
        asked.set()
        await drive(store, 7, FAST)

    with Store(tmp_path, on_commit=look) as store:
        asyncio.run(night(store))
        effects = {one.step: one.effect for one in store.read.interventions()}
        assert broken_laws(store.read, 7) == []
    assert len(effects) == 6 and not [effect for effect in effects.values() if effect.startswith("refused")], effects
    assert torn == []
