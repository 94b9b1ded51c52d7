"""Several candidates judged side by side: against one champion, each to its own end, and with a bar as high as they are
many."""

from __future__ import annotations

import asyncio
import random
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from laws import broken_laws
from runs import Story
from sleeping import VOTES, drive
from test_pipeline import FAST, SLOW_VOTES, intervene, running, until
from test_votes import battle, collected, person

from checkpoints import writes
from checkpoints.reader import Reader
from checkpoints.records import (
    Championship,
    Experiment,
    Lane,
    Outcome,
    Progress,
    Proposal,
    Row,
    StageState,
    State,
    Step,
    Tally,
    Verdict,
    VoterMeans,
)
from checkpoints.store import Store
from lanes import vote_file
from lanes.analyze.analyst import AnalyzeLane
from lanes.analyze.verdict import Rule, decide, reason, to_go
from lanes.evaluate import EvaluateLane
from lanes.evaluate_settings import EvaluateSettings
from lanes.vote_file import FileVoters
from runner.agent.zoom_out import due
from runner.interventions import unpin
from runner.results import status
from runner.settings import ZoomOut
from tui.snapshot import Snapshot, look
from tui.taken import lanes
from tui.widgets.lanes import Amounts, Work

LOOP = Path(__file__).parent / "loop_process.py"


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    with Store(tmp_path) as store:
        yield store


def open_now(store: Store) -> list[int]:
    return [stage.experiment for stage in store.read.open_stages(Lane.EVALUATE)]


async def are_open(store: Store, many: int) -> None:
    async with asyncio.timeout(10):
        while len(open_now(store)) < many:
            await asyncio.sleep(0.005)


async def test_as_many_candidates_as_there_are_slots_are_judged_at_once_and_training_runs_one_ahead_of_them(
    store: Store,
) -> None:
    async with running(store, 7, seconds=SLOW_VOTES | {Lane.EVALUATE: 0.6}, slots=3):
        await are_open(store, 3)
        await asyncio.sleep(0.3)
        assert len(open_now(store)) == 3
        between = store.read.experiments(State.TRAINED, State.UPLOADING, State.UPLOADED)
        assert len(between) == 1, "the one ahead"
        assert store.read.progress()[Lane.TRAIN].doing.endswith("1 ahead is the limit")
    assert broken_laws(store.read, 7, VOTES, slots=3) == []
    assert broken_laws(store.read, 7, VOTES, slots=2), "a law that cannot be broken is none"


async def test_a_keep_puts_those_beside_it_back_to_be_judged_against_the_new_champion(store: Store) -> None:
    async def first_ends_first(number: int) -> None:
        if number == 1:
            await are_open(store, 2)
        elif number > 1:
            await until(store, State.KEPT, 1)

    seconds, gates = SLOW_VOTES | {Lane.EVALUATE: 0.5}, {Lane.EVALUATE: first_ends_first}
    async with running(store, 6, seconds=seconds, keeps=frozenset({1}), slots=3, gates=gates):
        await until(store, State.KEPT, 1)
    kept_at = store.read.championships()[1].since
    first = [stage for stage in store.read.stages() if stage.lane is Lane.EVALUATE and stage.attempt == 1]
    beside = [one.experiment for one in first if one.started_at < kept_at <= (one.finished_at or 0.0)]
    assert beside and set(beside) <= {2, 3}
    for number in beside:
        passages = [stage.state for stage in store.read.stages(number) if stage.lane is Lane.EVALUATE]
        assert passages == [StageState.CANCELLED, StageState.DONE]
        assert not (store.folder / f"evaluate-{number}-1.done").exists(), "it was ended at once"
        assert (store.read.experiment(number).parent, store.read.experiment(number).opponent) == (0, 1)
    again = [event.text for event in store.read.events() if "evaluated again" in event.text]
    assert again == ["evaluated again: exp-0001 beat exp-0000, its opponent, and reigns"] * len(beside)
    assert broken_laws(store.read, 6, VOTES, slots=3) == []


