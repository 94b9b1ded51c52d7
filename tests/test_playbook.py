"""The playbook: one change at a time, never twice, within the space, and elsewhere after a zoom-out."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checkpoints import writes
from checkpoints.records import Outcome, Proposal, State, ZoomOut
from checkpoints.store import Store
from runner.agent.categories import CATEGORIES, category_of
from runner.agent.memory import Memory, Tried
from runner.agent.playbook import Playbook
from runner.planner import Planner
from runner.program import Program

TEXT = """\
---
goal: "better answers"
model: org/model
data:
  sources: {good: good.jsonl, bad: bad.jsonl}
  heldout: {prompts: prompts.jsonl}
recipe: {data: {mix: {good: 1, bad: 1}}, training: {learning_rate: 1e-3, max_steps: 30}}
space:
  data.mix.good: {min: 0, max: 4}
  data.filters.max_length: {min: 200, max: 8001}
  data.filters.deduplicate: {choices: [false, true]}
  training.learning_rate: {min: 1e-4, max: 1e-2, scale: log}
  training.warmup_steps: {min: 0, max: 0.3}
  training.loss_type: {choices: [[sigmoid], [ipo], [sigmoid, sft]]}
  training.max_steps: {min: 5, max: 100}
  training.neftune_noise_alpha: {min: 1, max: 15}
  lora.r: {choices: [8, 16, 32]}
  deployment.temperature: {min: 0.1, max: 1}
