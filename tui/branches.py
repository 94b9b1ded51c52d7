"""The experiments as a tree: who was branched from whom, drawn as lines that stay narrow however long the run is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from checkpoints.records import ENDS, Row


@dataclass(frozen=True, slots=True)
class Branch:
    """One line of the tree."""

    number: int
    """Of the experiment."""

    stem: str
    """What leads to it from the left, a cell pair for each level."""


def branches(rows: Sequence[Row], champion: int | None) -> list[Branch]:
    """All experiments that have a place in the tree, from the root down; linear in their number.

    What an experiment's recipe was made from stands above it. Of the children of one, the heir goes straight on below
    it, after its siblings: the one that leads to the champion, else the one with the most experiments after it. So a
    hundred keeps in a row are one column, and a line is indented at most as often as the run was forked
    (heavy-path decomposition; Sleator and Tarjan 1983).

    Args:
        rows: By number.
        champion: Who reigns.
    """
    children = _children(rows, champion)
    sizes = _sizes(rows, children)
    line = {champion, *(rows[champion].contains if champion is not None else ())}
    found: list[Branch] = []
    waiting: list[tuple[int, str, str]] = [(number, "", "") for number in reversed(children.get(None, []))]
    while waiting:
        number, before, stem = waiting.pop()
        found.append(Branch(number, before + stem))
        below = before + ("│ " if stem == "├─" else "")
        own = children.get(number, [])
        able = [one for one in own if one in line or sizes[one] > 1]
        heir = max(able, key=lambda one: (one in line, sizes[one], -one), default=None)
        siblings = [(one, below, "├─") for one in own if one != heir]
        # A stack: what is put last comes first.
        if heir is not None:
            waiting.append((heir, below, ""))
        elif siblings:
            siblings[-1] = (own[-1], below, "╰─")
        waiting += reversed(siblings)
    return found


def left_out(rows: Sequence[Row], shown: Sequence[Branch]) -> int:
    """Experiments that have no place: ended before they were bound to a recipe."""
    return len(rows) - len(shown)


def _children(rows: Sequence[Row], champion: int | None) -> dict[int | None, list[int]]:
    found: dict[int | None, list[int]] = {}
    for row in rows:
        for parent in _parent(row, champion):
            found.setdefault(parent, []).append(row.experiment.number)
    return found


def _parent(row: Row, champion: int | None) -> Iterator[int | None]:
    """Whom it is branched from, or will be; nobody for what was cancelled before it was bound."""
    experiment = row.experiment
    if experiment.number == 0:
        yield None
    elif experiment.parent is not None:
        yield experiment.parent
    elif experiment.state not in ENDS:
        base = experiment.proposal.base
        yield base if base is not None else champion if champion is not None else 0


def _sizes(rows: Sequence[Row], children: dict[int | None, list[int]]) -> dict[int, int]:
    """How many experiments stand in the part of the tree below each, itself among them.

    A parent may have the higher number: it was kept while the other one waited.
    """
    found: list[int] = []
    waiting = list(children.get(None, []))
    while waiting:
        found.append(waiting.pop())
        waiting += children.get(found[-1], [])
    sizes = {row.experiment.number: 1 for row in rows}
    for number in reversed(found):
        sizes[number] += sum(sizes[child] for child in children.get(number, []))
    return sizes
