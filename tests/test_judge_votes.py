"""A judge votes only while it may, as one voter, never on a promotion test; people's fresh labels can stop it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from chat_service import ChatService, chat_service, right
from runs import Story

from checkpoints import writes
from checkpoints.records import REFERENCE, Choice, Interval, Tally, Vote, VoterMeans
from checkpoints.store import Store
from checkpoints.trust import Calibration
from lanes.judge.permission import Drifted, NotAllowed, recheck
from lanes.judge.process import Judge, Settings
from lanes.judge.records import Pair, turned
from lanes.judge.votes import JudgeVoter, Prepared, judged_win_rates

MODEL = "openai/judge"
VOTER = f"judge:{MODEL}"


@pytest.fixture(scope="module")
def service() -> Iterator[ChatService]:
    with chat_service() as service:
        yield service


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="module")
def judge(service: ChatService, loop: asyncio.Runner, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Judge]:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("OPENAI_API_KEY", raising=False)
        judge = Judge(Settings(MODEL, service.base), tmp_path_factory.mktemp("judge"), print)
        loop.run(judge.__aenter__())
    yield judge
    loop.run(judge.__aexit__(None, None, None))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path)
    story = Story()
    store.submit(story.begin, 3).result()
    store.submit(story.propose, 0).result()
    yield store
    store.close()


def calibrated(store: Store, passed: bool = True, model: str = MODEL) -> None:
    found = Calibration(0, model, 24, 0.9, 1.0, passed, "it met 12 of 24 labels; it may not vote", time.time())
    store.submit(writes.add_calibration, found).result()


def prepared(n: int, test: int = 0) -> Prepared:
    """The candidate is the better one; it is answer A on even prompts."""
    good, bad = ("exp-0000", "a good answer"), (REFERENCE, "no")
    (model_a, a), (model_b, b) = (good, bad) if n % 2 == 0 else (bad, good)
    return Prepared(0, f"p{n}", model_a, model_b, Pair(f"question {n}", a, b), test)


def cast(loop: asyncio.Runner, store: Store, voter: JudgeVoter, pairs: Sequence[Prepared]) -> list[Vote]:
    async def votes() -> list[Vote]:
        found: list[Vote] = []
        async for vote in voter.vote(pairs):
            await store.do(writes.add_votes, [vote])
            found.append(vote)
        return found

    return loop.run(votes())


def people_say(store: Store, choice: Choice, prompts: range) -> None:
    """Of the candidate as answer A, one vote a pair; every third is on the pair shown the other way round."""
    votes = [
        Vote(0, f"{n}/{choice}", f"person-{n}", f"p{n}", *shown, said, False, time.time())
        for n in prompts
        for shown, said in [
            ((REFERENCE, "exp-0000"), turned(choice)) if n % 3 == 0 else (("exp-0000", REFERENCE), choice)
        ]
    ]
    store.submit(writes.add_votes, votes, 1).result()


def test_it_is_one_voter_and_votes_once_on_each_pair_and_never_in_a_promotion_test(
    judge: Judge, service: ChatService, loop: asyncio.Runner, store: Store
) -> None:
    calibrated(store)
    service.behave(right)
    voter = JudgeVoter(store, judge)
    votes = cast(loop, store, voter, [*map(prepared, range(6)), prepared(0), prepared(9, test=1)])
    assert {vote.voter for vote in votes} == {VOTER} and {vote.prompt for vote in votes} == {f"p{n}" for n in range(6)}
    assert len(votes) == 6
    service.behave(right)
    assert cast(loop, store, voter, [prepared(n) for n in range(6)]) == [] and service.requests == []
    assert judged_win_rates(store.read.votes()) == {"exp-0000": Interval(1.0, pytest.approx(0.6097, abs=1e-4), 1.0)}


def test_in_a_verdict_it_weighs_as_one_voter_and_in_counts_and_ranking_not_at_all(
    judge: Judge, service: ChatService, loop: asyncio.Runner, store: Store
) -> None:
    calibrated(store)
    service.behave(right)
    cast(loop, store, JudgeVoter(store, judge), [prepared(n) for n in range(12)])
    people_say(store, Choice.TIE, range(1))
    store.submit(writes.close_sessions, 0, 0, 0.0, 5).result()
    assert store.read.voter_means(0, "exp-0000", REFERENCE).open == 2  # a person after five votes, a judge when idle
    store.submit(writes.close_sessions, 0, 0, time.time(), 5).result()
    assert store.read.voter_means(0, "exp-0000", REFERENCE) == VoterMeans(((1.0, 1),))
    assert store.read.tally(0, "exp-0000", REFERENCE) == Tally(0, 0, 1)
    assert store.read.pair_counts() == [(REFERENCE, "exp-0000", Choice.TIE, 1)]
    assert store.read.vote_counts() == {False: 1, True: 0}
    store.submit(writes.exclude, "person-0", "a test").result()
    store.submit(writes.readmit, "person-0").result()
    assert store.read.tally(0, "exp-0000", REFERENCE) == Tally(0, 0, 1)


def test_what_it_does_not_say_is_no_vote(
    judge: Judge, service: ChatService, loop: asyncio.Runner, store: Store
) -> None:
    calibrated(store)
    service.behave(lambda a, b, request: (200, {}, "hm") if "question 1" in str(request) else right(a, b, request))
    voter = JudgeVoter(store, judge)
    assert [vote.prompt for vote in cast(loop, store, voter, [prepared(0), prepared(1)])] == ["p0"]
    assert voter.silent == 1


def test_without_a_calibration_that_it_passed_last_it_does_not_vote(
    judge: Judge, loop: asyncio.Runner, store: Store
) -> None:
    voter = JudgeVoter(store, judge)
    with pytest.raises(NotAllowed, match="never calibrated; run `autoresearch-tui judge calibrate`"):
        cast(loop, store, voter, [prepared(0)])
    calibrated(store, model="openai/another")
    with pytest.raises(NotAllowed, match="never calibrated; what was calibrated is openai/another"):
        cast(loop, store, voter, [prepared(0)])
    calibrated(store)
    calibrated(store, passed=False)
    with pytest.raises(NotAllowed, match="it met 12 of 24 labels"):
        cast(loop, store, voter, [prepared(0)])


@pytest.mark.slow
def test_fresh_labels_that_disagree_end_its_votes_until_it_is_calibrated_again(
    judge: Judge, service: ChatService, loop: asyncio.Runner, store: Store
) -> None:
    people_say(store, Choice.B, range(40, 70))
    calibrated(store)
    service.behave(right)
    voter = JudgeVoter(store, judge)
    cast(loop, store, voter, [prepared(n) for n in range(70)])
    assert not recheck(store.read, MODEL, store.read.calibrations()[-1].at).labels  # those were there before
    people_say(store, Choice.A, range(15))
    people_say(store, Choice.B, range(15, 19))
    assert len(cast(loop, store, voter, [prepared(70)])) == 1  # 15 of 19: too few labels to be sure of anything
    people_say(store, Choice.TIE, range(19, 20))
    with pytest.raises(Drifted, match=r"votes no more: it met 15 of 20 fresh labels, 75.0 % \[53.1, 88.8\]"):
        cast(loop, store, voter, [prepared(71)])
    assert [one.passed for one in store.read.calibrations()] == [True, False]
    with pytest.raises(NotAllowed, match="that may be chance; it stops voting until"):
        cast(loop, store, voter, [prepared(71)])
    calibrated(store)
    assert len(cast(loop, store, voter, [prepared(71)])) == 1


def test_few_fresh_labels_end_its_votes_only_where_they_leave_no_doubt(
    judge: Judge, service: ChatService, loop: asyncio.Runner, store: Store
) -> None:
    calibrated(store)
    service.behave(right)
    voter = JudgeVoter(store, judge)
    cast(loop, store, voter, [prepared(n) for n in range(12)])
    people_say(store, Choice.B, range(8))
    with pytest.raises(Drifted, match="it met 0 of 8 fresh labels.*surely below"):
        cast(loop, store, voter, [prepared(20)])


@pytest.mark.slow
def test_after_a_hundred_pairs_it_is_held_against_fresh_labels_before_it_goes_on(
    judge: Judge, service: ChatService, loop: asyncio.Runner, store: Store
) -> None:
    calibrated(store)
    service.behave(right)
    voter = JudgeVoter(store, judge)

    async def with_people_beside() -> None:
        async for vote in voter.vote([prepared(n) for n in range(110)]):
            await store.do(writes.add_votes, [vote])
            if vote.prompt == "p50":
                people = [
                    Vote(0, f"{n}", "ana", f"p{n}", "exp-0000", REFERENCE, Choice.B, False, time.time())
                    for n in range(30)
                ]
                await store.do(writes.add_votes, people)

    with pytest.raises(Drifted, match="0 of 30 fresh labels"):
        loop.run(with_people_beside())
    assert len(store.read.votes(voter=VOTER)) == 100
