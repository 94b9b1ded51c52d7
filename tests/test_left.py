"""A category in which everything was tried binds nobody: neither a zoom-out nor a streak sends the agent there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from speaking import Scripted

from checkpoints import writes
from checkpoints.records import Change, Proposal
from checkpoints.store import Store
from runner.agent.agent import Agent
from runner.agent.left import left
from runner.agent.memory import Memory, remember
from runner.program import Program
from runner.script.space import FileSpace

TEXT = """\
---
goal: "better answers"
model: org/model
data:
  sources: {good: good.jsonl, bad: bad.jsonl}
  heldout: {prompts: prompts.jsonl}
recipe: {data: {filters: {deduplicate: true}}}
space:
  data.filters.deduplicate: {choices: [false, true]}
  training.beta: {min: 0.001, max: 9}
  lora.r: {choices: [8, 16, 32]}
zoom_out: {every: 1000, plateau: 1000, streak: 3}
---
Look at the data first.
"""


@pytest.fixture
def plan(tmp_path: Path) -> Program:
    return Program.parse(TEXT, tmp_path / "program.md")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path) as store:
        store.submit(writes.propose, Proposal("the program's own", "baseline", None, "program")).result()
        store.submit(writes.crash, 0, "told to").result()
        yield store


def tried(store: Store, plan: Program, *changes: Change) -> Memory:
    """What is remembered once these went wrong."""
    for change in changes:
        proposal = Proposal("", plan.space.category_of(change), change, "test")
        number = store.submit(writes.put_forward, proposal, plan.space.canonical(change)).result()
        store.submit(writes.crash, number, "told to").result()
    return remember(store.read, plan, store.read.rows())


def deduplicated() -> Change:
    return Change("data.filters.deduplicate", True, False)


def ranks(plan: Program) -> list[Change]:
    now = plan.start["lora"]["r"]
    return [Change("lora.r", now, rank) for rank in (8, 16, 32) if rank != now]


def test_what_has_been_tried_in_full_is_no_place_to_look(store: Store, plan: Program) -> None:
    assert left(tried(store, plan)) == ("data", "loss", "capacity")
    assert left(tried(store, plan, deduplicated())) == ("loss", "capacity")
    assert left(tried(store, plan, *ranks(plan))) == ("loss",), "a range always has another value"


def test_where_files_are_edited_something_is_always_left(store: Store, plan: Program) -> None:
    memory = replace(tried(store, plan), space=FileSpace(("train.py",)))
    assert left(memory) == memory.space.categories


def test_a_zoom_out_lets_go_of_categories_in_which_nothing_is_left(store: Store, plan: Program) -> None:
    store.submit(writes.add_zoom_out, "forced", "", "look there", ["data", "capacity", "loss"]).result()
    assert tried(store, plan, deduplicated()).allowed == ("capacity", "loss")
    memory = tried(store, plan, *ranks(plan)[:1])
    assert memory.allowed == ("capacity", "loss") and set(memory.barred) == set()


def test_a_zoom_out_that_names_only_what_was_tried_binds_nobody(store: Store, plan: Program) -> None:
    tried(store, plan, *ranks(plan))
    store.submit(writes.add_zoom_out, "forced", "", "look there", ["capacity"]).result()
    memory = tried(store, plan)
    assert memory.allowed == () and memory.barred == {}


def test_a_streak_bars_no_category_where_nothing_is_left_in_the_others(store: Store, plan: Program) -> None:
    streak = [Change("training.beta", 0.1, beta) for beta in (1.0, 2.0, 3.0)]
    assert set(tried(store, plan, deduplicated(), *streak).barred) == {"loss"}
    memory = tried(store, plan, *ranks(plan), *(replace(change, new=change.new + 4) for change in streak))
    assert memory.barred == {}


async def test_who_takes_stock_is_not_offered_what_was_tried_in_full(store: Store, plan: Program) -> None:
    said = {"taking_stock": "knobs only", "doubts": "", "categories": ["loss"]}
    model = Scripted(store, said | {"directions": [{"category": "loss", "text": "hold less"}]})
    await Agent(model, store).take_stock(tried(store, plan, deduplicated()), "forced", "")
    [asked] = model.asked
    assert asked.schema is not None
    assert asked.schema["properties"]["categories"]["items"]["enum"] == ["loss", "capacity"]


async def test_what_is_open_is_handed_over_once_however_little_room_there_is(store: Store, plan: Program) -> None:
    for budget in (100_000, 600, 500, 400, 300):
        model = Scripted(store, "nothing")
        with pytest.raises(Exception, match="nothing acceptable"):
            await Agent(model, store).propose(replace(tried(store, plan), budget=budget))
        said = model.asked[0].messages[1]["content"]
        for field in plan.space.fields:
            assert said.count(f"\n{field} (") == 1, (budget, field)
