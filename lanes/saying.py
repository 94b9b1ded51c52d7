"""What a person should know of a lane goes into the run's log: once, and again when it is still so much later."""

from __future__ import annotations

import sqlite3
import time

from checkpoints import writes
from checkpoints.records import Level
from checkpoints.store import Store
from lanes.arena.schema import LedgerError
from lanes.deployment import ServerGone, Unanswerable
from lanes.lane import StageFailed
from lanes.worker import WorkerError

AGAIN_SECONDS = 3600.0
"""How long the same line is not said again; what comes back after that, or has never passed, is."""

TROUBLE = (StageFailed, WorkerError, ServerGone, Unanswerable, LedgerError, sqlite3.Error, OSError)
"""Errors whose text is for a person."""


def in_words(error: Exception) -> str:
    """An error as one line."""
    return " ".join((str(error) if isinstance(error, TROUBLE) else f"{type(error).__name__}: {error}").split())


def so_often(times: int) -> str:
    """How often something fell, from the second time on: each is another line, and so is said."""
    return f" ({times} times by now)" if times > 1 else ""


class Saying:
    """Warnings of one kind, told as often as somebody complains and recorded as often as a person wants to read."""

    def __init__(self, store: Store, kind: str) -> None:
        """Say nothing yet.

        Args:
            store: Of the run; what its log has already counts as said.
            kind: Of the events.
        """
        self._store, self._kind = store, kind
        self._said: dict[str, float] | None = None
        """When each line was recorded last, UTC seconds."""

    def say(self, line: str) -> bool:
        """Record a line; returns False where it was recorded a short while ago."""
        if self._said is None:
            self._said = {event.text: event.at for event in self._store.read.events() if event.kind == self._kind}
        now = time.time()
        if abs(now - self._said.get(line, 0.0)) < AGAIN_SECONDS:
            return False
        self._said[line] = now
        self._store.submit(writes.event, Level.WARNING, self._kind, line)
        return True
