"""The algebra of changes: the parts of one, its inverse, two in a row as one. Knows no recipe and no space."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from checkpoints.records import Change


class ChangeRefused(Exception):
    """A change cannot be made; the text says why, for a person and for whoever proposed it."""


def parts(change: Change) -> tuple[Change, ...]:
    """Every field that a change alters, as a change of its own; the primary variable first."""
    return (replace(change, also=()), *(part for each in change.also for part in parts(each)))


def invert(change: Change) -> Change:
    """What takes a change back: applied after it, the recipe is what it was."""
    return Change(change.field, change.new, change.old, tuple(invert(each) for each in change.also))


def compose(
    first: Change, second: Change, goes_along: Callable[[str, str], bool], same: Callable[[str, object], object]
) -> Change | None:
    """Two changes in a row as one change.

    Args:
        first, second: In the order in which they are made.
        goes_along: Whether the second of two fields may go along with the first, by a documented group.
        same: What makes two values of a field the same.

    Returns:
        The one change; None where the second takes back what the first did.

    Raises:
        ChangeRefused: They are of two variables, or the second does not start where the first ends.
    """
    ends: dict[str, Change] = {each.field: each for each in parts(first)}
    for each in parts(second):
        before = ends.get(each.field)
        if before and same(each.field, before.new) != same(each.field, each.old):
            raise ChangeRefused(f"{each.field}: one change ends at {before.new}, the next starts from {each.old}")
        ends[each.field] = Change(each.field, before.old if before else each.old, each.new)
    left = [each for each in ends.values() if same(each.field, each.old) != same(each.field, each.new)]
    if not left:
        return None
    for primary in left:
        others = tuple(each for each in left if each is not primary)
        if all(goes_along(primary.field, other.field) for other in others):
            return replace(primary, also=others)
    raise ChangeRefused(f"two variables: {' and '.join(each.field for each in left)}")


def contains(change: Change, other: Change, canonical: Callable[[Change], str]) -> bool:
    """Whether a change makes all that another one makes, wherever the two start from.

    Args:
        canonical: Hash of a change by what it leads to.
    """
    made = {canonical(part) for part in parts(change)}
    return made >= {canonical(part) for part in parts(other)}
