"""Inject: a person's idea becomes the next experiment; says what the program opens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, cast

from rich.text import Text

from checkpoints.reader import Reader
from checkpoints.records import Json
from runner.interventions import value_at
from tui.screens.question import Choice, Question
from tui.signs import BRIGHT, GREY
from tui.snapshot import Snapshot
from tui.widgets.lines import said

_AROUND = 13
"""Lines of the dialogue that are not the list of fields."""


def read_space(folder: Path) -> dict[str, str]:
    """What the program in force opens: what a field may be, by its path. Takes its time: YAML is imported."""
    from runner.front_matter import ProgramError, read_document

    with closing(Reader(folder)) as read:
        program = read.program()
    try:
        space: object = read_document(program.text, "program.md").values.get("space") if program else None
    except ProgramError:
        return {}
    if not isinstance(space, dict):
        return {}
    return {str(field): _allowed(knob) for field, knob in cast(Mapping[object, object], space).items()}


def inject(snapshot: Snapshot, space: Mapping[str, str], height: int) -> Question:
    """Asks for the idea.

    Args:
        snapshot: For what the champion has now.
        space: Of ``read_space``.
        height: Rows of the terminal.
    """
    champion = snapshot.row(snapshot.champion)
    recipe = champion.experiment.recipe if champion else None
    told = Text("It becomes the next experiment, before what is prepared: one field, one new value.\n")
    told.append("field = value: why", f"bold {BRIGHT}")
    room = max(height - _AROUND, 1)
    shown = list(space.items())[: room if len(space) <= room else room - 1]
    width = max((len(field) for field, _ in shown), default=0)
    for field, allowed in shown:
        told.append(f"\n  {said(field).plain:{width}}", BRIGHT)
        told.append(f"  {said(_now(recipe, field)).plain} → ", GREY).append_text(said(allowed, GREY))
    if more := len(space) - len(shown):
        told.append(f"\n  and {more} more: see space: in program.md", GREY)
    return Question("Inject", told, [Choice("inject", "")], "training.beta = 0.2: hold on less", needed=True)


def _now(recipe: Json | None, field: str) -> str:
    value = value_at(recipe, field)
    return "none" if value is None else str(value)


def _allowed(knob: object) -> str:
    if not isinstance(knob, dict):
        return str(knob)
    words = cast(Mapping[str, Any], knob)
    if isinstance(choices := words.get("choices"), Sequence):
        return "one of " + ", ".join(map(str, cast(Sequence[object], choices)))
    return f"{words.get('min')} to {words.get('max')}"