budget: {experiments: 1000}
zoom_out: {every: 1000, plateau: 1000, streak: 1000}
---
"""
PROGRAM = Program.parse(TEXT, Path("/nowhere/program.md"))
SPACE = PROGRAM.space


def blank() -> Memory:
    """Nothing was tried."""
    recipe = PROGRAM.baseline().model_dump(mode="json")
    return Memory(PROGRAM.goal, PROGRAM.prose, 0, recipe, SPACE, (), frozenset(), (), None)


def after(memory: Memory, proposal: Proposal, outcome: Outcome | None) -> Memory:
    """What is remembered once a proposal has met its fate."""
    assert proposal.change
    tried = Tried(len(memory.tried) + 1, proposal.category, proposal.change, outcome, False, None, "")
    kept = outcome is Outcome.KEEP
    return replace(
        memory,
        tried=(*memory.tried, tried),
        hashes=memory.hashes | {SPACE.canonical(proposal.change)},
        recipe=SPACE.apply(proposal.change, memory.recipe) if kept else memory.recipe,
    )


def proposals(memory: Memory, outcomes: Iterable[Outcome | None]) -> Iterator[tuple[Memory, Proposal]]:
    """Each proposal with the memory that it was made from, until there are none, or no more outcomes."""
    for outcome in outcomes:
        proposal = asyncio.run(Playbook().propose(memory))
        if proposal is None:
            return
        yield memory, proposal
        memory = after(memory, proposal, outcome)


@given(st.lists(st.sampled_from([*Outcome, None]), min_size=60, max_size=60))
@settings(max_examples=12, deadline=None)
def test_whatever_the_verdicts_every_proposal_is_new_and_fits_the_space(outcomes: list[Outcome | None]) -> None:
    hashes: list[str] = []
    for memory, proposal in proposals(blank(), outcomes):
        assert proposal.change and proposal.hypothesis and proposal.zoom_out is None
        assert proposal.category == category_of(proposal.change.field) and proposal.category in CATEGORIES
        SPACE.check(proposal.change, memory.recipe)
        hashes.append(SPACE.canonical(proposal.change))
    assert len(hashes) == len(set(hashes)) >= len(SPACE.fields)


def test_it_ends_when_all_was_tried_and_has_then_turned_every_knob() -> None:
    made = [proposal.change for _, proposal in proposals(blank(), [Outcome.DISCARD] * 200)]
    assert len(made) < 200
    assert {change.field for change in made if change} == set(SPACE.fields)


def test_a_whole_number_is_proposed_where_the_recipe_wants_one_even_where_it_starts_as_nothing() -> None:
    made = [proposal.change for _, proposal in proposals(blank(), [Outcome.DISCARD] * 200)]
    new = {field: [one.new for one in made if one and one.field == field] for field in SPACE.fields}
    assert new["data.filters.max_length"] and new["training.max_steps"]
    assert all(type(value) is int for value in new["data.filters.max_length"] + new["training.max_steps"])
    assert all(type(value) is float for value in new["training.learning_rate"])


def test_the_same_memory_gives_the_same_proposal() -> None:
    runs = [[proposal for _, proposal in proposals(blank(), [Outcome.DISCARD, None] * 5)] for _ in range(2)]
    assert runs[0] == runs[1]


def test_a_keep_of_less_is_followed_by_still_less_and_never_by_taking_it_back() -> None:
    memory, first = next(proposals(blank(), [Outcome.KEEP]))
    assert first.change and first.change.field == "data.mix.good"
    memory = after(memory, first, Outcome.KEEP)
    later = [one.change for _, one in proposals(memory, [Outcome.DISCARD] * 40)]
    again = [change.new for change in later if change and change.field == "data.mix.good"]
    assert (first.change.old, first.change.new) == (1.0, 3.0) and again[0] == 4.0


def test_after_a_zoom_out_it_goes_where_nothing_was_tried_and_says_which_zoom_out_it_follows() -> None:
    *_, (memory, last) = proposals(blank(), [Outcome.DISCARD] * 3)
    memory = after(memory, last, Outcome.DISCARD)
    stock = asyncio.run(Playbook().take_stock(memory, "plateau", "the loss"))
    text, categories = stock.text, stock.categories
    been = {tried.category for tried in memory.tried}
    assert categories and been.isdisjoint(categories)
    assert "after 3 experiments (plateau)" in text and "Asked to look at: the loss" in text
    assert all(f"{category}: " in text for category in been)
    bound = replace(memory, zoom_out=ZoomOut(4, "plateau", "", text, categories, 0.0))
    for _, proposal in proposals(bound, [None] * len(categories)):
        assert (proposal.category in categories, proposal.zoom_out) == (True, 4)


def test_where_a_zoom_out_leaves_nothing_to_try_it_goes_on_elsewhere() -> None:
    bound = replace(blank(), zoom_out=ZoomOut(1, "forced", "", "", ("adapter",), 0.0))
    proposal = asyncio.run(Playbook().propose(bound))
    assert proposal and proposal.category != "adapter" and proposal.zoom_out is None


async def test_a_forced_zoom_out_moves_the_run_to_categories_that_it_has_not_tried(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        planner = Planner(store, PROGRAM, Playbook())
        assert await planner.propose()
        await store.do(writes.crash, 0, "told to")
        assert await planner.propose()
        first = store.read.experiment(1).proposal
        await store.do(writes.crash, 1, "told to")
        await planner.force_zoom_out("", lambda *_: None)
        named = store.read.zoom_outs()[-1].categories
        assert first.category not in named
        for number in range(2, 2 + len(named)):
            assert await planner.propose()
            proposal = store.read.experiment(number).proposal
            assert proposal.category in named and proposal.zoom_out == 1
            await store.do(writes.crash, number, "told to")
        assert await planner.propose()
        assert store.read.experiments(State.PROPOSED)[0].proposal.zoom_out is None


@pytest.mark.parametrize("category", CATEGORIES[:-1])
def test_every_category_has_fields_of_its_own(category: str) -> None:
    from lanes.recipe import Recipe

    parts = {name: field.annotation for name, field in Recipe.model_fields.items()}
    fields = [f"{part}.{name}" for part, model in parts.items() for name in getattr(model, "model_fields", {})]
    assert category in {category_of(field) for field in fields}


def test_a_recipe_from_before_a_field_existed_has_that_field_left_alone() -> None:
    memory = blank()
    older = replace(memory, recipe={name: part for name, part in memory.recipe.items() if name != "lora"})
    text = asyncio.run(Playbook().take_stock(older, "forced", "")).text
    fields = {proposal.change.field for _, proposal in proposals(older, [None] * 30) if proposal.change}
    assert text and "training.learning_rate" in fields and "lora.r" not in fields
