"""Where something is left to try: a category all of whose values were tried binds nobody and bars nobody else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from checkpoints.records import Change, Proposal
from runner.agent.checks import check
from runner.change import ChangeRefused
from runner.fields import Knob, get, kind_of

if TYPE_CHECKING:
    from runner.agent.memory import Memory

_LOOKS = 16
"""Steps of a range that are looked at: where nothing is acceptable at any of them, nobody is sent there."""


def left(memory: Memory) -> tuple[str, ...]:
    """Open categories in which something is acceptable that was not tried; a file may always be edited once more.

    Args:
        memory: Of what was tried, with the recipe that the next change is applied to.
    """
    fields, space = memory.space.fields, memory.space
    found = {
        space.category_of(Change(field, None, None))
        for field, knob in fields.items()
        if isinstance(knob, Knob) and any(_acceptable(change, memory) for change in _changes(field, knob, memory))
    }
    known = all(isinstance(knob, Knob) for knob in fields.values())
    return tuple(category for category in space.categories if category in found) if known else space.categories


def _changes(field: str, knob: Knob, memory: Memory) -> Iterator[Change]:
    try:
        old = get(memory.recipe, field)
    except ChangeRefused:
        return  # a recipe that was stored before the field existed
    for new in _values(knob, whole=kind_of(field) == "whole"):
        yield Change(field, old, new)


def _values(knob: Knob, whole: bool) -> Iterator[Any]:
    if knob.choices is not None:
        yield from knob.choices
        return
    assert knob.min is not None and knob.max is not None
    for step in range(_LOOKS + 1):
        value = knob.min + (knob.max - knob.min) * step / _LOOKS
        yield round(value) if whole else value


def _acceptable(change: Change, memory: Memory) -> bool:
    try:
        category = memory.space.category_of(change)
        check(Proposal("", category, change, ""), memory, obliged=False)
    except ChangeRefused:
        return False
    return True
