"""What a person writes for the agent: notes that stand until they are taken back, and ideas."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from sleeping import program
from test_pipeline import FAST, SLOW_VOTES, intervene, running, until

from checkpoints import writes
from checkpoints.records import Change, HypothesisStatus, Lane, Proposal, State, Step
from checkpoints.store import Store
from checkpoints.thought import Message
from runner.agent.memory import Memory
from runner.agent.playbook import Playbook
from runner.agent.stock import Stock
from runner.agent.talk import Reply
from runner.noted import inject
from runner.planner import Planner

CALM = FAST | {Lane.TRAIN: 0.3}


class Listening:
    """Proposes as a model does: makes a change of the first open hypothesis of a person, else of anything."""

    name = "test/listening"

    def __init__(self, seconds: float = 0.0) -> None:
        self.memories: list[Memory] = []
        self.seconds = seconds
        """How long it thinks."""

    async def propose(self, memory: Memory) -> Proposal | None:
        self.memories.append(memory)
        await asyncio.sleep(self.seconds)
        proposal = await Playbook().propose(memory)
        wanted = [one for one in memory.hypotheses if one.source == "person" and not one.experiments]
        if proposal is None or not wanted:
            return proposal and Proposal(proposal.hypothesis, proposal.category, proposal.change, self.name)
        change = Change("lora.r", memory.recipe["lora"]["r"], 4 if memory.recipe["lora"]["r"] != 4 else 8)
        return Proposal(wanted[0].text, wanted[0].category, change, self.name, belief=wanted[0].number)

    async def take_stock(self, memory: Memory, trigger: str, steering: str) -> Stock:
        raise AssertionError("no zoom-out is due here")

    async def answer(self, memory: Memory, turns: Sequence[Message], question: str) -> Reply:
        raise AssertionError("nobody asks here")

    async def close(self) -> None: ...


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    with Store(tmp_path) as store:
        yield store


def notes(store: Store) -> list[tuple[int, str]]:
    return [(note.number, note.text) for note in store.read.notes()]


async def test_a_note_is_added_changed_and_taken_back_and_each_can_be_undone_once(store: Store) -> None:
    async with running(store, 1, seconds=CALM):
        await until(store, State.TRAINING, 1)
        assert await intervene(store, Step.NOTE, text=" short answers ") == (
            "note 1 is in the agent's memory from now on"
        )
        assert await intervene(store, Step.NOTE, text="short answers only", of=1) == "note 1 was changed"
        assert notes(store) == [(1, "short answers only")]
        refused = "refused: note 1 was changed or taken back since; undo that first"
        assert await intervene(store, Step.UNDO, of=1) == refused
        assert await intervene(store, Step.NOTE, of=1) == "note 1 was taken back"
        assert notes(store) == []
        assert await intervene(store, Step.UNDO, of=4) == "note 1 stands again"
        assert notes(store) == [(1, "short answers only")]
        assert await intervene(store, Step.UNDO, of=4) == "refused: the note was undone before"
        assert await intervene(store, Step.UNDO, of=2) == "note 1 says again what it said before"
        assert notes(store) == [(1, "short answers")]
        assert await intervene(store, Step.UNDO, of=1) == "note 1 is taken back"
        assert notes(store) == []


async def test_a_note_that_says_nothing_or_too_much_or_is_not_there_is_refused_in_a_line(store: Store) -> None:
    async with running(store, 1, seconds=CALM):
        await until(store, State.TRAINING, 1)
        assert await intervene(store, Step.NOTE, text="  ") == "refused: a note needs words"
        too_much = "refused: a note has at most 2,000 characters; this one has 2,001"
        assert await intervene(store, Step.NOTE, text="x" * 2001) == too_much
        assert await intervene(store, Step.NOTE, text="other", of=7) == "refused: there is no note 7"
        assert await intervene(store, Step.NOTE, of="7") == "refused: a note is changed by its number"
    assert notes(store) == []


async def test_a_hypothesis_waits_for_a_model_where_the_playbook_proposes_and_that_is_said(store: Store) -> None:
    async with running(store, 1, seconds=CALM):
        await until(store, State.TRAINING, 1)
        said = await intervene(
            store, Step.INJECT, text="rank 8 is enough: people see no difference", category="capacity"
        )
        assert said.endswith("it waits for a model (agent.model), the playbook cannot turn words into a change")
        again = await intervene(store, Step.INJECT, text="rank 8 is enough: people see no difference", category="data")
        assert again.endswith("says that already")
        assert "no category taste" in await intervene(store, Step.INJECT, text="sweeter", category="taste")
        assert "a hypothesis with its category" in await intervene(store, Step.INJECT, text="sweeter")
        assert "has at most 1,000" in await intervene(store, Step.INJECT, text="x" * 1001, category="data")
    (mine,) = [one for one in store.read.hypotheses() if one.source == "person"]
    assert (mine.text, mine.category) == ("rank 8 is enough: people see no difference", "capacity")
    assert (mine.status, mine.experiments) == (HypothesisStatus.OPEN, ())


async def test_a_model_is_handed_a_persons_hypothesis_before_what_was_prepared(store: Store) -> None:
    model = Listening()
    async with running(store, 3, seconds=SLOW_VOTES, proposer=model):
        await until(store, State.PROPOSED, 2)
        said = await intervene(store, Step.INJECT, text="a smaller rank will do", category="capacity")
        assert said.endswith("test/listening makes a change of it next")
        await until(store, State.CANCELLED, 2)
        await until(store, State.TRAINING, 3)
    tests_it = store.read.experiment(3).proposal
    assert (tests_it.hypothesis, tests_it.category) == ("a smaller rank will do", "capacity")
    mine = next(one for one in store.read.hypotheses() if one.source == "person")
    assert mine.experiments == (3,)


async def test_what_a_model_thinks_about_when_a_hypothesis_comes_is_let_go(store: Store) -> None:
    plan, model = program(store.folder, 3), Listening(0.3)
    planner = Planner(store, plan, model)
    await store.do(writes.create_run, plan.name, plan.goal, 3, 7)
    await store.do(writes.propose, Proposal("the program's own", "baseline", None, "program"))
    await store.do(writes.start_stage, 0, Lane.TRAIN, {}, recipe=plan.start, parent=None)
    thought = asyncio.create_task(planner.propose())
    while not model.memories:
        await asyncio.sleep(0.005)
    await store.do(writes.intervene, Step.INJECT, None, "", {"text": "a smaller rank will do", "category": "capacity"})
    await inject(store, planner, store.read.interventions()[0])
    assert await thought
    assert store.read.experiment(1).proposal.hypothesis == "a smaller rank will do"


async def test_a_change_with_a_category_is_a_change_and_a_sentence_with_a_sign_is_not(store: Store) -> None:
    async with running(store, 2, seconds=CALM):
        await until(store, State.TRAINING, 1)
        assert (await intervene(store, Step.INJECT, text="training.beta = 0.2: why not", category="loss")).startswith(
            "next: training.beta 0.1 → 0.2"
        )
        said = await intervene(store, Step.INJECT, text="size = quality: bigger is better", category="capacity")
        assert "was written down" in said


async def test_a_hypothesis_stays_written_down_and_undo_says_so(store: Store) -> None:
    async with running(store, 1, seconds=CALM):
        await until(store, State.TRAINING, 1)
        await intervene(store, Step.INJECT, text="a smaller rank will do", category="capacity")
        assert "what came of the inject stays" in await intervene(store, Step.UNDO, of=1)
