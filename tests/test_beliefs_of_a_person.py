"""What a person believes comes first, and not for ever; a belief is a plan, supported or refuted by what stands now."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from proposing import said
from sleeping import program
from speaking import Scripted
from test_agent import asked
from test_memory import judged

from checkpoints import writes
from checkpoints.records import PERSON, Change, HypothesisStatus, Outcome, Proposal, State
from checkpoints.store import Store
from runner.agent.agent import Agent
from runner.agent.playbook import Playbook
from runner.agent.proposal import TRIES, wanted
from runner.planner import Planner
from runner.recollection import Recollection


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path) as store:
        yield store


@pytest.mark.parametrize(
    "answer", ["no JSON", said(), said(belief=1, new=99) | {"differs": "x" * 20_000}, said(belief=[1])]
)
async def test_whatever_a_model_answers_a_persons_hypothesis_comes_first_only_so_often(
    store: Store, answer: object
) -> None:
    _, planner = await asked(store, answer)
    mine = await store.do(writes.add_hypothesis, "hold on less", "loss", None, PERSON)
    assert await planner.propose()
    assert [one.belief for one in store.read.refusals()] == [mine] * TRIES
    assert wanted(await planner.memory()) == []


async def test_each_of_two_hypotheses_has_its_tries(store: Store) -> None:
    _, planner = await asked(store, said(belief=2, new=99))
    for text in ("hold on less", "hold on more"):
        await store.do(writes.add_hypothesis, text, "loss", None, PERSON)
    assert await planner.propose()
    assert [one.number for one in wanted(await planner.memory())] == [1]


async def believed(store: Store, *outcomes: Outcome) -> None:
    """One belief, tested by an experiment with each of these verdicts."""
    await store.do(writes.propose, Proposal("the program's own", "baseline", None, "program"))
    await judged(store, 0, Outcome.KEEP, None)
    number = await store.do(writes.add_hypothesis, "hold on less", "loss")
    for new, outcome in enumerate(outcomes, 2):
        proposal = Proposal("hold on less", "loss", Change("training.beta", 0.1, new), "model", belief=number)
        tested = await store.do(writes.put_forward, proposal, f"hash {new}")
        champion = store.read.champion()
        await judged(store, tested, outcome, champion.experiment if champion else None)
        await store.do(writes.settle_hypothesis, tested)


def status(store: Store) -> HypothesisStatus:
    return store.read.hypotheses()[0].status


@pytest.mark.parametrize(
    ("outcomes", "says"),
    [
        ((Outcome.KEEP,), HypothesisStatus.SUPPORTED),
        ((Outcome.DISCARD, Outcome.KEEP), HypothesisStatus.SUPPORTED),
        ((Outcome.KEEP, Outcome.DISCARD), HypothesisStatus.REFUTED),
        ((Outcome.DISCARD, Outcome.INCONCLUSIVE), HypothesisStatus.REFUTED),
        ((Outcome.INCONCLUSIVE,), HypothesisStatus.OPEN),
    ],
)
async def test_a_belief_is_as_the_last_decisive_verdict_says(
    store: Store, outcomes: tuple[Outcome, ...], says: HypothesisStatus
) -> None:
    await believed(store, *outcomes)
    assert status(store) is says


async def test_a_persons_word_stands_above_the_verdict_until_it_is_undone(store: Store) -> None:
    await believed(store, Outcome.KEEP, Outcome.INCONCLUSIVE)
    await store.do(writes.veto, 1, "it lies")
    assert status(store) is HypothesisStatus.REFUTED
    await store.do(writes.keep, 2, "kept anyway")
    assert status(store) is HypothesisStatus.SUPPORTED
    await store.do(writes.unkeep, 2)
    assert status(store) is HypothesisStatus.REFUTED
    await store.do(writes.keep, 1, "")
    assert status(store) is HypothesisStatus.SUPPORTED


async def test_what_the_playbook_believed_goes_with_its_proposal_and_what_a_model_believed_stays_a_plan(
    store: Store,
) -> None:
    _, planner = await asked(store, said(text="hold on less"))
    assert await planner.propose()
    await store.do(writes.withdraw, "a zoom-out was forced")
    planner.change_proposer(Playbook())
    for _ in range(2):
        assert await planner.propose()
        await store.do(writes.withdraw, "a zoom-out was forced")
    assert len(store.read.hypotheses()) == 3
    assert [one.text for one in (await planner.memory()).plans] == ["hold on less"]


async def test_nothing_is_put_that_branches_from_what_was_vetoed_meanwhile(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    await believed(store, Outcome.KEEP, Outcome.KEEP)
    monkeypatch.setattr(Recollection, "base", lambda *_: 1 if store.read.experiment(1).state is State.KEPT else None)
    model = Scripted(store, said("training.learning_rate", 0.002, "optimiser"))
    model.heard.clear()
    planner = Planner(store, program(store.folder, 99), Agent(model, store))
    proposing = asyncio.create_task(planner.propose())
    async with asyncio.timeout(10):
        while not model.asked:
            await asyncio.sleep(0.01)
        await store.do(writes.veto, 1, "it lies")
        model.heard.set()
        assert await proposing
    assert [one.reason for one in store.read.refusals()] == [
        "exp-0001, which it branches from, was taken back meanwhile"
    ]
    assert [one.proposal.base for one in store.read.experiments(State.PROPOSED)] == [None]
