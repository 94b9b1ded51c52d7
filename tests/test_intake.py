"""From the arena's ledger to the run's store: a ballot becomes one vote at most, whatever is lost between."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from checkpoints import writes
from checkpoints.records import Choice, Lane, Proposal, Vote
from checkpoints.store import Store
from lanes import arena_votes
from lanes.arena.ballots import Ballot, Pair, Source
from lanes.arena.ledger import Ledger
from lanes.arena_desk import ARENA, ArenaDesk
from lanes.arena_votes import CURSOR, Intake, votes_of
from lanes.launch import LocalProcess
from lanes.order import ArenaOrder
from lanes.pull import Page
from lanes.pull_votes import votes_of_page


@pytest_asyncio.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    """A run whose experiment 2 is before the voters, against 0; experiment 1 is judged."""
    with Store(tmp_path) as store:
        for number in range(3):
            await store.do(writes.propose, Proposal(f"idea {number}", "data", None, "program"))
        for lane in (Lane.TRAIN, Lane.UPLOAD):
            attempt = await store.do(writes.start_stage, 2, lane, {}, recipe={})
            await store.do(writes.finish_stage, 2, lane, attempt, {}, 1.0)
        await store.do(writes.start_stage, 2, Lane.EVALUATE, {"votes_per_prompt": 1}, opponent=0)
        yield store


@pytest.fixture
def ledger(store: Store) -> Ledger:
    return Ledger(store.folder / ARENA)


def intake(store: Store, said: list[str]) -> Intake:
    desk = ArenaDesk(store.folder / ARENA, ArenaOrder(), LocalProcess(), store.owner.path)
    return Intake(store, desk, said.append)


def ballot(number: int, **fields: object) -> Ballot:
    usual = Ballot(
        f"key-{number}", f"battle-{number}", Source.PRODUCT, "p", "exp-0002", "exp-0000", 2, 0, f"voter-{number}",
        Choice.A, "", None, False, False, time.time(),
    )  # fmt: skip
    return replace(usual, **fields)  # type: ignore[arg-type]


def shown(number: int) -> Pair:
    asked = ({"role": "user", "content": f"question \x1b[31m{number}"},)
    return Pair(
        f"battle-{number}", 2, 0, "p", asked, "exp-0002", "exp-0000", "mine", "yours", Source.PRODUCT, False, False, 0.0
    )


@examples(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(st.integers(0, 400), max_size=8), max_size=6), st.data())
async def test_whatever_comes_in_whatever_order_each_ballot_is_one_vote_also_where_the_place_is_lost(
    store: Store, ledger: Ledger, batches: list[list[int]], data: st.DataObject
) -> None:
    taking = intake(store, [])
    for batch in batches:
        ledger.add_ballots([ballot(number) for number in batch])
        if data.draw(st.booleans(), label="killed"):
            taking = intake(store, [])
        if data.draw(st.booleans(), label="place lost"):
            await store.do(writes.set_insight, CURSOR, {"seq": 0})
        await taking.take()
    votes = store.read.votes(2)
    assert sorted(vote.key for vote in votes) == sorted(f"arena:{each.key}" for each in ledger.ballots(0, 10_000))
    tally = store.read.tally(2, "exp-0002", "exp-0000")
    assert tally.decisive == len(votes)


async def test_a_pair_takes_as_many_votes_as_count_before_the_verdict_and_any_number_after_it(
    store: Store, ledger: Ledger
) -> None:
    heldout = {"battle": "b", "source": Source.HELDOUT, "prompt": "q"}
    judged = {"battle": "c", "source": Source.HELDOUT, "experiment": 1, "model_a": "exp-0001"}
    ledger.add_ballots([ballot(number, **heldout) for number in range(3)])
    await store.do(writes.cancel, 1, "judged")
    ledger.add_ballots([ballot(number, **judged) for number in range(3, 6)])
    await intake(store, []).take()
    assert [vote.voter for vote in store.read.votes(2)] == ["voter-0"]
    assert [vote.voter for vote in store.read.votes(1)] == ["voter-3", "voter-4", "voter-5"]


async def test_what_is_no_vote_of_this_run_is_said_once_and_attention_checks_make_doubts_not_votes(
    store: Store, ledger: Ledger
) -> None:
    said: list[str] = []
    foreign = [ballot(number, model_a="exp-0099", experiment=99) for number in range(3)]
    ledger.add_ballots([*foreign, ballot(7, source=Source.ATTENTION, model_a="attention"), ballot(8)])
    await intake(store, said).take()
    assert [vote.key for vote in store.read.votes()] == ["arena:key-8"]
    foreign_line, doubt = said
    assert foreign_line == "a vote on exp-0099 and exp-0000 is not counted: they are not of this run"
    assert "voter-7 fails attention checks" in doubt


async def test_what_a_product_showed_can_be_read_in_the_run_up_to_a_bound(
    store: Store, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arena_votes, "SAMPLES", 5)
    ledger.add_pairs([shown(number) for number in range(20)])
    taking = intake(store, [])
    for start in (0, 10):
        ledger.add_ballots([ballot(number) for number in range(start, start + 10)])
        await taking.take()
    answers = store.read.answers(2)
    assert len(answers) == 10 and {answer.text for answer in answers} == {"mine", "yours"}
    assert "\x1b" not in store.read.prompts(answers[0].prompt)[answers[0].prompt]
    assert len(store.read.votes(2)) == 20


def test_nobody_who_reports_votes_is_taken_for_a_judge_or_for_a_person_at_a_dashboard() -> None:
    votes, _ = votes_of([ballot(1, voter="judge:gpt"), ballot(2, voter="person:ana")], 3)
    assert [vote.voter for vote in votes] == ["reported judge:gpt", "reported person:ana"]


def test_a_reported_vote_is_on_the_question_that_is_open_on_its_models_else_on_the_later_model() -> None:
    def numbered(asked: dict[frozenset[str], tuple[int, int]]) -> list[tuple[int, int]]:
        row = {"id": 1, "model_a": "exp-0001", "model_b": "exp-0002", "choice": "a", "voter": "v"}
        votes: list[Vote] = votes_of_page(Page((("row 1", row),), "1"), 3, asked)[0]
        return [(vote.experiment, vote.test) for vote in votes]

    pair = frozenset(("exp-0001", "exp-0002"))
    assert numbered({}) == [(2, 0)]
    assert numbered({pair: (1, 0)}) == [(1, 0)], "a candidate that meets a younger champion"
    assert numbered({pair: (2, 4)}) == [(2, 4)], "a promotion test"
