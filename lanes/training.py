"""One training as the lane sees it: its worker started or taken up, watched, restarted in place, its end judged."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from checkpoints import writes
from checkpoints.records import FailureKind, Json, Level, Stage
from checkpoints.store import Store
from checkpoints.writes.log import event_once
from lanes.lane import StageFailed, StagePaused
from lanes.launch import Launcher
from lanes.oom import oom_kills
from lanes.order import ORDER, PAUSE, RESULT, TrainResult
from lanes.room import LOOK_SECONDS, shortage
from lanes.training_log import TrainingLog
from lanes.watched_time import WatchedTime
from lanes.worker import Worker, WorkerError

RESTARTS = 2
"""How often a worker that died is started again in its folder, as long as each life gets further than the last."""


@dataclass(frozen=True, slots=True)
class Limits:
    """When to stop waiting."""

    hang_seconds: float
    """Without a new line of metrics."""

    seconds: float
    """For the training as a whole, as long as this runner has watched it."""


class Training:
    """One training in hand, from its order to its result."""

    def __init__(
        self, store: Store, stage: Stage, worker: Worker, limits: Limits, start: tuple[str, Launcher],
        on_step: Callable[[], None], label: str = "",
    ) -> None:  # fmt: skip
        """Prepare to watch; nothing is started yet.

        Args:
            store: What streams is written into it.
            stage: The passage, with its order.
            worker: In the order's folder.
            limits: When to stop waiting.
            start: Module of the worker, and how it is started.
            on_step: Called whenever steps have been heard of.
            label: Which training it is, where it is not the experiment's own.
        """
        self.worker = worker
        self._store = store
        self._stage = stage
        self._limits = limits
        self._start_with = start
        self._log = TrainingLog(store, stage.experiment, worker, label)
        self._on_step = on_step
        self._watched = WatchedTime()
        self._heard_at = 0.0
        self._oom_kills = oom_kills()
        self._wish: StageFailed | StagePaused | None = None
        self._best = 0
        self._restarts = 0

    async def carry_out(self) -> Json:
        """Work until there is a result; taken up again at any point it does nothing twice.

        Returns:
            What is stored with the stage: the result without the scores of single pairs, which stay in ``result.json``.

        Raises:
            StageFailed: With the class of the error.
            StagePaused: After ``pause``.
        """
        found = _result(self.worker)
        if found and found.status == "paused":
            await self.worker.kill(grace=0)
            found = None
        if found:
            await self._log.finish()  # what was logged after the last runner had gone
        try:
            while found is None:
                try:
                    await self._make_it_work()
                    await self._watch()
                except OSError:
                    if not shortage(self._store.folder):
                        raise
                found = await self._result_or_room()
        except WorkerError as error:
            raise StageFailed(FailureKind.CRASH, str(error)) from error
        except OSError as error:
            place, why = error.filename or self.worker.folder, error.strerror or error
            line = f"{place} cannot be used ({why}): check its permissions and its disk"
            raise StageFailed(FailureKind.CRASH, line) from error
        return self._judge(found)

    def pause(self) -> None:
        """Have the worker checkpoint and end."""
        self._wish = self._wish or StagePaused("paused by a person")
        if self.worker.folder.is_dir():
            (self.worker.folder / PAUSE).touch()

    async def abort(self) -> None:
        """Kill the worker and wait until it is gone.

        Raises:
            WorkerError: It does not end.
        """
        self._wish = StageFailed(FailureKind.CRASH, "stopped by a person")
        await self.worker.kill()

    async def _make_it_work(self) -> None:
        """Give a worker that stands by its order, start one where none lives, leave alone one that is at work."""
        self._obey()
        order = self._stage.order["train"]
        has_order = (self.worker.folder / ORDER).exists()
        if self.worker.alive:
            if not has_order:
                # One that dies on standby has begun nothing: that costs a cold start, not the attempt.
                self._best = -1
                await self.worker.put_order(order)
        else:
            self.worker.folder.mkdir(parents=True, exist_ok=True)
            await self.worker.put_order(order)
            program, launcher = self._start_with
            await self.worker.start(program, launcher, self._store.owner.path)
        if isinstance(self._wish, StagePaused):
            self.pause()
        elif self._wish:
            await self.worker.kill()

    async def _watch(self) -> None:
        """Follow the worker until its result is there or it is dead."""
        self._watched.leave_out()
        self._heard_at = self._watched.look()
        try:
            await self.worker.wait(self._look)
        except StageFailed as failure:
            try:
                await self.worker.kill()
            except WorkerError as stuck:
                raise StageFailed(failure.kind, f"{failure}; {stuck}") from stuck
            raise
        await self._log.finish()

    async def _look(self) -> None:
        now = self._watched.look()
        while self._log.read():
            self._heard_at = now
            await asyncio.sleep(0)
        if self._log.steps_heard:
            self._on_step()
        if self._log.due:
            await self._log.keep()
            self._watched.leave_out()  # a disk that is full holds up this loop, and perhaps the worker: that is no hang
        if _result(self.worker) is None:
            self._check_limits(now)

    def _check_limits(self, now: float) -> None:
        if now - self._heard_at > self._limits.hang_seconds:
            raise StageFailed(
                FailureKind.HANG, f"no sign of life for {self._limits.hang_seconds:g} s {self._log.where()}"
            )
        if now > self._limits.seconds:
            raise StageFailed(
                FailureKind.TIMEOUT,
                f"not done after {self._limits.seconds:g} s {self._log.where()}: raise budget.seconds_per_training",
            )

    def _obey(self) -> None:
        if self._wish:
            raise self._wish

    async def _result_or_room(self) -> TrainResult | None:
        """The result; None where the training goes on: from its checkpoint, once its disk has room."""
        found = _result(self.worker)
        crashed = found is None or found.failure is FailureKind.CRASH
        if not crashed or not (lack := shortage(self._store.folder)):
            return found or self._after_death()
        self._obey()
        words = found.error if found else self.worker.last_words()
        text = f"the training stopped {self._log.where()} and waits for {lack}; then it goes on by itself: {words}"
        self._store.submit(writes.event, Level.WARNING, "train", text, self._stage.experiment)
        await self.worker.kill(grace=0)
        while shortage(self._store.folder):
            self._obey()
            await asyncio.sleep(LOOK_SECONDS)
        return None

    def _after_death(self) -> None:
        """The worker died without a result: go on where it was when it had got further, else give up."""
        self._obey()
        if self.worker.ended_by in (None, signal.SIGKILL) and oom_kills() > self._oom_kills:
            words = f"the kernel ended the trainer {self._log.where()}"
            raise StageFailed(FailureKind.OOM, f"Out of memory ({words}): use a smaller batch or max_length")
        step, words = self._log.step, self.worker.last_words() or "it left no word"
        death = f"the trainer died{self.worker.how_it_ended()} {self._log.where()}"
        if self._restarts == RESTARTS or step <= self._best:
            raise StageFailed(FailureKind.CRASH, f"{death}: {words}")
        self._best, self._restarts = step, self._restarts + 1
        text = f"{death} and goes on from its last checkpoint: {words}"
        self._store.submit(writes.event, Level.WARNING, "train", text, self._stage.experiment)

    def _judge(self, found: TrainResult) -> Json:
        if found.status == "failed":
            raise StageFailed(found.failure or FailureKind.CRASH, found.error)
        if found.status == "paused":
            raise StagePaused(f"paused after step {found.steps}")
        for note in found.notes:
            self._store.submit(
                event_once, Level.WARNING, "train", f"trained all the same: {note}", self._stage.experiment
            )
        kept: Json = found.model_dump(mode="json", exclude={"pairs"})
        return kept | {
            "artifact": self._stage.order["train"]["output"],
            "details": str(self.worker.folder / RESULT),
        }


def _result(worker: Worker) -> TrainResult | None:
    """The worker's result; None while there is none that can be understood."""
    found: Any = worker.result()
    try:
        return found and TrainResult.model_validate(found)
    except ValidationError as error:
        return TrainResult(
            status="failed",
            failure=FailureKind.CRASH,
            error=f"{worker.folder / RESULT} is no training result: {error.errors()[0]['msg']}",
        )


def order_folder(stage: Stage) -> Path:
    """The worker's folder that a stage's order names."""
    return Path(stage.order["folder"])
