"""The daily copy of a run's store, made while the run goes on, and at a clean end."""

from __future__ import annotations

import asyncio
import sqlite3
import time

from checkpoints import writes
from checkpoints.copies import keep_copy, path_of
from checkpoints.records import Level
from checkpoints.store import Store
from lanes.room import MIN_FREE_BYTES

LOOK_SECONDS = 60.0
"""How often it is asked whether today's copy is there; one that could not be made is tried again."""


class Copying:
    """Makes the copies; one that cannot be made is an event of the run, and never its end."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._refused = ""
        """Why the last one could not be made."""

    async def run(self) -> None:
        """Have a copy each day from the first champion on: before, there is nothing that is not soon done again."""
        while True:
            if self._store.read.champion() and not path_of(self._store.folder, time.time()).exists():
                await self.copy()
            await asyncio.sleep(LOOK_SECONDS)

    async def copy(self) -> None:
        """Make today's copy, or make it anew."""
        try:
            await asyncio.to_thread(keep_copy, self._store.folder, time.time(), MIN_FREE_BYTES)
            self._refused = ""
        except (OSError, sqlite3.Error) as error:
            if str(error) != self._refused:
                self._refused = str(error)
                text = f"no copy of the store was made: {error}; the run goes on, and it is tried again"
                await self._store.do(writes.event, Level.WARNING, "run", text)
