"""A proposal is read, never trusted: what is wrong with it is said, and nothing gets past its checks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from proposing import said
from sleeping import program

from checkpoints.records import (
    PERSON,
    Change,
    Expected,
    Experiment,
    Hypothesis,
    HypothesisStatus,
    Json,
    Outcome,
    Proposal,
    Row,
    State,
    ZoomOut,
)
from checkpoints.thought import Refusal
from runner.agent.checks import check
from runner.agent.diversity import barred
from runner.agent.memory import Memory, Tried
from runner.agent.proposal import TRIES, read, schema
from runner.change import ChangeRefused

PLAN = program(Path("/nowhere"), 99)
BLANK = Memory(PLAN.goal, PLAN.prose, 0, PLAN.start, PLAN.space, (), frozenset(), (), None)
CATEGORIES = PLAN.space.categories


def tried(*changes: Change, outcome: Outcome | None = Outcome.DISCARD, memory: Memory = BLANK, **how: Any) -> Memory:
    """What is remembered when some changes were tried on the baseline."""
    each = tuple(
        Tried(number, PLAN.space.category_of(change), change, outcome, how.get("vetoed", False), None, "no", parent=0)
        for number, change in enumerate(changes, len(memory.tried) + 1)
    )
    hashes = {PLAN.space.canonical(change) for change in changes}
    return replace(memory, tried=memory.tried + each, hashes=memory.hashes | hashes)


def refusal(value: Json, memory: Memory = BLANK) -> str:
    with pytest.raises(ChangeRefused) as caught:
        check(read(value, memory, "model"), memory)
    return str(caught.value)


def may_test(memory: Memory) -> list[int | None]:
    """Hypotheses that the next proposal may take up; None is a new one."""
    return schema(memory)["properties"]["hypothesis"]["properties"]["belief"]["enum"]


def test_a_proposal_is_read_with_all_that_it_says() -> None:
    memory = tried(Change("training.beta", 0.1, 0.3))
    proposal = read(said(rests_on=[1, 0, 1], text="hold on less", differs="other data"), memory, "openai/m")
    check(proposal, memory)
    assert proposal == Proposal(
        "hold on less: it holds less", "loss", Change("training.beta", 0.1, 0.2), "openai/m", None,
        Expected(0.03, "less than 51 % of the votes"), (1, 0), "other data",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ({}, "hypothesis.text is empty; expected.effect: null is not a finite number; expected.refuted_by is empty"),
        (said(text=" \n"), "hypothesis.text is empty"),
        (said(text=["x"]), "hypothesis.text is empty"),
        (said(belief=7), "hypothesis.belief: 7 is no open plan"),
        (said(rests_on=[3, True, "1"]), "hypothesis.rests_on: there is no experiment 3, true, '1'"),
        (said(effect=float("nan")), "expected.effect: nan is not a finite number"),
        (said(effect=True), "expected.effect: true is not a finite number"),
        (said(effect=3), "expected.effect: 3 is no gain in win rate; 0.03 is three points above even"),
        (said(category="faith"), "category: 'faith' is not open; open: data, loss, capacity, optimiser"),
        (said(category="data"), "category: a change of training.beta is of loss, not of data"),
        (said("evaluate.alpha", 0.4), "evaluate.alpha: not open to change"),
        (said("training.adam_beta1", 0.8), "training.adam_beta1: outside the space"),
        (said(new=99), "training.beta: 99.0 is out of range; allowed: 0.001 to 9"),
        (said(new=0.1), "training.beta: the champion's recipe already has 0.1"),
        (said(also=[{"field": "lora.r", "new": 8}]), "two variables: training.beta and lora.r"),
        (said() | {"change": [{"field": "lora.r"}, {"field": "training.beta"}]}, "change: 2 changes; an experiment"),
        (said() | {"change": "training.beta = 0.2"}, "change is missing"),
        (said() | {"change": {"new": 1}}, "a change is an object with field, new and also"),
        (said(new="x" * 1_000_000), "training.beta: 'xxxx"),
    ],
)
def test_what_is_wrong_with_a_proposal_is_said_to_whoever_made_it(value: Json, reason: str) -> None:
    told = refusal(value)
    assert reason in told and len(told) < 1000


def test_everything_that_is_wrong_is_said_at_once() -> None:
    told = refusal(said(new=99, effect=3, belief=7))
    assert [part.split(":")[0] for part in told.split("; ")][:2] == [
        "hypothesis.belief",
        "null is a hypothesis of your own",
    ]
    assert "expected.effect" in told and "training.beta: 99.0 is out of range" in told


def test_what_was_tried_comes_again_only_with_what_is_different_and_only_where_something_is() -> None:
    once = tried(Change("training.beta", 0.1, 0.2))
    assert "was tried before as #1, discard; say in `differs`" in refusal(said(), once)
    assert "nothing is different, #1 made the same change to the same recipe" in refusal(said(differs="luck"), once)
    later = replace(once, champion=5)
    check(read(said(differs="the data is cleaner"), later, "model"), later)
    under_way = tried(Change("training.beta", 0.1, 0.2), outcome=None)
    assert "is under way as #1" in refusal(said(differs="so what"), under_way)
    skipped = replace(BLANK, hashes=frozenset({PLAN.space.canonical(Change("training.beta", 0.1, 0.2))}))
    assert "a person skipped it" in refusal(said(differs="so what"), skipped)


def test_a_vetoed_change_stays_out_alone_and_with_what_goes_along() -> None:
    memory = tried(Change("lora.r", 16, 8), vetoed=True)
    told = refusal(said("lora.r", 8, "capacity", differs="please"), memory)
    assert told == "lora.r 16 → 8: a person vetoed this change as #1: no"
    check(read(said("lora.r", 4, "capacity"), memory, "model"), memory)


def test_going_back_to_what_the_champion_was_kept_over_needs_a_reason() -> None:
    kept = tried(Change("training.beta", 0.1, 0.2), outcome=Outcome.KEEP)
    recipe = PLAN.space.apply(Change("training.beta", 0.1, 0.2), PLAN.start)
    memory = replace(kept, champion=1, recipe=recipe)
    assert "goes back to what #1 was made of" in refusal(said(new=0.1), memory)
    check(read(said(new=0.1, differs="seen with fresh voters"), memory, "model"), memory)


def test_a_persons_hypothesis_comes_first_and_outranks_what_is_barred_until_it_was_refused_too_often() -> None:
    mine = Hypothesis(4, "hold on less", "loss", HypothesisStatus.OPEN, (), PERSON)
    memory = replace(BLANK, hypotheses=(mine,), barred={"loss": "zoom-out 1 asks for data"})
    assert may_test(memory) == [4]
    assert "what the person believes comes first: 4 ('hold on less')" in refusal(said(), memory)
    proposal = read(said(belief=4), memory, "model")
    check(proposal, memory)
    assert (proposal.belief, proposal.hypothesis) == (4, "hold on less: it holds less")
    refused = tuple(Refusal(n, 0.0, "model", {"text": "…"}, "no", None, 4) for n in range(TRIES))
    assert schema(replace(memory, refusals=refused))["properties"]["hypothesis"]["properties"]["belief"]["enum"] == [
        None,
        4,
    ]
    tested = replace(tried(Change("training.beta", 0.1, 0.3)), hypotheses=(replace(mine, experiments=(1,)),))
    assert may_test(tested) == [None]


def test_what_is_barred_is_neither_in_the_schema_nor_let_through() -> None:
    memory = replace(BLANK, barred={"loss": "the last 3 proposals were loss, none was kept"})
    asked = schema(memory)
    assert "loss" not in asked["properties"]["category"]["enum"]
    fields = [option["properties"]["field"]["enum"][0] for option in asked["properties"]["change"]["anyOf"]]
    assert "training.beta" not in fields and "training.learning_rate" in fields
    assert refusal(said(), memory) == "not loss now: the last 3 proposals were loss, none was kept"


def rows(*categories: str, kept: tuple[int, ...] = ()) -> list[Row]:
    return [
        Row(
            Experiment(
                number, State.KEPT if number in kept else State.DISCARDED,
                Proposal("", category, None, "model"), None, 0, 0, float(number), None, "",
            ),
            None,
        )
        for number, category in enumerate(("baseline", *categories))
    ]  # fmt: skip


def test_three_of_a_category_in_a_row_without_a_keep_bar_it() -> None:
    def now(*categories: str, kept: tuple[int, ...] = ()) -> list[str]:
        return list(barred(rows(*categories, kept=kept), [], None, CATEGORIES, 3, {}))

    assert now("loss", "loss") == []
    assert now("loss", "loss", "loss") == ["loss"]
    assert now("loss", "loss", "loss", kept=(2,)) == []
    assert now("loss", "data", "loss", "loss") == []
    assert list(barred(rows("loss", "loss", "loss"), [], None, ("loss",), 3, {})) == []


def test_a_quota_bars_a_category_until_others_have_had_their_share() -> None:
    def now(*categories: str, quota: float) -> dict[str, str]:
        return barred(rows(*categories), [], None, CATEGORIES, 99, {"data": quota})

    assert now(quota=0.5) == {} and [*now("data", "loss", quota=0.5)] == ["data"]
    assert now("data", quota=0.5)["data"].endswith(
        "1 of 1 proposals since the last zoom-out were data, its quota is 50%"
    )
    assert now("data", "loss", "loss", quota=0.5) == {} and [*now(quota=0)] == ["data"]


def test_a_zoom_out_bars_all_that_it_does_not_name_and_outranks_streaks() -> None:
    step = ZoomOut(2, "streak", "", "", ("loss",), 0.5)
    found = barred(rows("loss", "loss", "loss"), [step], step, CATEGORIES, 3, {"loss": 0.0})
    assert sorted(found) == ["capacity", "data", "optimiser"] and found["data"] == "zoom-out 2 asks for loss"
    unknown = replace(step, categories=("faith",))
    assert barred(rows(), [unknown], unknown, CATEGORIES, 3, {}) == {}
