"""The least part of a schedule that still fails."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")


def shrunken(everything: Sequence[T], fails: Callable[[Sequence[T]], bool]) -> list[T]:
    """Leave out parts, large ones first, for as long as what is left still fails (delta debugging, Zeller 1999).

    Args:
        everything: That fails.
        fails: Whether a part does; one that depends on luck may leave more than is needed.
    """
    left, parts = list(everything), 2
    while len(left) > 1:
        size = -(-len(left) // parts)
        rests = [left[:start] + left[start + size :] for start in range(0, len(left), size)]
        smaller = next((rest for rest in rests if fails(rest)), None)
        if smaller is not None:
            left, parts = smaller, max(2, parts - 1)
        elif size == 1:
            break
        else:
            parts = min(len(left), 2 * parts)
    return left
