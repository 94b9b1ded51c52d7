"""A worker beside the trainings: it measures what was trained, and trains nothing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

from checkpoints import strokes
from checkpoints.records import FailureKind, Json
from lanes.lane import StageFailed
from lanes.launch import Launcher
from lanes.order import ORDER, RESULT
from lanes.worker import Worker, WorkerError


class Aside:
    """Has one order at a time carried out by a worker of its own."""

    def __init__(self, owner: Path, launcher: Callable[[], Launcher]) -> None:
        """Start nothing yet.

        Args:
            owner: Lock file of the run.
            launcher: Says how workers start.
        """
        self._owner, self._launcher = owner, launcher
        self._worker: Worker | None = None

    async def carry_out(
        self, folder: Path, program: str, order: Json, seconds: float, ending: Callable[[], Exception | None]
    ) -> Json:
        """The result of an order; what was done under the same order is not done again, a living worker is taken up.

        Args:
            folder: The worker's.
            program: Module of the worker.
            order: What it is to do.
            seconds: Longest that it may take.
            ending: What to raise where it was ended on purpose; None while it was not.

        Raises:
            StageFailed: It died, or took too long.
            StagePaused: Of ``ending``; it begins anew then.
        """
        worker = self._worker = Worker(folder)
        try:
            found = await asyncio.wait_for(self._result(worker, program, order, ending), seconds)
            if (wish := ending()) is not None:
                raise wish
        except TimeoutError:
            await worker.kill()
            raise StageFailed(FailureKind.TIMEOUT, f"{program} was not done after {seconds:g} s") from None
        except (WorkerError, OSError) as error:
            raise StageFailed(FailureKind.CRASH, str(error)) from error
        finally:
            self._worker = None
        if found is None:
            words = worker.last_words() or "it left no word"
            raise StageFailed(FailureKind.CRASH, f"{program} died{worker.how_it_ended()}: {words}")
        return found

    async def kill(self) -> None:
        """End what is under way.

        Raises:
            WorkerError: It does not end.
        """
        if self._worker:
            await self._worker.kill()

    async def _result(
        self, worker: Worker, program: str, order: Json, ending: Callable[[], Exception | None]
    ) -> Json | None:
        same = await asyncio.to_thread(_order_in, worker.folder) == order
        found = worker.result()
        if same and found and found.get("status") == "done":
            return found
        if not (same and worker.alive):
            await worker.kill(grace=0)
            worker.folder.mkdir(parents=True, exist_ok=True)
            strokes.take(worker.folder / RESULT)
            await worker.put_order(order)
            if (wish := ending()) is not None:
                raise wish
            await worker.start(program, self._launcher(), self._owner)
            if (wish := ending()) is not None:  # it came while there was nothing to kill yet
                await worker.kill(grace=0)
                raise wish
        await worker.wait()
        found = worker.result()
        await worker.kill(grace=0)
        return found


def _order_in(folder: Path) -> Json | None:
    try:
        found: Json = json.loads((folder / ORDER).read_bytes())
    except (OSError, ValueError):
        return None
    return found