async def test_of_two_that_beat_the_same_champion_the_first_reigns_and_the_second_must_beat_it(store: Store) -> None:
    await drive(store, 5, SLOW_VOTES | {Lane.ANALYZE: 0.2}, keeps=frozenset({1, 2}), slots=3)
    reigns = [
        (reign.experiment, store.read.experiment(reign.experiment).opponent) for reign in store.read.championships()
    ]
    assert reigns == [(0, None), (1, 0), (2, 1)]
    assert broken_laws(store.read, 5, slots=3) == []


async def test_a_veto_while_three_are_open_judges_all_of_them_again_and_cancels_what_was_built_on_it(
    store: Store,
) -> None:
    async with running(store, 8, seconds=SLOW_VOTES | {Lane.EVALUATE: 0.4}, keeps=frozenset({1}), slots=3):
        await until(store, State.KEPT, 1)
        await are_open(store, 3)
        beside = open_now(store)
        on_it = [one.number for one in store.read.experiments() if one.parent == 1 and one.ended_at is None]
        effect = await intervene(store, Step.VETO, 1, "it flatters")
        assert "champion #1 → #0" in effect
        for number in beside:
            gone = store.read.experiment(number)
            assert gone.state is State.CANCELLED if number in on_it else gone.opponent in (None, 0)
    champion = store.read.champion()
    assert champion and champion.experiment == 0
    assert all(one.opponent in (0, None) for one in store.read.experiments(State.DISCARDED)[1:])
    assert broken_laws(store.read, 8, slots=3) == []


async def test_a_skip_ends_one_and_leaves_the_others_as_they_are(store: Store) -> None:
    async with running(store, 4, seconds=SLOW_VOTES | {Lane.EVALUATE: 0.5}, slots=3):
        await are_open(store, 3)
        first, second, third = open_now(store)
        await intervene(store, Step.SKIP, second, "no use")
        await until(store, State.CANCELLED, second)
    for number in (first, third):
        passages = [stage for stage in store.read.stages(number) if stage.lane is Lane.EVALUATE]
        assert [(one.attempt, one.state) for one in passages] == [(1, StageState.DONE)]
    assert broken_laws(store.read, 4, slots=3) == []


async def test_pause_now_interrupts_all_of_them_and_resume_takes_each_up(store: Store) -> None:
    async with running(store, 4, seconds=SLOW_VOTES | {Lane.EVALUATE: 0.6}, slots=3):
        await are_open(store, 3)
        paused = open_now(store)
        await intervene(store, Step.PAUSE, when="now")
        await asyncio.sleep(0.7)
        assert open_now(store) == paused
        assert not [vote for vote in store.read.votes() if vote.experiment in paused]
        await intervene(store, Step.RESUME)
    assert {stage.attempt for stage in store.read.stages() if stage.lane is Lane.EVALUATE} == {1}
    assert broken_laws(store.read, 4, VOTES, slots=3) == []


async def test_fewer_slots_at_the_next_start_take_up_what_is_open_one_after_the_other(store: Store) -> None:
    async with running(store, 5, seconds=SLOW_VOTES | {Lane.EVALUATE: 0.6}, slots=3):
        await are_open(store, 3)
        await intervene(store, Step.STOP, how="now")
    left = open_now(store)
    assert len(left) == 3
    began = {stage.experiment: stage.attempt for stage in store.read.open_stages(Lane.EVALUATE)}
    await drive(store, 5, FAST)
    done = [stage for stage in store.read.stages() if stage.lane is Lane.EVALUATE and stage.experiment in left]
    assert {stage.experiment: stage.attempt for stage in done} == began
    ended = sorted(stage.finished_at or 0.0 for stage in done)
    assert all(after - before >= FAST[Lane.EVALUATE] * 0.9 for before, after in pairwise(ended))
    assert broken_laws(store.read, 5, VOTES, slots=3) == []


