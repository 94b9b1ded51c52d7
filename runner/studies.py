"""Has the run's votes studied after each verdict, beside the loop: what the ranking is worth, and the metrics."""

from __future__ import annotations

import asyncio

from checkpoints import writes
from checkpoints.records import Level
from checkpoints.store import Store
from lanes.analyze.asking import StudyError, studied
from lanes.analyze.study import NAME, as_insight

LOOK_SECONDS = 2.0
"""How often it is asked whether a verdict has fallen: nothing waits for a study."""


class Studies:
    """Studies the votes of one run."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def run(self) -> None:
        """Go on until cancelled."""
        before: tuple[int, int] | None = None
        while True:
            now = self._mark()
            if now != before and any(now):
                await self.study()
                before = now
            await asyncio.sleep(LOOK_SECONDS)

    async def study(self) -> None:
        """Study the votes now; what goes wrong is told and the loop goes on."""
        try:
            found = await studied(self._store.folder)
        except StudyError as error:
            self._store.submit(writes.event, Level.WARNING, "votes", f"the votes could not be studied: {error}")
            return
        if found:
            await self._store.do(writes.set_insight, NAME, as_insight(found))

    def _mark(self) -> tuple[int, int]:
        """What a new study would be about."""
        read = self._store.read
        return read.count_verdicts(), len(read.exclusions())
