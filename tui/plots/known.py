"""Remembers the last result, so that what thousands of rows say is worked out once and not at every look."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Known(Generic[T]):
    """The last result, for as long as it is asked of the same things."""

    def __init__(self) -> None:
        self._of: tuple[object, ...] | None = None
        self._result: T | None = None

    def of(self, make: Callable[[], T], *things: object) -> T:
        """The result, made anew only if one of the things is another.

        Args:
            make: Makes the result.
            things: What it is made of; a tuple is another where it is another object, all else where it differs.
        """
        if self._of is None or len(self._of) != len(things) or not all(map(_same, self._of, things)):
            self._result, self._of = make(), things
        return self._result  # type: ignore[return-value]


def _same(one: object, other: object) -> bool:
    return one is other or (not isinstance(one, tuple) and one == other)