@pytest.mark.slow
def test_kills_at_random_moments_with_three_open_lose_nothing(tmp_path: Path) -> None:
    chance, command = random.Random(4), [sys.executable, str(LOOP), str(tmp_path), "15", "0", "3"]
    for _ in range(8):
        process = subprocess.Popen(command)
        time.sleep(chance.uniform(0.5, 1.0))
        process.kill()
        process.wait()
    assert subprocess.run(command, timeout=60).returncode == 0
    with closing(Reader(tmp_path)) as read:
        assert broken_laws(read, 15, VOTES, slots=3) == []
        assert max(verdict.experiment for verdict in read.verdicts()) == 15


@pytest.mark.parametrize("commit", [31, 52, 75])
def test_a_kill_at_a_commit_with_three_open_loses_nothing(tmp_path: Path, commit: int) -> None:
    run = [sys.executable, str(LOOP), str(tmp_path), "6"]
    assert subprocess.run([*run, str(commit), "3"], timeout=60).returncode == -signal.SIGKILL
    assert subprocess.run([*run, "0", "3"], timeout=60).returncode == 0
    with closing(Reader(tmp_path)) as read:
        assert broken_laws(read, 6, VOTES, slots=3) == []


def test_the_bar_is_as_many_times_as_high_and_the_sentence_says_so() -> None:
    alone, beside = Rule(), Rule(arms=3)
    means = VoterMeans.each(34, 12)
    assert decide(alone, means) is Outcome.KEEP and decide(beside, means) is None
    assert (to_go(beside, means) or 0) > 0
    enough = VoterMeans.each(36, 12)
    assert decide(beside, enough) is Outcome.KEEP
    told = reason(beside, Tally(36, 12, 0), enough, Outcome.KEEP, "exp-0003", "exp-0000")
    assert "e-value 60.3 ≥ 60, 3 candidates side by side, so exp-0003 is kept" in told
    with pytest.raises(ValueError, match="arms is 0: it must be at least 1"):
        Rule(arms=0)


@given(st.integers(1, 9), st.integers(0, 200), st.integers(0, 200))
def test_what_is_kept_beside_others_would_have_been_kept_alone(arms: int, wins: int, losses: int) -> None:
    means = VoterMeans.each(wins, losses)
    alone, beside = decide(Rule(), means), decide(Rule(arms=arms), means)
    assert beside is not Outcome.KEEP or alone is Outcome.KEEP
    assert alone is Outcome.KEEP or beside is alone


async def test_people_who_vote_by_file_vote_on_all_that_are_open_and_each_vote_goes_to_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vote_file, "LOOK_SECONDS", 0.01)
    source = FileVoters(tmp_path, pytest.fail)
    work = [asyncio.create_task(collected(source, [battle(p, experiment=n) for p in "pq"])) for n in (3, 4)]
    await asyncio.sleep(0.05)
    assert [person(tmp_path, voter) for voter in ("ann", "bob")] == [4, 4]
    for number, votes in zip((3, 4), await asyncio.wait_for(asyncio.gather(*work), 5), strict=True):
        assert {vote.experiment for vote in votes} == {number}
        assert len({(vote.voter, vote.prompt) for vote in votes}) == 4
    source.forget(3, 0)
    again = asyncio.create_task(collected(source, [battle("r", experiment=3, wanted=1)]))
    await asyncio.sleep(0.05)
    person(tmp_path, "cleo", skip=4)
    assert [vote.voter for vote in await asyncio.wait_for(again, 5)] == ["cleo"]


async def test_progress_is_told_of_each_that_is_open_and_of_none_that_has_ended(store: Store) -> None:
    for number in range(3):
        await store.do(writes.propose, Proposal("", "data", None, "person"))
        await publish_nothing(store, number)
        await store.do(writes.start_stage, number, Lane.EVALUATE, {})
        await store.do(writes.set_progress, votes(number))
    assert [one.experiment for one in store.read.at_work()] == [0, 1, 2]
    await store.do(writes.finish_stage, 0, Lane.EVALUATE, 1, {}, 1.0)
    assert [one.experiment for one in store.read.at_work()] == [1, 2]
    assert store.read.progress()[Lane.EVALUATE].experiment == 1
    await store.do(writes.start_waiting, Lane.EVALUATE, "an uploaded model")
    assert [one.doing for one in store.read.at_work()] == ["an uploaded model"]


