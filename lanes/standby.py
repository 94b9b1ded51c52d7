"""The standby worker: imports done and model loaded while the training before it runs, waiting for an order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from checkpoints import strokes
from lanes.launch import Launcher
from lanes.order import ORDER, READY, STANDBY, Standby
from lanes.worker import Worker, WorkerError

PREFIX = "standby-"
"""Folders of standby workers begin so; the one who gets an order stays where it is."""

REPLACEMENTS = 2
"""How often a standby worker that dies is replaced while one training runs."""


class StandbyKeeper:
    """Keeps at most one worker warm in a folder for workers."""

    def __init__(self, work: Path, program: str, owner: Path, tell: Callable[[str], None]) -> None:
        """Take up what an earlier runner has left warm.

        Args:
            work: Folder for workers' folders.
            program: Module that standby workers run.
            owner: Lock file of the run.
            tell: Called with a line about each that died or could not be started.
        """
        self._tell = tell
        self._work = work
        self._program = program
        self._owner = owner
        self._worker: Worker | None = next(map(Worker, self._waiting()), None)
        self._starting: asyncio.Task[None] | None = None
        self._left = REPLACEMENTS

    @property
    def folder(self) -> Path | None:
        """Folder of the living standby worker, which the next order may name; None when there is none."""
        worker = self._worker
        return worker.folder if worker and worker.alive and not (worker.folder / ORDER).exists() else None

    @property
    def ready(self) -> bool:
        """Whether the standby worker has nothing more to load."""
        return (folder := self.folder) is not None and (folder / READY).exists()

    def next_training(self) -> None:
        """Another training has begun: what went wrong with standby workers before is forgiven."""
        self._left = REPLACEMENTS

    def keep(self, wish: Standby, launcher: Launcher) -> None:
        """See to it that a worker is warm or on its way; one that died is replaced. Returns at once."""
        if self.folder or (self._starting and not self._starting.done()) or self._left < 0:
            return
        self._left -= 1
        self._starting = asyncio.create_task(self._start(wish, launcher), name="start a standby worker")

    def take(self, folder: Path) -> Worker | None:
        """Hand over the standby worker of this folder, to be given its order; None where there is none."""
        worker = self._worker
        if worker is None or worker.folder != folder.absolute():
            return None
        self._worker = None
        return worker

    async def close(self) -> None:
        """End the standby worker, and all others that wait for an order here.

        Raises:
            WorkerError: One does not end.
        """
        if self._starting:
            await self._starting
        for folder in await asyncio.to_thread(self._waiting):
            await self._remove(Worker(folder))
        if self._worker:
            await self._remove(self._worker)
            self._worker = None

    async def end_others(self) -> None:
        """End every waiting worker but the one that is kept: left by earlier runners."""
        kept = self._worker and self._worker.folder
        for folder in await asyncio.to_thread(self._waiting):
            if folder != kept:
                await self._remove(Worker(folder))

    async def _start(self, wish: Standby, launcher: Launcher) -> None:
        """Start one; where that fails the next training has a cold start, and says itself what is wrong."""
        try:
            if self._worker:
                words = self._worker.last_words() or "it left no word"
                self._tell(
                    f"the trainer that stood by died{self._worker.how_it_ended()}, another one is started: {words}"
                )
                await self._remove(self._worker)
            self._worker = Worker(await asyncio.to_thread(self._new_folder))
            await self._worker.put(STANDBY, wish.model_dump(mode="json"))
            await self._worker.start(self._program, launcher, self._owner)
        except (OSError, WorkerError) as error:
            self._worker = None
            self._tell(f"no trainer stands by, the next training starts cold: {error}")

    async def _remove(self, worker: Worker) -> None:
        await worker.kill(grace=0)
        if not (worker.folder / ORDER).exists():
            await asyncio.to_thread(strokes.clear, worker.folder, quietly=True)

    def _new_folder(self) -> Path:
        self._work.mkdir(parents=True, exist_ok=True)
        numbers = [int(path.name.removeprefix(PREFIX)) for path in self._work.glob(f"{PREFIX}[0-9]*")]
        folder = self._work / f"{PREFIX}{max(numbers, default=0) + 1:04d}"
        folder.mkdir()
        return folder

    def _waiting(self) -> list[Path]:
        """Folders of living workers without an order, the newest first."""
        folders = sorted(self._work.glob(f"{PREFIX}[0-9]*"), reverse=True)
        return [folder for folder in folders if not (folder / ORDER).exists() and Worker(folder).alive]
