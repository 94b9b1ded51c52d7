"""The thread that writes the ledger for the service: what waits together is made durable together."""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

from checkpoints import trouble
from lanes.arena.ledger import Ledger
from lanes.arena.problems import Problem
from lanes.arena.schema import LEDGER
from lanes.troubles import Troubles

T = TypeVar("T")

BATCH = 512
"""Most writes in one transaction."""

GAP_SECONDS = 0.002
"""Between two transactions: others may write to the ledger, too, and more comes together."""

RETRY_SECONDS = 2.0
"""When to ask again, for who could not be served."""

_Work = tuple[Callable[[Ledger], object], "asyncio.Future[Any]"]


class Writer:
    """The one connection of the service that writes; it is asked from one event loop."""

    def __init__(self, folder: Path) -> None:
        """Open the ledger and wait for work.

        Raises:
            LedgerError: It cannot be opened.
        """
        self.trouble = ""
        """Why the last write did not come about, for a person; empty where it did."""

        self.troubles = Troubles()
        """All that did not come about."""

        self._path = folder / LEDGER
        self._ledger = Ledger(folder)
        self._loop = asyncio.get_running_loop()
        self._queue: queue.SimpleQueue[_Work | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write_for_ever, name="ledger-writer", daemon=True)
        self._thread.start()

    async def do(self, work: Callable[[Ledger], T]) -> T:
        """Write; returns when it is on the disk.

        Raises:
            Problem: 503, it could not be written and is not there: a full disk, a locked file.
        """
        future: asyncio.Future[T] = self._loop.create_future()
        self._queue.put((work, future))
        return await future

    def close(self) -> None:
        """Finish what was accepted, then let go of the ledger."""
        self._queue.put(None)
        self._thread.join()

    def _write_for_ever(self) -> None:
        while (first := self._queue.get()) is not None:
            batch, last = self._gather(first)
            outcomes = self._write(batch)
            self._loop.call_soon_threadsafe(_tell, batch, outcomes)
            if last:
                break
            time.sleep(GAP_SECONDS)
        self._ledger.disconnect()

    def _gather(self, first: _Work) -> tuple[list[_Work], bool]:
        """The first and all who wait beside it, and whether the end is among them."""
        batch = [first]
        while len(batch) < BATCH:
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                break
            if item is None:
                return batch, True
            batch.append(item)
        return batch, False

    def _write(self, batch: list[_Work]) -> list[object]:
        """What came of each; an exception in its place where it failed."""
        try:
            with self._ledger.together():
                outcomes = [work(self._ledger) for work, _ in batch]
            self.trouble = ""
            return outcomes
        except sqlite3.Error as error:
            self.trouble = trouble.why(self._path, error)
            line = f"votes cannot be kept right now: {self.trouble}"
            self.troubles.add(f"who voted was asked to try again: {line}")
            return [Problem(503, "unavailable", line, retry_after=RETRY_SECONDS)] * len(batch)
        except Exception as error:
            # One that is wrong takes no other along.
            return [error] if len(batch) == 1 else [self._write([one])[0] for one in batch]


def _tell(batch: list[_Work], outcomes: list[object]) -> None:
    for (_, future), outcome in zip(batch, outcomes, strict=True):
        if future.done():
            continue  # who asked has gone away
        if isinstance(outcome, Exception):
            future.set_exception(outcome)
        else:
            future.set_result(cast(Any, outcome))
