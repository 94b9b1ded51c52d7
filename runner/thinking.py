"""Thinking ahead: whoever proposes thinks beside the loop, and the train lane waits for it only so long."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any

from checkpoints.records import Proposal

LOOK_SECONDS = 0.02
"""How often it is looked whether the train lane stands still."""

LONGEST_SECONDS = 2.0
"""Longest time that the train lane stands still for a thought."""

SHARE = 0.005
"""The same as a share of a training: short trainings wait less."""


class Dropped(Exception):
    """The thought was ended before it came to anything."""


class Late(Exception):
    """The train lane has waited long enough; the thought goes on."""


class Thinking:
    """One thought at a time, which outlives the wait for it: what comes late is there at the next look."""

    def __init__(self) -> None:
        self._task: asyncio.Task[Proposal | None] | None = None

    async def outcome(
        self, think: Callable[[], Coroutine[Any, Any, Proposal | None]], enough: Callable[[], bool]
    ) -> Proposal | None:
        """What came of the thought under way, or of a new one.

        Args:
            think: Begun where nothing is thought about.
            enough: Looked at all the while; whether nobody can wait any longer.

        Raises:
            Late: ``enough`` said so.
            Dropped: ``drop`` was called.
            Exception: What the thought raised.
        """
        task = self._task = self._task or asyncio.create_task(think())
        try:
            while not task.done():
                await asyncio.wait({task}, timeout=LOOK_SECONDS)
                if not task.done() and enough():
                    raise Late
        except asyncio.CancelledError:
            self.drop()
            raise
        if self._task is not task:
            raise Dropped  # even where it had just come to something
        self._task = None
        if task.cancelled():
            raise Dropped
        return task.result()

    def drop(self) -> None:
        """End the thought that is under way."""
        task, self._task = self._task, None
        if task and not task.cancel() and not task.cancelled():
            task.exception()  # of one that has ended: looked at, so that nobody is told that nobody looked


def patience(starves: Callable[[], bool], training: float | None) -> Callable[[], bool]:
    """Says when the train lane has stood still long enough for want of a proposal.

    Args:
        starves: Whether it stands still for that now.
        training: Seconds of the last training; None where none has ended.
    """
    longest = LONGEST_SECONDS if training is None else min(LONGEST_SECONDS, SHARE * training)
    since: float | None = None

    def enough() -> bool:
        nonlocal since
        if not starves():
            since = None
            return False
        since = time.monotonic() if since is None else since
        return time.monotonic() - since >= longest

    return enough
