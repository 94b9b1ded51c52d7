"""The space of changes: what may be changed, what is refused and why, and when two changes are the same."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkpoints.records import Change
from lanes.recipe import Recipe
from runner.change import ChangeRefused
from runner.fields import Interface, get, interface_of, kind_of
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
  data: {mix: {good: 0, bad: 1}}
  training: {learning_rate: 1e-3}
space:
  data.mix.good: {min: 0, max: 4}
  data.mix.bad: {min: 0, max: 4}
  data.filters.min_margin: {min: 0.5, max: 2}
  data.filters.languages: {choices: [null, [en], [en, de]]}
  data.filters.deduplicate: {choices: [false, true]}
  training.learning_rate: {min: 1e-4, max: 1e-2, scale: log}
  training.loss_type: {choices: [[sigmoid], [sigmoid, sft]]}
  training.max_steps: {min: -1, max: 100}
  lora.r: {choices: [4, 8, 16]}
  deployment.temperature: {min: 0.1, max: 1}
---
""",
    Path("/nowhere/program.md"),
)
SPACE: Space = PROGRAM.space
START = PROGRAM.baseline().model_dump(mode="json")


@st.composite
def changes(draw: st.DrawFn) -> Change:
    """Changes inside the space that do alter the starting recipe and leave one that is valid."""
    field = draw(st.sampled_from([field for field in SPACE.fields if field != "data.mix.bad"]))
    knob, now = SPACE.fields[field], get(START, field)
    if knob.choices is not None:
        values: st.SearchStrategy[Any] = st.sampled_from(
            [list(each) if isinstance(each, tuple) else each for each in knob.choices]
        )
    else:
        assert knob.min is not None and knob.max is not None
        whole = kind_of(field) == "whole"
        values = st.integers(int(knob.min), int(knob.max)) if whole else st.floats(knob.min, knob.max)
    new = draw(values.filter(lambda value: not _close(value, now)))
    return Change(field, now, new)


def _close(one: Any, other: Any) -> bool:
    return one == pytest.approx(other, rel=1e-9) if isinstance(other, float) else one == other


def refusal(change: Change, recipe: dict[str, Any] = START) -> str:
    with pytest.raises(ChangeRefused) as caught:
        SPACE.check(change, recipe)
    return str(caught.value)


@given(changes())
def test_a_change_that_was_applied_can_be_read_back_and_alters_nothing_else(change: Change) -> None:
    changed = SPACE.apply(change, START)
    assert get(changed, change.field) == change.new
    undone = copy.deepcopy(changed)
    *parents, name = change.field.split(".")
    get(undone, ".".join(parents))[name] = change.old
    assert undone == START


@given(changes())
def test_the_inverse_of_a_change_gives_the_recipe_back(change: Change) -> None:
    changed = SPACE.apply(change, START)
    assert SPACE.apply(Change(change.field, change.new, change.old), changed) == START


@given(changes())
def test_applying_a_change_leaves_the_recipe_that_it_was_given_alone(change: Change) -> None:
    given_recipe = copy.deepcopy(START)
    SPACE.apply(change, given_recipe)
    assert given_recipe == START


@given(changes())
def test_a_change_cannot_be_applied_twice(change: Change) -> None:
    assert "the champion's recipe already has" in refusal(change, SPACE.apply(change, START))


@given(st.floats(1e-4, 1e-2).map(lambda number: float(f"{number:.6g}")))
def test_a_change_has_one_hash_however_its_number_is_written(number: float) -> None:
    spellings: list[object] = [number, repr(number), f"{number:.9e}", f"{number:.15f}", number * 3 / 3]
    hashes = {SPACE.canonical(Change("training.learning_rate", 1e-3, spelling)) for spelling in spellings}
    assert len(hashes) == 1


def test_whole_floats_whole_numbers_and_their_spellings_are_one_change() -> None:
    assert len({SPACE.canonical(Change("data.mix.good", 0, new)) for new in (1, 1.0, "1", "1e0", "1.0")}) == 1
    assert len({SPACE.canonical(Change("lora.r", 16, new)) for new in (8, 8.0, "8")}) == 1
    assert SPACE.canonical(Change("data.mix.good", 0, 0.0)) == SPACE.canonical(Change("data.mix.good", 1, -0.0))


def test_the_hash_tells_fields_and_values_apart_but_not_where_a_change_starts_from() -> None:
    one = SPACE.canonical(Change("data.mix.good", 0, 1))
    assert one == SPACE.canonical(Change("data.mix.good", 3, 1))
    assert one != SPACE.canonical(Change("data.mix.bad", 0, 1))
    assert one != SPACE.canonical(Change("data.mix.good", 0, 2))
    booleans = {SPACE.canonical(Change("data.filters.deduplicate", None, new)) for new in (True, False)}
    assert len(booleans) == 2


