"""A recipe beside those that it is compared with: its parent's, and the present champion's; files as their diffs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from checkpoints.records import BASELINE, Json, Row, State
from lanes.script.edits import difference as unified
from tui.signs import FAINT, GREEN, GREY, RED
from tui.snapshot import Snapshot
from tui.widgets.lines import paragraphs, said, styled
from tui.words import numbers

Other: TypeAlias = tuple[str, int]
"""An experiment to compare with: what it is to this one, and its number."""

LONGEST_DIFF = 400
"""Lines of a file's diff that are shown; the rest is counted."""


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
    """What any of them have otherwise: values in a table, files as diffs."""
    own, beside = recipes[number], [recipes[other] for _, other in others]
    found = [{path: (old, new) for path, old, new in difference(recipe, own)} for recipe in beside or [_empty(own)]]
    values = {path: pair[1] for differing in found for path, pair in sorted(differing.items())}
    if not values:
        return Text("the same", style=GREY)
    files = {path for differing in found for path, pair in differing.items() if any(map(_is_file, pair))}
    parts: list[RenderableType] = []
    if fields := {path: value for path, value in sorted(values.items()) if path not in files}:
        parts.append(_table(number, fields, others, found, width))
    for other, differing in zip(others or [None], found, strict=True):
        parts += [_file(path, *differing[path], other) for path in sorted(files & {*differing})]
    return Group(*parts)


def _empty(own: Json) -> Json:
    """What a recipe that stands beside none is compared with: nothing, in the same sections."""
    return {name: {} for name, value in own.items() if name == "files" and isinstance(value, dict)}


def _table(
    number: int,
    fields: Mapping[str, Any],
    others: Sequence[Other],
    found: Sequence[Mapping[str, tuple[Any, Any]]],
    width: int,
) -> Table:
    """The fields in which any of them differ, with the values of all; those that agree with this one are faint."""
    table = Table.grid(padding=(0, 2))
    for _ in range(len(others) + 2):
        table.add_column(overflow="fold", max_width=max(8, width // (len(others) + 2) + 4))
    heads = [f"{name} #{other}" for name, other in others]
    table.add_row(*(Text().append(head, GREY) for head in ("field", *heads, f"this #{number}")))
    for path, value in fields.items():
        olds = [_cell(differing[path][0], RED) if path in differing else _cell(value, FAINT) for differing in found]
        table.add_row(_cell(path, ""), *olds[: len(others)], _cell(value, f"bold {GREEN}"))
    return table


def _is_file(value: object) -> bool:
    return isinstance(value, str) and "\n" in value


def _file(path: str, old: str | None, new: str | None, other: Other | None) -> Text:
    """One file as a diff against another's; where there is no other, how long it is."""
    name = path.removeprefix("files.")
    if other is None:
        return Text.assemble(said(name), (f": {len((new or '').splitlines())} lines", GREY))
    lines = unified(old or "", new or "", name).splitlines()[2:]
    shown = [styled(f"{name} beside {other[0]} #{other[1]}", GREY)]
    for line in lines[:LONGEST_DIFF]:
        colour = {"+": GREEN, "-": RED, "@": FAINT}.get(line[:1], "")
        shown.append(paragraphs(line, colour))
    if more := len(lines) - LONGEST_DIFF:
        shown += [styled(f"… {more} more lines", GREY)] if more > 0 else []
    return Text("\n").join(shown)


def _cell(value: object, style: str) -> Text:
    return Text().append_text(said("—" if value is None else value, style))


def _relations(snapshot: Snapshot, row: Row) -> Text:
    kept = tuple(sorted(number for number in row.contains if number))
    text = Text(
        f"built on the keep{'s' if len(kept) > 1 else ''} {numbers(kept)}" if kept else "built on the baseline",
        style=GREY,
    )
    if row.experiment.number == BASELINE:
        text = Text("all others are built on it", style=GREY)
    elif inside := _later(snapshot, row):
        many = len(inside) > 1
        text.append(f"; the later keep{'s' if many else ''} {numbers(inside)} contain{'' if many else 's'} it")
    return text


def _later(snapshot: Snapshot, row: Row) -> tuple[int, ...]:
    later = snapshot.rows[row.experiment.number + 1 :]
    kept = [one for one in later if one.experiment.state is State.KEPT and row.experiment.number in one.contains]
    return tuple(one.experiment.number for one in kept)
