"""The daily copies of a run's store and of its arena's ledger, made while the run goes on, and at a clean end."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from pathlib import Path

from checkpoints import writes
from checkpoints.copies import keep_copy, path_of
from checkpoints.records import Level
from checkpoints.store import Store
from lanes.arena.schema import LEDGER
from lanes.arena_desk import ARENA
from lanes.room import MIN_FREE_BYTES

LOOK_SECONDS = 60.0
"""How often it is asked whether today's copy is there; one that could not be made is tried again."""


class Copying:
    """Makes the copies; one that cannot be made is an event of the run, and never its end."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._refused = dict[str, str]()
        """Why the last one could not be made, by what was to be copied."""

    async def run(self) -> None:
        """Have a copy each day from the first champion on: before, there is nothing that is not soon done again."""
        while True:
            if self._store.read.champion() and not all(map(self._has_todays, self._sources())):
                await self.copy()
            await asyncio.sleep(LOOK_SECONDS)

    async def copy(self) -> None:
        """Make today's copies, or make them anew; the ledger's last, so that it has every vote that the store has."""
        for source in self._sources():
            await self._copy(source)

    def _sources(self) -> list[Path]:
        ledger = self._store.folder / ARENA / LEDGER
        return [self._store.path, ledger] if ledger.exists() else [self._store.path]

    def _has_todays(self, source: Path) -> bool:
        return path_of(self._store.folder, time.time(), source.name).exists()

    async def _copy(self, source: Path) -> None:
        what = "the store" if source == self._store.path else "the arena's ledger"
        try:
            await asyncio.to_thread(keep_copy, self._store.folder, time.time(), MIN_FREE_BYTES, source)
            self._refused.pop(what, None)
        except (OSError, sqlite3.Error) as error:
            if str(error) != self._refused.get(what):
                self._refused[what] = str(error)
                text = f"no copy of {what} was made: {error}; the run goes on, and it is tried again"
                await self._store.do(writes.event, Level.WARNING, "run", text)
