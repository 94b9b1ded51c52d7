"""A proposal as a language model says it: its JSON schema, and what is read from the answer. Refused, never mended."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import Any, cast

from checkpoints.records import BASELINE, PERSON, Change, Expected, Hypothesis, Json, Proposal
from runner.agent.memory import Memory
from runner.agent.mending import closed, list_in, text_in
from runner.change import ChangeRefused
from runner.problems import shown
from runner.space import ChangeSpace

SENTENCE, REASON = 300, 600
"""Characters of a sentence, and of a reason, that are kept."""

PLANS = 40
"""Open hypotheses that can be named."""

TRIES = 4
"""Refused proposals after which a person's hypothesis no longer goes before everything else."""

_HALF = 0.5


@dataclass(frozen=True, slots=True)
class Belief:
    """What an answer believes, whatever became of its change."""

    text: str
    category: str
    refuted_by: str
    number: int | None
    """Of the open hypothesis that it takes up; None where it is a new one."""


def plans(memory: Memory) -> list[Hypothesis]:
    """Those that can be named."""
    return memory.plans[:PLANS]


def wanted(memory: Memory) -> list[Hypothesis]:
    """A person's hypotheses that come before everything else, as long as they can be made a change of."""
    refused = Counter(one.belief for one in memory.refusals)
    return [one for one in plans(memory) if one.source == PERSON and refused[one.number] < TRIES]


def owed(value: Json, memory: Memory) -> int | None:
    """The person's hypothesis on whose account an answer is refused: the one that it takes up, else the first that it
    should have; each refusal is on one's account, so that none comes first for ever."""
    first = [one.number for one in wanted(memory)]
    named = _part(value, "hypothesis").get("belief")
    return next((number for number in first if number == named), first[0] if first else None)


def open_to(memory: Memory) -> tuple[ChangeSpace, tuple[str, ...]]:
    """The space and the categories that the next proposal may come from; what a person believes may be of any."""
    if wanted(memory) or not memory.barred:
        return memory.space, memory.space.categories
    closed_now = [
        name for name in memory.space.fields if memory.space.category_of(Change(name, None, None)) in memory.barred
    ]
    return memory.space.without(closed_now), tuple(c for c in memory.space.categories if c not in memory.barred)


def schema(memory: Memory) -> Json:
    """JSON schema of the next proposal: what it may do is decided here and by the checks, not by the prompt."""
    space, categories = open_to(memory)
    numbers: list[int | None] = [one.number for one in wanted(memory)]
    if not numbers:
        numbers = [None, *(one.number for one in plans(memory))]
    kinds = ["integer"] * any(numbers) + ["null"] * (None in numbers)
    return closed(
        hypothesis=closed(
            belief={"type": kinds, "enum": numbers, "description": "number of the open plan H… that you test, or null"},
            text={"type": "string", "description": "what you believe, in one sentence that an experiment can refute"},
            why={"type": "string", "description": "why you believe it, in at most two sentences"},
            rests_on={
                "type": "array",
                "items": {"type": "integer"},
                "description": "numbers of the experiments that speak for it; empty where none does",
            },
        ),
        category={"type": "string", "enum": [*categories], "description": "that of the field which is changed"},
        change=space.schema(memory.recipe),
        expected=closed(
            effect={"type": "number", "description": _unit(memory)},
            refuted_by={
                "type": "string",
                "description": "the result that would refute what you believe, in one sentence",
            },
        ),
        differs={
            "type": "string",
            "description": "where the same change was tried before: what is different now; else empty",
        },
    )