def test_the_order_in_which_losses_are_listed_makes_no_new_change() -> None:
    hashes = {
        SPACE.canonical(Change("training.loss_type", None, new)) for new in (["sigmoid", "sft"], ["sft", "sigmoid"])
    }
    assert len(hashes) == 1


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (Change("training.learning_rat", 1e-3, 2e-3), "no such field; did you mean learning_rate?"),
        (Change("training.beta", 0.1, 0.2), "outside the space; open: data.mix.good, "),
        (Change("method", "dpo", "sft"), "not open to change; open are data.*, training.*, lora.*, deployment.*"),
        (Change("evaluate.alpha", 0.05, 0.4), "not open to change"),
        (Change("training", {}, {"learning_rate": 1}), "a part of the recipe, not a field"),
        (Change("data.mix", {}, {"good": 1}), "a part of the recipe, not a field"),
        (Change("data.mix.unknown", 0, 1), "outside the space"),
        (Change("training.learning_rate.x", 0, 1), "no such field"),
        (Change("training.learning_rate", 1e-3, 0.02), "0.02 is out of range; allowed: 0.0001 to 0.01"),
        (Change("training.learning_rate", 1e-3, 2), "2 does not fit; allowed: above 0, at most 1 (a float)"),
        (Change("training.learning_rate", 1e-3, float("nan")), "nan does not fit"),
        (Change("training.learning_rate", 1e-3, True), "true does not fit"),
        (Change("training.learning_rate", 1e-3, None), "null does not fit"),
        (Change("training.max_steps", -1, 1.5), "1.5 does not fit; allowed: at least -1 (a whole number)"),
        (Change("lora.r", 16, 12), "12 is out of range; allowed: one of 4, 8, 16"),
        (Change("data.filters.min_margin", None, 0.1), "0.1 is out of range; allowed: 0.5 to 2"),
        (Change("data.filters.languages", None, ["fr"]), "['fr'] is out of range"),
        (Change("training.learning_rate", 1e-3, 1e-3), "the champion's recipe already has 0.001"),
        (Change("training.learning_rate", 2e-3, 1e-2), "the change starts from 0.002, the champion has 0.001"),
        (Change("data.mix.bad", 1, 0), "makes no recipe: data.mix needs at least one source with a weight above 0"),
    ],
)
def test_a_change_that_cannot_be_made_is_refused_with_the_reason(change: Change, reason: str) -> None:
    assert reason in refusal(change)


def test_a_filter_that_started_off_may_be_switched_off_again() -> None:
    on = SPACE.apply(Change("data.filters.min_margin", None, 1), START)
    assert SPACE.apply(Change("data.filters.min_margin", 1.0, None), on) == START


def test_a_number_written_as_text_is_applied_as_a_number() -> None:
    changed = SPACE.apply(Change("training.learning_rate", "1e-3", "2e-3"), START)
    assert get(changed, "training.learning_rate") == 2e-3


def test_what_was_applied_is_a_complete_recipe() -> None:
    changed = SPACE.apply(Change("lora.r", 16, 8), START)
    assert Recipe.model_validate(changed).model_dump(mode="json") == changed


def test_the_fields_of_a_recipe_belong_to_three_interfaces_and_the_rest_of_the_program_to_none() -> None:
    assert interface_of("data.mix.good") is Interface.DATA
    assert interface_of("training.beta") is Interface.TRAINING
    assert interface_of("lora.r") is Interface.TRAINING
    assert interface_of("deployment.temperature") is Interface.DEPLOYMENT
    for closed in ("method", "model", "evaluate.alpha", "data_heldout", "seed"):
        with pytest.raises(ChangeRefused):
            interface_of(closed)


def test_the_kind_of_a_field_says_how_it_can_be_stepped() -> None:
    assert kind_of("training.learning_rate") == "float"
    assert kind_of("data.filters.min_margin") == "float"
    assert kind_of("data.sample_size") == "whole"
    assert kind_of("training.loss_type") == "other"
    assert kind_of("data.filters.deduplicate") == "other"


def test_the_weight_of_the_only_source_changes_nothing_and_is_refused() -> None:
    with pytest.raises(ChangeRefused, match=r"data\.mix\.bad: 3\.0 leaves the mix as it is"):
        SPACE.check(Change("data.mix.bad", 1.0, 3.0), START)
    both = SPACE.apply(Change("data.mix.good", 0.0, 2.0), START)
    SPACE.check(Change("data.mix.bad", 1.0, 3.0), both)
