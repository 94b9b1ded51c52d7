"""A dashboard of a run that another process drives: it looks, it may steer, and it leaves without a trace."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path

from checkpoints.ownership import holder
from checkpoints.records import Json, Step
from tui.app import Dashboard
from tui.host import Host, tell
from tui.leaving import Leave

_STOPS = 10.0
"""Seconds within which a loop that was told to stop has let go of its run."""


class Visitor:
    """Somebody who looks at a run from outside."""

    def __init__(self, run_folder: Path, command: str) -> None:
        """Prepare the visit.

        Args:
            run_folder: Whose run.
            command: What shows it again, for a person.
        """
        self._folder, self._command = run_folder, command
        self._host = Host(run_folder, self._make, self._leave)

    async def look(self) -> int:
        """Show the run until the person leaves; returns the exit status."""
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._leave)
        left = await self._host.entertain()
        if left is Leave.DRAIN or left is Leave.STOP:
            return await self._end_the_loop(left)
        if left is None:
            tell(f"the screen failed again and again ({self._host.failed})")
        if held := await asyncio.to_thread(holder, self._folder):
            tell(f"the run goes on, held by {held}")
        return 1 if left is None else 0

    async def _end_the_loop(self, how: Leave) -> int:
        before = await asyncio.to_thread(holder, self._folder)
        if before is None:
            tell(f"no process drives this run any more; go on with: {self._command}")
            return 0
        asked, way = f"as process {os.getpid()}, which was attached, asked", "drain" if how is Leave.DRAIN else "now"
        try:
            await self._intervene(Step.STOP, None, asked, {"how": way})
        except Exception as error:
            tell(f"the loop was not told, it goes on: {error}")
            return 1
        if how is Leave.DRAIN:
            tell(f"{before} finishes the stages under way and then stops; look at it: {self._command}")
        elif await asyncio.to_thread(self._let_go, before):
            tell(f"stopped; go on with: {self._command}")
        else:
            tell(f"{before} was told to stop and has not yet; look at it: {self._command}")
        return 0

    def _let_go(self, before: str) -> bool:
        deadline = time.monotonic() + _STOPS
        while holder(self._folder) == before:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.1)
        return True

    def _make(self, told: str) -> Dashboard:
        return Dashboard(self._folder, self._intervene, owned=False, driven=self._is_driven, told=told)

    def _leave(self) -> None:
        self._host.send_away(Leave.DETACH)

    async def _intervene(self, step: Step, experiment: int | None, reason: str, detail: Json) -> int:
        from checkpoints.visitor import intervene_from_outside

        return await asyncio.to_thread(intervene_from_outside, self._folder, step, experiment, reason, detail)

    def _is_driven(self) -> bool:
        return holder(self._folder) is not None
