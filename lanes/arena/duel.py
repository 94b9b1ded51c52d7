"""Several models asked at once: each within its time, the slower not long after the quicker, and one failure harms no
other."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass

from checkpoints.text import clean
from lanes.arena.answers import NoAnswer

LONGEST = 200_000
"""Characters of an answer; who says more is cut off as failed."""

Hear = Callable[[str, str | None], None]
"""Called with a side and each piece that it says; with None when the side is withdrawn, as there is no more of it."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long answers are waited for, in seconds."""

    whole: float = 120.0
    """For one answer, from the question to its end."""

    slower: float = 30.0
    """For the others, once the first is whole."""


@dataclass(frozen=True, slots=True)
class Said:
    """What came of one side."""

    text: str
    seconds: float
    failure: str = ""
    """Why there is no answer, for a person; empty where there is one."""

    refused: bool = False
    """The failure is of the messages and not of the model."""

    absent: bool = False
    """The model is not served right now."""


def not_heard(side: str, piece: str | None) -> None:
    """For who waits for whole answers."""


async def ask_all(sides: Mapping[str, AsyncGenerator[str]], patience: Patience, hear: Hear) -> dict[str, Said]:
    """Ask all at once and wait for all.

    Args:
        sides: What each says.
        patience: For how long.
        hear: Told everything as it comes.

    Returns:
        What came of each; a failure is an outcome, too.
    """
    clock = _Clock(patience)
    async with asyncio.TaskGroup() as group:
        tasks = {side: group.create_task(_listen(side, pieces, clock, hear)) for side, pieces in sides.items()}
    return {side: task.result() for side, task in tasks.items()}


class _Clock:
    """When each side has to be done: earlier, once another is."""

    def __init__(self, patience: Patience) -> None:
        self._now = asyncio.get_running_loop().time
        self._patience = patience
        self._latest = self._now() + patience.whole
        self._limits: set[asyncio.Timeout] = set()

    def limit(self) -> asyncio.Timeout:
        """The limit of one more side."""
        limit = asyncio.timeout_at(self._latest)
        self._limits.add(limit)
        return limit

    def is_done(self, limit: asyncio.Timeout) -> None:
        """One side has an answer or none: its limit is one no longer."""
        self._limits.discard(limit)

    def hurry(self) -> None:
        """One side has an answer: the others have not much longer."""
        self._latest = min(self._latest, self._now() + self._patience.slower)
        for limit in self._limits:
            if not limit.expired():
                limit.reschedule(self._latest)


async def _listen(side: str, pieces: AsyncGenerator[str], clock: _Clock, hear: Hear) -> Said:
    began, heard = time.monotonic(), list[str]()
    none: NoAnswer | None = None
    limit = clock.limit()
    try:
        async with limit, aclosing(pieces):
            await _collect(side, pieces, heard, hear)
    except TimeoutError:
        none = NoAnswer(f"no whole answer after {time.monotonic() - began:.0f} s")
    except NoAnswer as error:
        none = error
    finally:
        clock.is_done(limit)
    seconds = time.monotonic() - began
    if none:
        hear(side, None)
        return Said("", seconds, str(none), none.refused, none.absent)
    clock.hurry()
    return Said("".join(heard), seconds)


async def _collect(side: str, pieces: AsyncGenerator[str], heard: list[str], hear: Hear) -> None:
    length = 0
    async for raw in pieces:
        piece = clean(raw)
        length += len(piece)
        if length > LONGEST:
            raise NoAnswer(f"the answer is longer than {LONGEST:,} characters")
        if piece:
            heard.append(piece)
            hear(side, piece)
    if not any(piece.strip() for piece in heard):
        raise NoAnswer("the answer is empty")
