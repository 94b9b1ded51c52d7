"""The algebra of changes, groups among them: apply, take back, two in a row as one, and one hash for one change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from checkpoints.records import Change, Json
from runner.change import ChangeRefused, contains, invert
from runner.fields import get
from runner.groups import GROUPS
from runner.program import Program
from runner.space import Space

PROGRAM = Program.parse(
    """\
---
goal: "better answers"
model: org/model
data:
  sources: {good: good.jsonl, bad: bad.jsonl}
  heldout: {prompts: prompts.jsonl}
recipe:
  data: {mix: {good: 1, bad: 1}}
space:
  data.mix.good: {min: 0, max: 4}
  data.filters.min_margin: {min: 0, max: 2}
  training.learning_rate: {min: 1e-6, max: 1e-2, scale: log}
  training.loss_type: {choices: [[sigmoid], [sigmoid, sft], [ipo]]}
  training.max_steps: {min: -1, max: 100}
  training.num_train_epochs: {min: 0.5, max: 4}
  training.warmup_steps: {min: 0, max: 50}
  training.per_device_train_batch_size: {min: 1, max: 64}
  training.gradient_accumulation_steps: {min: 1, max: 64}
  lora.r: {choices: [4, 8, 16, 32]}
  lora.lora_alpha: {min: 1, max: 256}