def read(value: Json, memory: Memory, proposer: str) -> Proposal:
    """What an answer proposes. It fits the schema where the model's maker keeps to it; nobody is trusted with that.

    Raises:
        ChangeRefused: It is no proposal, or its change could not be made; everything that is wrong, for its author.
    """
    wrong: list[str] = []
    belief = believed(value, memory, wrong)
    rests_on = _rests_on(_part(value, "hypothesis"), memory, wrong)
    expected = _expected(_part(value, "expected"), memory, wrong)
    if belief.category not in memory.space.categories:
        wrong.append(f"category: {shown(belief.category)} is not open; open: {', '.join(memory.space.categories)}")
    change = _change(value.get("change"), memory, wrong)
    if wrong or change is None:
        raise ChangeRefused("; ".join(wrong))
    zoom_out = memory.zoom_out.number if memory.zoom_out and belief.category in memory.allowed else None
    why = text_in(_part(value, "hypothesis").get("why"), REASON)
    return Proposal(
        f"{belief.text.rstrip('.')}: {why}" if why else belief.text, belief.category, change, proposer, zoom_out,
        expected, rests_on, text_in(value.get("differs"), SENTENCE), None, belief.number,
    )  # fmt: skip


def believed(value: Json, memory: Memory, wrong: list[str]) -> Belief:
    """What an answer believes; what is wrong with that is added to ``wrong``."""
    said = _part(value, "hypothesis")
    number, first = said.get("belief"), wanted(memory)
    plan = next((one for one in plans(memory) if one.number == number and not isinstance(number, bool)), None)
    text = plan.text if plan else text_in(said.get("text"), SENTENCE)
    if number is not None and plan is None:
        wrong.append(f"hypothesis.belief: {shown(number)} is no open plan; null is a hypothesis of your own")
    elif first and plan not in first:
        named = ", ".join(f"{one.number} ({shown(one.text)})" for one in first)
        wrong.append(f"hypothesis.belief: what the person believes comes first: {named}")
    if not text:
        wrong.append("hypothesis.text is empty")
    refuted_by = text_in(_part(value, "expected").get("refuted_by"), SENTENCE)
    return Belief(text, text_in(value.get("category"), SENTENCE), refuted_by, plan.number if plan else None)


def _rests_on(said: Json, memory: Memory, wrong: list[str]) -> tuple[int, ...]:
    known = {BASELINE, *(one.experiment for one in memory.tried)}
    numbers = list_in(said.get("rests_on"))
    if strange := [each for each in numbers if type(each) is not int or each not in known]:
        wrong.append(f"hypothesis.rests_on: there is no experiment {', '.join(map(shown, strange[:5]))}")
    return tuple(dict.fromkeys(each for each in numbers if each not in strange))


def _expected(said: Json, memory: Memory, wrong: list[str]) -> Expected:
    effect: Any = said.get("effect")
    if isinstance(effect, bool) or not isinstance(effect, int | float) or not _is_finite(effect):
        wrong.append(f"expected.effect: {shown(effect)} is not a finite number")
        effect = 0.0
    elif memory.in_votes and abs(effect) > _HALF:
        wrong.append(f"expected.effect: {effect:g} is no gain in win rate; 0.03 is three points above even")
    refuted_by = text_in(said.get("refuted_by"), SENTENCE)
    if not refuted_by:
        wrong.append("expected.refuted_by is empty")
    return Expected(float(effect), refuted_by)


def _is_finite(number: float) -> bool:
    try:
        return math.isfinite(number)
    except OverflowError:  # JSON has integers that are larger than any float
        return False


def _change(said: object, memory: Memory, wrong: list[str]) -> Change | None:
    if isinstance(said, list):
        wrong.append(f"change: {len(cast(list[object], said))} changes; an experiment makes one")
        return None
    if not isinstance(said, dict):
        wrong.append("change is missing")
        return None
    try:
        return memory.space.change(cast(Json, said), memory.recipe)
    except ChangeRefused as refused:
        wrong.append(str(refused))
        return None


def _part(value: Json, name: str) -> Json:
    said = value.get(name)
    return cast(Json, said) if isinstance(said, dict) else {}


def _unit(memory: Memory) -> str:
    if memory.in_votes:
        return "the gain that you expect, in win rate against the champion: 0.03 is three points above even"
    return "the gain over the champion that you expect, in the metric's unit; above 0 is better"
