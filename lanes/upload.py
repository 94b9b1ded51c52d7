"""The upload lane: publishes what was trained at an fsspec URL, whole and verified, without keeping anybody waiting."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from checkpoints import writes
from checkpoints.records import Experiment, FailureKind, Json, Lane, Level, Progress, Stage
from checkpoints.store import Store
from lanes.lane import StageFailed, StagePaused
from lanes.places import FullError, PlaceError, SourceError, Stopped, Transfer, publish, size
from lanes.room import shortage

RETRIES = 3
"""How often a transfer that failed is tried again."""

RETRY_SECONDS = 2.0
"""Wait before the second attempt; twice as long before each further one."""

ROOM_SECONDS = 2.0
"""How often a place that is full is tried again."""

STALL_SECONDS = 300.0
"""A transfer that moves nothing for so long hangs."""

TELL_SECONDS = 0.25
"""Least time between two notes of progress."""


class UploadLane:
    """One transfer at a time, in a thread of its own."""

    name = Lane.UPLOAD

    def __init__(self, store: Store, url: str | None = None) -> None:
        """Publish below a place.

        Args:
            store: Of the run.
            url: fsspec URL of the folder that candidates go into, by their names; None is a folder of the run.
        """
        self._store = store
        self._url = (url or f"file://{(store.folder / 'published').absolute()}").rstrip("/")
        self._transfer: Transfer | None = None
        self._gone = asyncio.Event()
        self._gone.set()
        self._ending: StagePaused | StageFailed | None = None
        self._told_full = False

    def order(self, experiment: Experiment) -> Json:
        """Which folder goes where."""
        trained = self._store.read.done_stage(experiment.number, Lane.TRAIN)
        if trained is None:
            raise StageFailed(FailureKind.INPUT, f"experiment {experiment.number} has no finished training to publish")
        return {"source": trained.result["artifact"], "url": f"{self._url}/{experiment.model}"}

    async def run(self, stage: Stage) -> Json:
        """Publish, or find that it is published; see ``StageWorker.run``."""
        self._ending, self._told_full = None, False
        self._gone.clear()
        try:
            return await self._published(stage)
        finally:
            self._transfer = None
            self._gone.set()

    def revise(self, stage: Stage, failure: StageFailed) -> Json | None:
        """The same again, unless what was to be published is wrong."""
        again = failure.kind is not FailureKind.INPUT and stage.attempt <= RETRIES
        return stage.order if again else None

    async def pause(self) -> None:
        """Leave the transfer; it is begun again."""
        await self._end(StagePaused("the upload is paused"))

    async def abort(self, experiment: int | None = None) -> None:
        """Leave the transfer."""
        await self._end(StageFailed(FailureKind.CRASH, "the upload was stopped"))

    async def close(self, keep_workers: bool) -> None:
        """Leave the transfer: it lives in this process, so there is nothing to keep."""
        await self._end(StagePaused("the runner ended"))

    async def _published(self, stage: Stage) -> Json:
        told = _Teller(self._store, stage.experiment)
        transfer = self._transfer = Transfer(told.tell)
        if stage.attempt > 1:
            await self._wait(transfer, RETRY_SECONDS * 2 ** (stage.attempt - 2))
        while True:
            try:
                return await self._tried(stage, transfer, told)
            except FullError as full:
                await self._wait_for_room(stage, transfer, full)
                transfer = self._transfer = Transfer(told.tell)

    async def _tried(self, stage: Stage, transfer: Transfer, told: _Teller) -> Json:
        """One transfer.

        Raises:
            FullError: There is no room at the place.
            StageFailed: For any other reason, with the class of the error.
            StagePaused: Somebody wanted it to end.
        """
        began = told.moved_at = time.monotonic()
        work = asyncio.create_task(
            asyncio.to_thread(publish, Path(stage.order["source"]), stage.order["url"], transfer)
        )
        try:
            await self._watch(work, told)
            manifest, kept = work.result()
        except Stopped:
            raise self._ending or StageFailed(FailureKind.HANG, self._stalled(stage)) from None
        except SourceError as error:
            raise StageFailed(FailureKind.INPUT, str(error)) from error
        except FullError:
            raise
        except PlaceError as error:
            raise StageFailed(FailureKind.CRASH, str(error)) from error
        except asyncio.CancelledError:
            transfer.stop.set()
            await asyncio.wait({work}, timeout=5)
            raise
        except Exception as error:
            why = " ".join(f"{type(error).__name__}: {error}".split())
            line = f"{stage.order['url']} cannot be written ({why}): check upload.url and its permissions"
            raise StageFailed(FailureKind.CRASH, line) from error
        return {
            "url": stage.order["url"],
            "manifest": manifest,
            "bytes": size(manifest),
            "kept": kept,
            "seconds": time.monotonic() - began,
        }

    async def _watch(self, work: asyncio.Task[tuple[Json, bool]], told: _Teller) -> None:
        """Wait for the thread, but not for one that moves nothing any more.

        Raises:
            Stopped: The transfer stalls; its thread ends at its next chunk.
        """
        while not (await asyncio.wait({work}, timeout=min(STALL_SECONDS, 1.0)))[0]:
            if time.monotonic() - told.moved_at > STALL_SECONDS and self._transfer:
                self._transfer.stop.set()
                raise Stopped

    async def _wait_for_room(self, stage: Stage, transfer: Transfer, full: FullError) -> None:
        """Say once that the place is full, and wait until there may be room."""
        if not self._told_full:
            self._told_full = True
            text = f"{full}; the upload waits and goes on by itself"
            self._store.submit(writes.event, Level.WARNING, Lane.UPLOAD, text, stage.experiment)
        lack = f"room at {stage.order['url']}"
        waiting = Progress(Lane.UPLOAD, stage.experiment, "waiting for room", 0, 0, lack, None, time.time())
        self._store.submit(writes.set_progress, waiting)
        await self._wait(transfer, ROOM_SECONDS)
        while full.folder and shortage(full.folder, full.needed):
            await self._wait(transfer, ROOM_SECONDS)

    async def _wait(self, transfer: Transfer, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if transfer.stop.is_set():
                raise self._ending or StagePaused("the upload is paused")
            await asyncio.sleep(0.05)

    async def _end(self, ending: StagePaused | StageFailed) -> None:
        if self._transfer:
            self._ending = ending
            self._transfer.stop.set()
        await self._gone.wait()

    def _stalled(self, stage: Stage) -> str:
        return f"{stage.order['url']} took nothing for {STALL_SECONDS:.0f} s: check the network and the place"


class _Teller:
    """Notes of progress from the working thread, not too many of them."""

    def __init__(self, store: Store, experiment: int) -> None:
        self._store, self._experiment = store, experiment
        self._began = self.moved_at = time.monotonic()
        self._told_at = 0.0

    def tell(self, done: int, total: int) -> None:
        """Say how many bytes were moved or read back, of how many."""
        self.moved_at = now = time.monotonic()
        if now - self._told_at < TELL_SECONDS and done < total:
            return
        self._told_at = now
        rate = done / max(now - self._began, 1e-3)
        detail = f"{done / 1e6:.1f} of {total / 1e6:.1f} MB written and read back · {rate / 1e6:.1f} MB/s"
        eta = (total - done) / rate if rate else None
        progress = Progress(Lane.UPLOAD, self._experiment, "bytes", done, total, detail, eta, time.time())
        self._store.submit(writes.set_progress, progress)
