"""Has a run's votes studied after each verdict and promotion test, beside the loop: their ranking, and the metrics."""

from __future__ import annotations

import asyncio

from checkpoints import writes
from checkpoints.records import Level
from checkpoints.store import Store
from lanes.analyze.asking import StudyError, studied
from lanes.analyze.study import NAME, as_insight

LOOK_SECONDS = 2.0
"""How often it is asked whether there is something new to study: nothing waits for a study."""


class Studies:
    """Studies the votes of one run."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._studied: tuple[int, int, int] | None = None
        self._turn = asyncio.Lock()

    async def run(self) -> None:
        """Go on until cancelled."""
        while True:
            await self.catch_up()
            await asyncio.sleep(LOOK_SECONDS)

    async def catch_up(self) -> None:
        """Study the votes where something new came since the last study, and wait for one that goes on."""
        async with self._turn:
            now = self._mark()
            if now != self._studied and any(now):
                await self.study()
                self._studied = now

    async def study(self) -> None:
        """Study the votes now; what goes wrong is told and the loop goes on."""
        try:
            found = await studied(self._store.folder)
        except StudyError as error:
            text = f"the votes could not be studied: {error}; next with a verdict"
            self._store.submit(writes.event, Level.WARNING, "votes", text)
            return
        if found:
            await self._store.do(writes.set_insight, NAME, as_insight(found))

    def _mark(self) -> tuple[int, int, int]:
        """What a new study would be about."""
        read = self._store.read
        tested = sum(test.ended_at is not None for test in read.promotion_tests())
        return read.count_verdicts(), len(read.exclusions()), tested
