"""A language model proposes: told what was wrong, kept to one change, and never waited for by the train lane."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from laws import broken_laws
from proposing import said
from sleeping import drive, program
from speaking import Scripted

from checkpoints import writes
from checkpoints.records import (
    PERSON,
    Expected,
    Experiment,
    HypothesisStatus,
    Interval,
    Lane,
    Outcome,
    Proposal,
    Row,
    State,
    Verdict,
)
from checkpoints.store import Store
from checkpoints.thought import Purpose
from runner.agent.agent import REPAIRS, Agent
from runner.agent.asking import Unusable
from runner.agent.calibration import calibrated
from runner.agent.playbook import Playbook
from runner.planner import Planner

FAST = {Lane.TRAIN: 0.15, Lane.UPLOAD: 0.01, Lane.EVALUATE: 0.02, Lane.ANALYZE: 0.01}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path) as store:
        yield store


async def asked(store: Store, *answers: object) -> tuple[Scripted, Planner]:
    """A run that waits for what is proposed after the baseline."""
    model = Scripted(store, *answers)
    await store.do(writes.create_run, "run", "goal", 99, 1)
    planner = Planner(store, program(store.folder, 99), Agent(model, store))
    await planner.propose()
    await store.do(writes.cancel, 0, "out of the way")
    return model, planner


def said_by(store: Store, kind: str) -> list[str]:
    return [event.text for event in store.read.events() if event.kind == kind]


async def test_a_proposal_is_put_with_its_hypothesis_written_down_and_its_exchange_linked(store: Store) -> None:
    model, planner = await asked(store, said(text="hold on less"))
    assert await planner.propose()
    [one] = store.read.experiments(State.PROPOSED)
    assert one.proposal.proposer == "openai/scripted" and str(one.proposal.change) == "training.beta 0.1 → 0.2"
    assert one.proposal.expected == Expected(0.03, "less than 51 % of the votes")
    [hypothesis] = [each for each in store.read.hypotheses() if each.text == "hold on less"]
    assert (hypothesis.number, hypothesis.experiments) == (one.proposal.belief, (one.number,))
    assert hypothesis.refuted_by == "less than 51 % of the votes"
    assert [each.purpose for each in store.read.exchanges(one.number)] == [Purpose.PROPOSE]
    assert "sleep better" in model.asked[0].messages[1]["content"]


async def test_what_was_wrong_is_told_kept_and_put_right(store: Store) -> None:
    model, planner = await asked(
        store, "no JSON at all", said(new=99), said(also=[{"field": "lora.r", "new": 8}]), said()
    )
    assert await planner.propose()
    told = [question.messages[-1]["content"] for question in model.asked[1:]]
    assert ["no JSON" in told[0], "out of range" in told[1], "two variables" in told[2]] == [True] * 3
    assert [question.purpose for question in model.asked] == [Purpose.PROPOSE] + [Purpose.REPAIR] * 3
    reasons = [(refusal.proposer, refusal.exchange) for refusal in store.read.refusals()]
    assert reasons == [("openai/scripted", number) for number in (1, 2, 3)]
    assert len([text for text in said_by(store, "proposal") if "was refused: " in text]) == 3
    [one] = store.read.experiments(State.PROPOSED)
    assert [each.number for each in store.read.exchanges(one.number)] == [1, 2, 3, 4]


async def test_refused_for_good_its_hypothesis_stays_open_and_the_playbook_proposes_visibly(store: Store) -> None:
    model, planner = await asked(store, said(new=99, text="hold on much less"))
    assert await planner.propose()
    [one] = store.read.experiments(State.PROPOSED)
    assert one.proposal.proposer == "playbook" and len(model.asked) == REPAIRS + 1
    assert "proposed nothing acceptable 4 times in a row, at last: training.beta: 99.0" in said_by(store, "agent")[0]
    [left] = [each for each in store.read.hypotheses() if each.text == "hold on much less"]
    assert (left.status, left.experiments) == (HypothesisStatus.OPEN, ())


async def test_an_answer_of_a_megabyte_is_refused_and_not_kept_whole(store: Store) -> None:
    _, planner = await asked(store, said() | {"differs": "x" * 1_000_000, "category": "faith"}, said())
    assert await planner.propose()
    [refused] = store.read.refusals()
    assert len(str(refused.proposal)) < 10_000 and "'faith' is not open" in refused.reason


async def test_where_nobody_can_be_asked_the_playbook_proposes_and_the_reason_is_said_once(store: Store) -> None:
    away = Unusable("openai/scripted rests: asked again in 30 s")
    _, planner = await asked(store, away, Unusable("openai/scripted rests: asked again in 12 s"), said(), away)
    for number in (1, 2, 3, 4):
        assert await planner.propose()
        await store.do(writes.cancel, number, "out of the way")
    proposers = [one.proposal.proposer for one in store.read.experiments()][1:]
    assert proposers == ["playbook", "playbook", "openai/scripted", "playbook"]
    assert said_by(store, "agent") == ["the playbook proposes: openai/scripted rests: asked again in 30 s"] * 2


async def test_the_train_lane_does_not_wait_and_what_comes_late_is_the_next_proposal(store: Store) -> None:
    model, planner = await asked(store, said())
    model.heard.clear()
    async with asyncio.timeout(20):
        assert await planner.propose(lambda: True)
    assert store.read.experiment(1).proposal.proposer == "playbook"
    assert said_by(store, "agent") == ["the playbook proposes: openai/scripted is still thinking"]
    await store.do(writes.cancel, 1, "out of the way")
    model.heard.set()
    assert await planner.propose(lambda: True)
    assert store.read.experiment(2).proposal.proposer == "openai/scripted" and len(model.asked) == 1


async def test_a_thought_that_no_longer_fits_is_refused_and_thought_anew(store: Store) -> None:
    model, planner = await asked(store, said(new=0.7), said(new=0.8))
    model.heard.clear()
    thinking = asyncio.create_task(planner.propose())
    await asyncio.sleep(0.1)
    same = Proposal("a person's", "loss", program(store.folder, 9).space.change(
        {"field": "training.beta", "new": 0.7}, program(store.folder, 9).start
    ), PERSON)  # fmt: skip
    await store.do(writes.put_forward, same, planner.program.space.canonical(same.change))  # type: ignore[arg-type]
    model.heard.set()
    assert await thinking and store.read.count(State.PROPOSED) == 1
    await store.do(writes.start_stage, 1, Lane.TRAIN, {}, recipe=planner.program.start)
    assert await planner.propose()
    assert str(store.read.experiment(2).proposal.change) == "training.beta 0.1 → 0.8"
    assert "is under way as #1" in store.read.refusals()[0].reason


async def test_a_run_that_is_left_ends_at_once_whatever_is_thought_about(store: Store) -> None:
    model, planner = await asked(store, said())
    model.heard.clear()
    thinking = asyncio.create_task(planner.propose())
    await asyncio.sleep(0.1)
    planner.leave()
    async with asyncio.timeout(1):
        assert not await thinking


async def test_another_proposer_takes_over_from_one_that_is_still_thinking(store: Store) -> None:
    model, planner = await asked(store, said())
    model.heard.clear()
    thinking = asyncio.create_task(planner.propose())
    await asyncio.sleep(0.1)
    planner.change_proposer(Playbook())
    async with asyncio.timeout(5):
        assert await thinking
    assert store.read.experiment(1).proposal.proposer == "playbook"


async def test_a_loop_with_a_model_that_never_answers_goes_through_its_experiments(store: Store) -> None:
    model = Scripted(store, said())
    model.heard.clear()
    async with asyncio.timeout(30):
        await drive(store, 3, FAST, proposer=Agent(model, store))
    assert broken_laws(store.read, 3) == []
    assert {one.proposal.proposer for one in store.read.experiments()} == {"program", "playbook"}


def row(expected: float | None, rate: tuple[float, float, float] | None) -> Row:
    foreseen = None if expected is None else Expected(expected, "")
    proposal = Proposal("", "data", None, "model", expected=foreseen)
    experiment = Experiment(1, State.KEPT, proposal, None, 0, 0, 0.0, None, "")
    found = Interval(*rate) if rate else None
    verdict = Verdict(1, Outcome.KEEP, 1, 1, 0, found, None, None, None, "", 0.0)
    return Row(experiment, verdict)


def test_what_was_expected_is_compared_with_what_came() -> None:
    rows = [row(0.03, (0.56, 0.52, 0.60)), row(0.10, (0.48, 0.44, 0.52)), row(None, (0.6, 0.5, 0.7)), row(0.1, None)]
    found = calibrated(rows)
    assert (found.experiments, found.right_sign, found.covered) == (2, 1, 1)
    assert (found.expected, found.found) == (pytest.approx(0.065), pytest.approx(0.02))
    assert str(found) == (
        "of 2 expected effects 1 had the right sign, 1 lie within the 95 % interval of what came;"
        " +6.5 points expected on average, +2.0 points came"
    )
    assert "no effect" in str(calibrated([]))
    nothing = str(calibrated([row(0.03, (0.4999, 0.4, 0.6))]))
    assert nothing.endswith(", +0.0 points came"), "nothing has no sign"
