"""The playbook: proposes without a model, from the levers that the program's space opens, by what worked so far.

Deterministic: the same memory gives the same proposal. It is what the first run, the tests and the comparison with a
language model use.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from checkpoints.records import PLAYBOOK, Change, Outcome, Proposal
from checkpoints.thought import Message
from runner.agent.categories import CATEGORIES, category_of
from runner.agent.checks import check
from runner.agent.memory import Memory, Tried
from runner.agent.stock import Stock, counted
from runner.agent.talk import Reply
from runner.change import ChangeRefused
from runner.fields import Knob, get, kind_of

_PRIOR = {
    "data": 1.0, "loss": 0.55, "adapter": 0.5, "capacity": 0.5, "schedule": 0.45, "optimiser": 0.45,
    "regularisation": 0.35, "deployment": 0.4,
}  # fmt: skip
"""How promising a category is before anything was tried: what people are shown to prefer depends on the data most."""

_LEFT_OUT = "what {name} rows teach decides more than any knob: leave them out"

_WHY = {
    "data.mix": "what {name} rows teach decides more than any knob: weigh them {new:g} instead of {old:g}",
    "data.filters.min_margin": "pairs whose answers differ little are noise: train on clear preferences only",
    "data.filters.deduplicate": "repeated rows are learnt by heart: take each once",
    "data.filters.languages": "rows in other languages than the traffic's dilute the signal",
    "data.filters.max_length": "long chosen answers teach length, not quality",
    "data.filters.min_length": "very short answers teach too little",
    "data.sample_size": "the number of rows is what limits the model now",
    "training.beta": "the hold on the reference model is not right for this data",
    "training.loss_type": "another preference loss fits these labels better",
    "training.label_smoothing": "some labels are wrong, so the loss should not trust them fully",
    "training.learning_rate": "the step size is not right for so few steps",
    "training.max_steps": "the number of steps is what limits the model now",
    "training.warmup_steps": "a gentler start keeps what the base model knows",
    "lora.r": "the adapter's rank is what limits the model now",
    "lora.lora_alpha": "the adapter's scale is not right",
    "deployment.temperature": "answers are sampled too far from, or too near to, what the model thinks best",
}
"""Beliefs by field, the longest path first to match."""


_NOBODY = (
    "Nobody is there to answer: the playbook proposes. Name a model in program.md, for example"
    " `agent: {model: openai/gpt-5}`, with its key in the environment."
)


class Playbook:
    """Proposes from a catalogue of levers."""

    name = PLAYBOOK

    async def propose(self, memory: Memory) -> Proposal | None:
        """The untried change of the best field of the best category; None when all was tried."""
        fields = sorted(_knobs(memory), key=lambda field: -_promise(field, memory))
        for obedient in (True, False):
            for field in fields:
                category = category_of(field)
                if obedient and (category in memory.barred or (memory.allowed and category not in memory.allowed)):
                    continue
                if change := self._untried(field, memory):
                    zoom_out = memory.zoom_out.number if memory.zoom_out and category in memory.allowed else None
                    return Proposal(_hypothesis(change), category, change, self.name, zoom_out)
        return None

    async def take_stock(self, memory: Memory, trigger: str, steering: str) -> Stock:
        """Count what was tried by category; the next proposals come from where nothing was, else where least was."""
        open_to = [
            category
            for category in CATEGORIES
            if any(category_of(field) == category and self._untried(field, memory) for field in _knobs(memory))
        ]
        tried = Counter(one.category for one in memory.tried)
        never = tuple(category for category in open_to if not tried[category])
        least = tuple(sorted(open_to, key=lambda category: tried[category])[:2])
        categories = never or least
        lines = counted(memory.tried, trigger, steering)
        lines.append(f"Never tried: {', '.join(never) or 'nothing that the space opens'}.")
        lines.append(f"Next from: {', '.join(categories) or 'nothing is left'}.")
        return Stock("\n".join(lines), categories)

    async def answer(self, memory: Memory, turns: Sequence[Message], question: str) -> Reply:
        """Say that nobody is there, and how to have somebody."""
        return Reply(_NOBODY)

    def _untried(self, field: str, memory: Memory) -> Change | None:
        try:
            old = get(memory.recipe, field)
        except ChangeRefused:
            return None  # a recipe that was stored before the field existed
        for new in _moves(_knobs(memory)[field], field, old, memory):
            change = Change(field, old, new)
            try:
                check(Proposal("", category_of(field), change, self.name), memory, obliged=False)
            except ChangeRefused:
                continue
            return change
        return None


def _knobs(memory: Memory) -> dict[str, Knob]:
    """What it knows how to turn: fields with a knob, and no files."""
    return {field: knob for field, knob in memory.space.fields.items() if isinstance(knob, Knob)}


def _promise(field: str, memory: Memory) -> float:
    """How promising a field is: its category's record, then its own; what is under way counts against it."""
    category = category_of(field)
    promise = _PRIOR.get(category, 0.3)
    for tried in memory.tried:
        if tried.category == category:
            promise *= _factor(tried, kept=1.25, lost=0.75, flying=0.75)
        if tried.change.field == field:
            promise *= _factor(tried, kept=1.2, lost=0.4, flying=0.3)
    return promise


def _factor(tried: Tried, kept: float, lost: float, flying: float) -> float:
    if tried.vetoed:
        return lost
    match tried.outcome:
        case Outcome.KEEP:
            return kept
        case None:
            return flying
        case Outcome.INCONCLUSIVE:
            return (1 + lost) / 2
        case _:
            return lost


def _moves(knob: Knob, field: str, old: Any, memory: Memory) -> Iterator[Any]:
    """Values to try for a field, the most telling first."""
    if knob.choices is not None:
        yield from (choice for choice in knob.choices if choice != old)
        return
    assert knob.min is not None and knob.max is not None
    whole = kind_of(field) == "whole"
    for value in _candidates(knob.min, knob.max, field, old, memory):
        value = round(value) if whole else float(f"{value:.4g}")
        if knob.min <= value <= knob.max and value != old:
            yield value


def _candidates(least: float, most: float, field: str, old: Any, memory: Memory) -> list[float]:
    """Numbers worth trying, whether they are in range or not."""
    if old is None:
        return [least + (most - least) * share for share in (0.5, 0.25)]
    down = _went_down(field, memory)
    if field.startswith("data.mix."):
        # A weight goes on the way that was found good: back to nothing of what was just kept would teach nobody.
        up = [old * 3 if old else 1.0, most]
        candidates = [up[0], least, up[1]] if down is None else [least] if down else up
    elif down:
        candidates = [old / 2, least, old * 2, old * 4, most, old / 4]
    else:
        candidates = [old * 2, old / 2, old * 4, most, least, old / 4]
    if not old:
        candidates += [least + (most - least) * share for share in (0.25, 0.5, 1.0)]
    return candidates


def _went_down(field: str, memory: Memory) -> bool | None:
    """Whether less of a field was kept, or more of it lost, so that less comes first; None while nothing is known."""
    for tried in reversed(memory.tried):
        change = tried.change
        if change.field == field and tried.outcome and isinstance(change.old, (int, float)):
            return (change.new < change.old) == (tried.outcome is Outcome.KEEP and not tried.vetoed)
    return None


def _hypothesis(change: Change) -> str:
    parts = change.field.split(".")
    for length in range(len(parts), 0, -1):
        if why := _WHY.get(".".join(parts[:length])):
            if parts[:2] == ["data", "mix"] and not change.new:
                why = _LEFT_OUT
            return why.format(name=parts[-1], old=change.old, new=change.new)
    return f"{change.field} matters and {change.new} is better than {change.old}"
