"""Whatever comes of a thought, the run goes on: with the playbook's proposal, after a pause, or by what is so now."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from proposing import said
from script_runs import edit, repository
from test_agent import asked

from checkpoints import writes
from checkpoints.records import Change, Lane, Level, Proposal, State
from checkpoints.store import Store, StoreError
from runner import offers
from runner.agent.agent import REPAIRS
from runner.agent.asking import Hopeless, Unusable
from runner.agent.memory import Memory
from runner.agent.playbook import Playbook
from runner.agent.stock import Stock, keep_own_stock, keep_stock
from runner.script.program import ScriptProgram
from runner.thinking import Dropped, Thinking


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path) as store:
        yield store


class Broken(Playbook):
    """A proposer with a mistake in it."""

    name = "openai/broken"

    def __init__(self, why: Exception) -> None:
        self.why = why

    async def propose(self, memory: Memory) -> Proposal | None:
        raise self.why


async def test_an_effect_larger_than_any_float_is_refused_like_every_other_number(store: Store) -> None:
    model, planner = await asked(store, said(effect=10**400), said())
    assert await planner.propose()
    assert "is not a finite number" in model.asked[1].messages[-1]["content"]
    assert store.read.experiments(State.PROPOSED)[0].proposal.proposer == "openai/scripted"


async def test_a_mistake_in_whoever_proposes_is_an_error_on_record_and_the_playbook_proposes(store: Store) -> None:
    _, planner = await asked(store, said())
    planner.change_proposer(Broken(ZeroDivisionError("by nothing\nat all")))
    assert await planner.propose()
    assert store.read.experiments(State.PROPOSED)[0].proposal.proposer == "playbook"
    [error] = [event for event in store.read.events() if event.level is Level.ERROR]
    assert error.text == "openai/broken cannot propose: ZeroDivisionError: by nothing at all"


async def test_what_cannot_be_recorded_any_more_still_ends_the_run(store: Store) -> None:
    _, planner = await asked(store, said())
    planner.change_proposer(Broken(StoreError("the disk is full")))
    with pytest.raises(StoreError):
        await planner.propose()
    assert store.read.count(State.PROPOSED) == 0


async def test_a_thought_that_has_just_ended_is_let_go_like_any_other() -> None:
    thinking, let = Thinking(), asyncio.Event()

    async def think() -> Proposal | None:
        await let.wait()
        asyncio.get_running_loop().call_soon(thinking.drop)  # it has come to something; nobody has taken it yet
        return Proposal("old", "loss", None, "model")

    waiting = asyncio.create_task(thinking.outcome(think, lambda: False))
    await asyncio.sleep(0)
    let.set()
    with pytest.raises(Dropped):
        await waiting


async def speechless(_: Memory) -> None:
    """A playbook that knows of nothing, as in a run that edits a script."""


async def test_a_long_outage_is_sat_out_with_growing_pauses_and_no_longer_than_the_service_rests(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = [Unusable("503: away")] * 25
    model, planner = await asked(store, *away, Unusable("it rests", seconds=0.003), said())
    monkeypatch.setattr(Playbook, "propose", staticmethod(speechless))
    monkeypatch.setattr(offers, "FIRST_SECONDS", 0.001)
    monkeypatch.setattr(offers, "LONGEST_SECONDS", 0.008)
    slept: list[float] = []
    wait = asyncio.timeout
    monkeypatch.setattr(offers.asyncio, "timeout", lambda seconds: slept.append(seconds) or wait(seconds))
    assert await planner.propose()
    assert store.read.experiments(State.PROPOSED)[0].proposal.proposer == "openai/scripted"
    pauses = [each for each in slept if each < 1]
    assert pauses[:5] == [0.001, 0.002, 0.004, 0.008, 0.008] and pauses[-1] == 0.003 and len(model.asked) == 27


async def test_the_hours_of_the_budget_end_an_outage(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    _, planner = await asked(store, Unusable("503: away"))
    monkeypatch.setattr(Playbook, "propose", staticmethod(speechless))
    monkeypatch.setattr(offers, "FIRST_SECONDS", 0.05)
    late = planner.program.model_copy(update={"budget": planner.program.budget.model_copy(update={"hours": 1e-5})})
    waiting = asyncio.create_task(planner.propose())
    await asyncio.sleep(0.1)
    planner.program = late
    async with asyncio.timeout(5):
        assert not await waiting
    assert "hours of the budget are over" in planner.why_finished()


def script(folder: Path) -> ScriptProgram:
    """A program in force that edits a script, of which the playbook knows nothing."""
    (folder / "code").mkdir()
    path = repository(folder / "code") / "program.md"
    return ScriptProgram.parse(path.read_text(), path)


@pytest.mark.parametrize("why", [Hopeless("401: no such key"), Unusable("the agent has used 9 of 9", spent=True)])
async def test_a_script_waits_for_a_person_at_once_where_there_is_no_key_or_a_cap_is_reached(
    store: Store, why: Unusable
) -> None:
    model, planner = await asked(store, why)
    planner.program = script(store.folder)
    with pytest.raises(offers.Halt, match=f"nobody else can propose: {why}"):
        await planner.propose()
    assert len(model.asked) == 1


async def test_a_script_waits_for_a_person_when_a_few_rounds_of_proposals_were_all_refused(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(offers, "FIRST_SECONDS", 0.001)
    model, planner = await asked(store, edit("nothing is there", "not in it", "x"))
    planner.program = script(store.folder)
    with pytest.raises(offers.Halt, match="nobody else can propose: .* proposed nothing acceptable 4 times"):
        await planner.propose()
    assert len(model.asked) == offers.ROUNDS * (REPAIRS + 1)


async def test_where_all_was_tried_and_a_model_knows_of_nothing_either_the_run_is_over_after_one_round(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, planner = await asked(store, said(new=99))
    monkeypatch.setattr(Playbook, "propose", staticmethod(speechless))
    assert not await planner.propose() and not await planner.propose()
    assert planner.why_finished().startswith("everything that the space opens was tried")
    assert len(model.asked) == REPAIRS + 1
    planner.think_anew()  # a person wants something
    assert not await planner.propose() and len(model.asked) == 2 * (REPAIRS + 1)


class Slow(Playbook):
    """Takes stock on schedule for as long as it is let, and sees what binds it."""

    name = "openai/slow"

    def __init__(self) -> None:
        self.began, self.let = asyncio.Event(), asyncio.Event()

    async def take_stock(self, memory: Memory, trigger: str, steering: str) -> Stock:
        if trigger == "forced":
            return Stock("the person's", ("data",))
        self.began.set()
        with contextlib.suppress(asyncio.CancelledError):  # its answer was on the way when it was taken back
            await self.let.wait()
        return Stock("its own", ("loss",))


async def test_a_zoom_out_that_a_person_forces_is_not_overruled_by_one_under_way(store: Store) -> None:
    _, planner = await asked(store, said())
    every = planner.program.zoom_out.model_copy(update={"every": 1})
    planner.program = planner.program.model_copy(update={"zoom_out": every})  # type: ignore[attr-defined]
    slow = Slow()
    planner.change_proposer(slow)
    await store.do(writes.put_forward, Proposal("h", "loss", Change("training.beta", 0.1, 0.2), slow.name), "h1")
    await store.do(writes.start_stage, 1, Lane.TRAIN, {}, recipe=planner.program.start)
    proposing = asyncio.create_task(planner.propose())
    async with asyncio.timeout(5):
        await slow.began.wait()
        await planner.force_zoom_out("the data", lambda *_: None)
        slow.let.set()
        assert await proposing
    assert [one.trigger for one in store.read.zoom_outs()] == ["forced"]
    [one] = store.read.experiments(State.PROPOSED)
    assert (one.proposal.category, one.proposal.zoom_out) == ("data", 1)


async def test_a_stock_that_was_begun_before_another_came_is_not_kept(store: Store) -> None:
    await store.do(keep_stock, "forced", "", Stock("the person's", ("data",)))
    await store.do(keep_own_stock, "scheduled", Stock("older", ("loss",)), 0)
    await store.do(keep_own_stock, "scheduled", Stock("newer", ("loss",)), 1)
    assert [one.text for one in store.read.zoom_outs()] == ["the person's", "newer"]


class Waiting(Playbook):
    """Proposes when it is let, by what it was handed before."""

    name = "openai/waiting"

    def __init__(self) -> None:
        self.handed: list[Memory] = []
        self.let = asyncio.Event()

    async def propose(self, memory: Memory) -> Proposal | None:
        self.handed.append(memory)
        proposal = await super().propose(memory)
        await self.let.wait()
        return proposal and replace(proposal, proposer=self.name)

    async def take_stock(self, memory: Memory, trigger: str, steering: str) -> Stock:
        return Stock("the person's", ("data",))


async def test_a_thought_that_a_forced_zoom_out_found_under_way_is_begun_anew(store: Store) -> None:
    _, planner = await asked(store, said())
    planner.change_proposer(waiting := Waiting())
    proposing = asyncio.create_task(planner.propose())
    async with asyncio.timeout(5):
        while not waiting.handed:
            await asyncio.sleep(0.01)
        await planner.force_zoom_out("", lambda *_: None)
        waiting.let.set()
        assert await proposing
    assert [one.proposal.zoom_out for one in store.read.experiments(State.PROPOSED)] == [1]


async def test_a_proposal_that_was_made_before_things_changed_is_not_put_after_it(store: Store) -> None:
    _, planner = await asked(store, said())
    planner.change_proposer(waiting := Waiting())
    proposing = asyncio.create_task(planner.propose())
    while not waiting.handed:
        await asyncio.sleep(0.001)
    async with planner.proposing:
        waiting.let.set()
        await asyncio.sleep(0.1)  # it is made, and waits to be put
        planner.think_anew()
    async with asyncio.timeout(5):
        assert await proposing and len(waiting.handed) == 2
