"""What the lanes that run a script's commands share: how a run is paused, killed, and left to the next owner."""

from __future__ import annotations

from lanes.script.runs import Runs


class Stoppable:
    """A lane that has one run under way at most."""

    def __init__(self, runs: Runs) -> None:
        self._runs = runs

    async def pause(self) -> None:
        """Have what runs end; a script has no checkpoints, so it is run anew."""
        self._runs.pause()

    async def abort(self, experiment: int | None = None) -> None:
        """Kill what runs and wait until it is gone."""
        await self._runs.abort()

    async def close(self, keep_workers: bool) -> None:
        """Leave what runs for the next owner, or end it."""
        if not keep_workers:
            await self._runs.abort()
            await self._runs.end_all_but(None)
