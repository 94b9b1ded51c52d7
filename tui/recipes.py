"""A recipe beside those that it is compared with: its parent's, and the present champion's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias, cast

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from checkpoints.records import BASELINE, Json, Row, State
from tui.signs import FAINT, GREEN, GREY, RED
from tui.snapshot import Snapshot
from tui.widgets.lines import said
from tui.words import numbers

Other: TypeAlias = tuple[str, int]
"""An experiment to compare with: what it is to this one, and its number."""


def compared(snapshot: Snapshot, row: Row, recipes: Mapping[int, Json]) -> list[Other]:
    """Whose recipes stand beside an experiment's: its parent's and, where that is another, the present champion's."""
    own, parent, champion = row.experiment.number, row.experiment.parent, snapshot.champion
    others = [("parent", parent), ("champion", champion if champion not in (parent, own) else None)]
    return [(name, other) for name, other in others if other is not None and other in recipes]


def recipe(snapshot: Snapshot, row: Row, recipes: Mapping[int, Json], width: int) -> Iterator[RenderableType]:
    """What differs, and what else is in it."""
    number = row.experiment.number
    if number not in recipes:
        yield Text("bound to the champion when its training starts", style=GREY)
        return
    yield _differences(number, recipes, compared(snapshot, row, recipes), width)
    yield _relations(snapshot, row)


def difference(before: Mapping[str, Any], after: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Fields of a recipe in which two differ, by their paths; a field that one has not is None there."""
    for name in sorted({*before, *after}):
        old, new, here = before.get(name), after.get(name), f"{path}{name}"
        if isinstance(old, dict) and isinstance(new, dict):
            yield from difference(old, new, f"{here}.")  # pyright: ignore[reportUnknownArgumentType]
        elif old != new:
            yield here, old, new


def _differences(number: int, recipes: Mapping[int, Json], others: Sequence[Other], width: int) -> RenderableType:
    """The fields in which any of them differ, with the values of all; those that agree with this one are faint."""
    own, beside = recipes[number], [recipes[other] for _, other in others]
    found = [{path: old for path, old, _ in difference(recipe, own)} for recipe in beside or [{}]]
    fields = sorted({path for differing in found for path in differing})
    if not fields:
        return Text("the same", style=GREY)
    table = Table.grid(padding=(0, 2))
    for _ in range(len(others) + 2):
        table.add_column(overflow="fold", max_width=max(8, width // (len(others) + 2) + 4))
    heads = [f"{name} #{other}" for name, other in others]
    table.add_row(*(Text().append(head, GREY) for head in ("field", *heads, f"this #{number}")))
    for path in fields:
        value = _at(own, path)
        olds = [_cell(differing[path], RED) if path in differing else _cell(value, FAINT) for differing in found]
        table.add_row(_cell(path, ""), *olds[: len(others)], _cell(value, f"bold {GREEN}"))
    return table


def _at(recipe: Json, path: str) -> object:
    """The value of a field; None where the recipe has no such field."""
    here: Any = recipe
    for name in path.split("."):
        here = cast(Json, here).get(name) if isinstance(here, dict) else None
    return here


def _cell(value: object, style: str) -> Text:
    return Text().append_text(said("—" if value is None else value, style))


def _relations(snapshot: Snapshot, row: Row) -> Text:
    kept = tuple(sorted(number for number in row.contains if number))
    text = Text(f"built on the keeps {numbers(kept)}" if kept else "built on the baseline", style=GREY)
    if row.experiment.number == BASELINE:
        text = Text("all others are built on it", style=GREY)
    elif inside := _later(snapshot, row):
        text.append(f"; the later keeps {numbers(inside)} contain it")
    return text


def _later(snapshot: Snapshot, row: Row) -> tuple[int, ...]:
    later = snapshot.rows[row.experiment.number + 1 :]
    kept = [one for one in later if one.experiment.state is State.KEPT and row.experiment.number in one.contains]
    return tuple(one.experiment.number for one in kept)
