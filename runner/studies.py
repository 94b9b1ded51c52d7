"""Has the run's votes studied after each verdict, beside the loop: what the ranking is worth, and the metrics."""

from __future__ import annotations

import asyncio
import json
import sys

from checkpoints import writes
from checkpoints.records import Level
from checkpoints.store import Store
from lanes.analyze.study import NAME

PROGRAM = "lanes.analyze.studying"

LOOK_SECONDS = 2.0
"""How often it is asked whether a verdict has fallen: nothing waits for a study."""

MOST_SECONDS = 300.0
"""A study that takes longer is given up."""


class Studies:
    """Studies the votes of one run."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def run(self) -> None:
        """Go on until cancelled."""
        studied: tuple[int, int] | None = None
        while True:
            now = self._mark()
            if now != studied and any(now):
                await self.study()
                studied = now
            await asyncio.sleep(LOOK_SECONDS)

    async def study(self) -> None:
        """Study the votes now; what goes wrong is told and the loop goes on."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", PROGRAM, str(self._store.folder.absolute()),
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            async with asyncio.timeout(MOST_SECONDS):
                said, complaint = await process.communicate()
        except TimeoutError:
            said, complaint = b"", f"it took longer than {MOST_SECONDS:.0f} s".encode()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode:
            last = complaint.decode(errors="replace").strip().rpartition("\n")[2]
            text = f"the votes could not be studied: {last or f'status {process.returncode}'}"
            self._store.submit(writes.event, Level.WARNING, "votes", text)
        elif found := json.loads(said):
            await self._store.do(writes.set_insight, NAME, found)

    def _mark(self) -> tuple[int, int]:
        """What a new study would be about."""
        read = self._store.read
        return read.count_verdicts(), len(read.exclusions())
