"""Inject: a person's idea becomes the next experiment; says what the program opens."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from rich.cells import cell_len
from rich.text import Text

from checkpoints.reader import Reader
from checkpoints.records import Json
from tui.screens.question import Choice, Question
from tui.signs import BRIGHT, GREY
from tui.widgets.lines import fitted, said

_AROUND = 13
"""Lines of the dialogue that are not the list of fields."""


@dataclass(frozen=True, slots=True)
class Open:
    """A field that the program opens."""

    field: str
    now: str
    """Its value in the champion's recipe."""

    allowed: str


def read_space(folder: Path, champion: int) -> list[Open]:
    """What the program in force opens. Takes its time: YAML is imported."""
    from runner.front_matter import read_document
    from runner.program_error import ProgramError

    with closing(Reader(folder)) as read:
        program, recipe = read.program(), read.recipes(champion).get(champion, {})
    try:
        space: object = read_document(program.text, "program.md").values.get("space") if program else None
    except ProgramError:
        return []
    if not isinstance(space, dict):
        return []
    knobs = cast(Mapping[object, object], space)
    return [Open(str(field), _now(recipe, str(field)), _allowed(knob)) for field, knob in knobs.items()]


def inject(space: Sequence[Open], height: int) -> Question:
    """Asks for the idea.

    Args:
        space: Of ``read_space``.
        height: Rows of the terminal.
    """
    told = Text("It becomes the next experiment, before what is prepared: one field, one new value.\n")
    told.append("field = value: why", f"bold {BRIGHT}")
    room = max(height - _AROUND, 1)
    shown = space[: room if len(space) <= room else room - 1]
    names = max((cell_len(each.field) for each in shown), default=0)
    values = max((cell_len(each.now) for each in shown), default=0)
    for each in shown:
        told.append("\n  ").append_text(fitted(said(each.field, BRIGHT), names))
        told.append("  ").append_text(fitted(said(each.now, GREY), values))
        told.append(" → ", GREY).append_text(said(each.allowed, GREY))
    if more := len(space) - len(shown):
        told.append(f"\n  and {more} more: see space: in program.md", GREY)
    return Question("Inject", told, [Choice("inject", "")], "training.beta = 0.2: hold on less", needed=True)


def _now(recipe: object, path: str) -> str:
    """The value at a dotted path of a recipe."""
    head, _, rest = path.partition(".")
    value: object = cast(Json, recipe).get(head) if isinstance(recipe, dict) else None
    return _now(value, rest) if rest else _written(value)


def _written(value: object) -> str:
    """As a person would write it in the form."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list | bool) or value is None else str(value)


def _allowed(knob: object) -> str:
    if not isinstance(knob, dict):
        return str(knob)
    words = cast(Mapping[str, Any], knob)
    if isinstance(choices := words.get("choices"), Sequence):
        return "one of " + ", ".join(map(_written, cast(Sequence[object], choices)))
    return f"{words.get('min')} to {words.get('max')}"