def votes(number: int) -> Progress:
    return Progress(Lane.EVALUATE, number, "votes", 10.0 * number, 100.0, "", None, time.time())


def test_the_lanes_name_all_that_are_judged_side_by_side_and_the_first_ones_votes(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        story = Story()
        store.submit(story.begin, 9).result()
        for number in range(3):
            store.submit(story.finished, number).result()
        for _ in range(3):
            store.submit(story.evaluating).result()
        snapshot = look(store.read, Snapshot())
        told = status(store.folder, store.read)["lanes"]["evaluate"]
    work, amounts = Work(), Amounts()
    work.snapshot = amounts.snapshot = snapshot
    row = list(Lane).index(Lane.EVALUATE)
    assert work.lines(70, 4)[row].plain.startswith(" evaluate  #3 #4 #5 vs champion #1")
    assert "148/400 simulated voters" in amounts.lines(70, 4)[row].plain
    assert "3 side by side" in amounts.lines(70, 4)[row].plain
    assert (told["experiment"], told["in_hand"]) == (3, [3, 4, 5])
    assert [line.split("\t")[1] for line in lanes(snapshot).text.splitlines() if "evaluate" in line] == ["3", "4", "5"]


async def test_an_evaluation_is_judged_by_the_number_of_slots_that_it_was_begun_under(store: Store) -> None:
    for number in range(2):
        await store.do(writes.propose, Proposal("", "data", None, "person"))
        await publish_nothing(store, number)
    crowded = EvaluateLane(store, EvaluateSettings(model="m", prompts=None, slots=3))
    order = crowded.order(replace(store.read.experiment(1), opponent=0))
    await store.do(writes.start_stage, 1, Lane.EVALUATE, order, opponent=0)
    result = {
        "judge": "votes", "tally": {"wins": 34, "losses": 12, "ties": 0}, "means": VoterMeans.each(34, 12).counts,
    }  # fmt: skip
    await store.do(writes.finish_stage, 1, Lane.EVALUATE, 1, result, 1.0)
    verdict, _ = await AnalyzeLane(store.read, Rule(), pytest.fail).judge(store.read.experiment(1))
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "of the 60 needed, 3 candidates side by side" in verdict.reason


async def publish_nothing(store: Store, number: int) -> None:
    """Trained and uploaded, as far as the store says."""
    for lane, result in ((Lane.TRAIN, {"details": "scores.json"}), (Lane.UPLOAD, {"url": "file:///nowhere"})):
        attempt = await store.do(writes.start_stage, number, lane, {})
        await store.do(writes.finish_stage, number, lane, attempt, result, 1.0)


def judged(number: int, outcome: Outcome, at: float, opponent: int = 0) -> Row:
    state = State.KEPT if outcome is Outcome.KEEP else State.DISCARDED
    proposal = Proposal("", f"category {number}", None, "test")
    verdict = Verdict(number, outcome, 0, 0, 0, None, None, None, None, "", at)
    parent = None if number == 0 else 0
    return Row(Experiment(number, state, proposal, {}, parent, opponent, number + 1.0, at, ""), verdict)


def test_what_follows_from_verdicts_goes_by_when_they_fell_not_by_number() -> None:
    rows = [
        judged(0, Outcome.KEEP, 1.0),
        judged(1, Outcome.KEEP, 9.0),
        judged(2, Outcome.KEEP, 7.0),
        judged(3, Outcome.DISCARD, 5.0),
        judged(4, Outcome.DISCARD, 8.0),
    ]
    plateau = ZoomOut(every=99, plateau=2, streak=99)
    assert due(rows, [], plateau) is None, "the last verdict was a keep"
    assert due([*rows, judged(5, Outcome.DISCARD, 10.0), judged(6, Outcome.DISCARD, 11.0)], [], plateau) == "plateau"
    pinned = [Championship(0, 2.0, None, "a person pinned it", pinned=True)]
    assert unpin(rows, pinned).champion == 1, "the last that beat it"