---
""",
    Path("/nowhere/program.md"),
)
SPACE: Space = PROGRAM.space
START = PROGRAM.start


def values(field: str) -> st.SearchStrategy[Any]:
    knob = SPACE.fields[field]
    if knob.choices is not None:
        return st.sampled_from([list(each) if field.endswith("loss_type") else each for each in knob.choices])
    assert knob.min is not None and knob.max is not None
    if isinstance(get(START, field), int):
        return st.integers(int(knob.min), int(knob.max))
    return st.floats(knob.min, knob.max).map(lambda value: float(f"{value:.6g}"))


@st.composite
def changes(draw: st.DrawFn, recipe: Json = START, fields: tuple[str, ...] = tuple(SPACE.fields)) -> Change:
    """Changes of one variable that can be made to a recipe, with or without what may go along."""
    field = draw(st.sampled_from(fields))
    along = draw(st.sets(st.sampled_from(GROUPS[field].along))) if field in GROUPS else set[str]()
    first, *also = [Change(name, get(recipe, name), draw(values(name))) for name in (field, *sorted(along))]
    change = Change(first.field, first.old, first.new, tuple(also))
    try:
        SPACE.check(change, recipe)
    except ChangeRefused:
        assume(False)
    return change


@settings(max_examples=40, deadline=None)
@given(changes())
def test_applied_and_taken_back_a_change_gives_the_recipe_back(change: Change) -> None:
    changed = SPACE.apply(change, START)
    assert SPACE.apply(invert(change), changed) == START
    assert invert(invert(change)) == change


@settings(max_examples=40, deadline=None)
@given(changes())
def test_a_change_alters_what_it_names_and_nothing_else(change: Change) -> None:
    changed = SPACE.apply(change, START)
    named = {change.field, *(each.field for each in change.also)}
    assert {field for field in SPACE.fields if get(changed, field) != get(START, field)} == named


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_two_changes_in_a_row_are_one_that_comes_to_the_same(data: st.DataObject) -> None:
    first = data.draw(changes())
    once = SPACE.apply(first, START)
    second = data.draw(changes(once, (first.field, *(each.field for each in first.also))))
    twice = SPACE.apply(second, once)
    try:
        both = SPACE.compose(first, second)
    except ChangeRefused as refused:
        assert "two variables" in str(refused)
        return
    assert (SPACE.apply(both, START) if both else START) == twice


@settings(max_examples=40, deadline=None)
@given(changes())
def test_a_change_and_what_takes_it_back_are_no_change_at_all(change: Change) -> None:
    assert SPACE.compose(change, invert(change)) is None


def test_two_variables_in_a_row_are_not_one_change() -> None:
    with pytest.raises(ChangeRefused, match=r"two variables: training\.learning_rate and lora\.r"):
        SPACE.compose(Change("training.learning_rate", 5e-5, 1e-4), Change("lora.r", 16, 8))
    with pytest.raises(ChangeRefused, match="one change ends at 8, the next starts from 16"):
        SPACE.compose(Change("lora.r", 16, 8), Change("lora.r", 16, 4))


def test_a_hash_does_not_tell_in_which_order_the_fields_of_a_group_are_named_nor_how_numbers_are_written() -> None:
    size, steps = "training.per_device_train_batch_size", "training.gradient_accumulation_steps"
    one = Change(size, 8, 16, (Change(steps, 1, 2),))
    other = Change(steps, "1", "2", (Change(size, 8, 16.0),))
    assert SPACE.canonical(one) == SPACE.canonical(other)
    assert SPACE.canonical(one) != SPACE.canonical(Change(size, 8, 16))


def test_a_group_is_one_variable_and_anything_else_along_is_refused_with_the_reason() -> None:
    both = Change("lora.r", 16, 32, (Change("lora.lora_alpha", 32, 64),))
    assert get(SPACE.apply(both, START), "lora.lora_alpha") == 64
    with pytest.raises(ChangeRefused, match=r"two variables: lora\.r and training\.learning_rate; with lora\.r may go"):
        SPACE.check(Change("lora.r", 16, 32, (Change("training.learning_rate", 5e-5, 1e-4),)), START)
    with pytest.raises(ChangeRefused, match=r"training\.learning_rate is altered alone"):
        SPACE.check(Change("training.learning_rate", 5e-5, 1e-4, (Change("lora.r", 16, 8),)), START)
    with pytest.raises(ChangeRefused, match=r"lora\.lora_alpha: 999\.0 is out of range"):
        SPACE.check(Change("lora.r", 16, 32, (Change("lora.lora_alpha", 32, 999),)), START)
    with pytest.raises(ChangeRefused, match="a field is named twice"):
        SPACE.check(Change("lora.r", 16, 32, (both.also[0], both.also[0])), START)


def test_a_change_contains_the_parts_that_it_is_made_of() -> None:
    both = Change("lora.r", 16, 32, (Change("lora.lora_alpha", 32, 64),))
    assert contains(both, Change("lora.r", 8, 32), SPACE.canonical)
    assert not contains(Change("lora.r", 8, 32), both, SPACE.canonical)
    assert not contains(both, Change("lora.r", 16, 8), SPACE.canonical)


@settings(max_examples=40, deadline=None)
@given(changes())
def test_the_schema_takes_every_change_that_can_be_made_and_it_is_read_back(change: Change) -> None:
    said: Json = {"field": change.field, "new": change.new}
    if change.field in GROUPS:
        said["also"] = [{"field": each.field, "new": each.new} for each in change.also]
    Draft202012Validator(SPACE.schema(START)).validate(said)
    assert SPACE.change(said, START) == change


@pytest.mark.parametrize(
    "said",
    [
        {"field": "method", "new": "sft"},
        {"field": "lora.r", "new": 12, "also": []},
        {"field": "lora.lora_alpha", "new": 1e9},
        {"field": "training.learning_rate", "new": 1e-4, "also": [{"field": "lora.r", "new": 8}]},
        {"field": "lora.r", "new": 8, "also": [{"field": "training.learning_rate", "new": 1e-4}]},
        {"field": "lora.r", "new": 8, "also": "lora.lora_alpha"},
        {"field": "training.max_steps", "new": True, "also": []},
        {"field": ["lora.r"], "new": 8},
        {"new": 8},
    ],
)
def test_what_the_schema_does_not_take_is_refused_where_a_model_says_it_all_the_same(said: Json) -> None:
    assert not Draft202012Validator(SPACE.schema(START)).is_valid(said)
    with pytest.raises(ChangeRefused):
        SPACE.change(said, START)


def test_what_is_open_is_told_with_its_value_its_range_and_what_may_go_along() -> None:
    told = SPACE.describe(START)
    assert "training.learning_rate (optimiser): now 5e-05; 1e-06 to 0.01, by ratio" in told
    assert "lora.r may be altered with lora.lora_alpha: an adapter is scaled by alpha / r" in told
    closed = SPACE.without(["lora.lora_alpha"]).describe(START)
    assert "lora.lora_alpha" not in closed
