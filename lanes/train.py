"""The train lane: one training at a time on the device, the next worker warm beside it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

from checkpoints import strokes, writes
from checkpoints.records import Experiment, FailureKind, Json, Lane, Level, Stage
from checkpoints.store import Store
from lanes.aside import Aside
from lanes.data_files import SUMS, DataFiles, sums_of_the_last, watched
from lanes.lane import StageFailed, StagePaused
from lanes.launch import AccelerateLaunch, Launcher, LocalProcess
from lanes.order import Standby
from lanes.recipe import Recipe
from lanes.repeats import Repeats
from lanes.standby import PREFIX, StandbyKeeper
from lanes.train_orders import ARTIFACTS, WORK, TrainSettings, half_the_batch, train_order, write_on_policy
from lanes.training import Limits, Training, order_folder
from lanes.trainings import folders_of
from lanes.worker import Worker, WorkerError

__all__ = ["ARTIFACTS", "WORK", "TrainLane", "TrainSettings"]

PROGRAM = "lanes.workers.train"


class TrainLane:
    """Works in the train lane."""

    name = Lane.TRAIN

    def __init__(
        self, store: Store, settings: TrainSettings, launcher: Launcher | None = None, program: str = PROGRAM
    ) -> None:
        """Look for what an earlier runner has left; nothing is started before ``run``.

        Args:
            store: Of the run.
            settings: May be replaced between two trainings, by assignment to ``settings``.
            launcher: Where workers start; None decides by the settings.
            program: Module of the worker.
        """
        self.settings = settings
        self._store = store
        self._launcher = launcher
        self._program = program
        self._work = store.folder.absolute() / WORK
        self._standby = StandbyKeeper(self._work, program, store.owner.path, self._warn)
        self._hand: Training | None = None
        self._sums: Mapping[str, str] | None = None
        """Of the data files that the training before began with; None where another owner knows."""

        self._aside = Aside(store.owner.path, lambda: LocalProcess(self.settings.threads))
        self._ending: StagePaused | StageFailed | None = None
        self._leaving: asyncio.Task[None] | None = None
        self._looked_around = False

    def order(self, experiment: Experiment) -> Json:
        """The order for an experiment's training; it names the folder of the standby worker where there is one.

        Raises:
            ValueError: The experiment has no recipe yet, or none that can be trained.
        """
        return train_order(self._store, self.settings, experiment, self.folder(experiment.model))

    async def run(self, stage: Stage) -> Json:
        """Train, or take a training up; returns its result without the scores of single pairs.

        Raises:
            StageFailed: With the class of the error.
            StagePaused: After ``pause``.
        """
        self._ending = None
        await write_on_policy(self._store, self.settings, stage)
        if "metric" in stage.order:
            return await Repeats(self._store, stage, self).run()
        return await self.train(stage)

    @property
    def ending(self) -> StagePaused | StageFailed | None:
        """Why the passage in hand is to end before it is over; None while it is to go on."""
        return self._ending

    async def train(self, stage: Stage, label: str = "") -> Json:
        """One training from its order to its result, taken up where it is.

        Args:
            stage: The passage, with the order of this training.
            label: Which training it is, where it is not the experiment's own.

        Raises:
            StageFailed, StagePaused: As ``run`` does.
        """
        if self._ending:  # it came between two trainings of the passage
            raise self._ending
        folder = order_folder(stage)
        worker = self._standby.take(folder) or Worker(folder)
        limits = Limits(self.settings.hang_seconds, self.settings.seconds_per_training)
        training = Training(
            self._store, stage, worker, limits, (self._program, self._how()), lambda: self._keep_warm(stage),
            label,
        )  # fmt: skip
        before = sums_of_the_last(self._store.read) if self._sums is None else self._sums
        files = DataFiles(self._store, stage.experiment, folder, stage.order["train"], before)
        self._hand = training
        self._standby.next_training()
        try:
            if (worker.result() or {}).get("status") != "done":
                await self._free_the_device(worker)
            async with watched(files):
                result = await training.carry_out()
        finally:
            self._sums = files.sums or before  # also of one that failed: what it said is not said again
            self._hand = None
            if worker.result() is not None:
                self._leaving = asyncio.create_task(_see_off(worker), name="see a trainer off")
        return result | {SUMS: files.sums}

    async def work_aside(self, folder: Path, program: str, order: Json, seconds: float) -> Json:
        """Have a worker that trains nothing carry out an order, or take it up; see ``Aside.carry_out``."""
        return await self._aside.carry_out(folder, program, order, seconds, lambda: self._ending)

    def revise(self, stage: Stage, failure: StageFailed) -> Json | None:
        """Out of memory: once with half the batch. Died or hung: once more. Anything else would end the same way.

        Repeated trainings are each revised within their passage.
        """
        if "metric" in stage.order:
            return None
        tried: list[str] = stage.order.get("tried", [])
        match failure.kind:
            case FailureKind.OOM if "oom" not in tried:
                train = half_the_batch(stage.order["train"])
                kind = "oom"
            case FailureKind.CRASH | FailureKind.HANG if "again" not in tried:
                train = stage.order["train"]
                kind = "again"
            case _:
                return None
        if train is None:
            return None
        model = Path(stage.order["train"]["output"]).name
        return stage.order | {"folder": str(self.folder(model)), "train": train, "tried": [*tried, kind]}

    async def pause(self) -> None:
        """Have the training in hand checkpoint and end; ``run`` then raises ``StagePaused``."""
        self._ending = StagePaused("paused by a person")
        if self._hand:
            self._hand.pause()
        await self._aside.kill()

    async def abort(self, experiment: int | None = None) -> None:
        """Kill the training in hand and wait until it is gone; ``run`` then raises ``StageFailed``.

        Raises:
            WorkerError: It does not end.
        """
        self._ending = StageFailed(FailureKind.CRASH, "stopped by a person")
        if self._hand:
            await self._hand.abort()
        await self._aside.kill()

    async def close(self, keep_workers: bool) -> None:
        """End the standby worker, and unless workers are kept every trainer of the run.

        Raises:
            WorkerError: One does not end.
        """
        await self._standby.close()
        if self._leaving:
            await self._leaving
        if not keep_workers:
            await self.abort()
            await self._end_all_but(set())

    async def end_all_but(self, stage: Stage | None) -> None:
        """End every trainer of the run but the one of a passage that is open, and the one that stands by.

        Raises:
            WorkerError: One does not end.
        """
        await self._end_all_but({order_folder(stage), *folders_of(self._work, stage.experiment)} if stage else set())

    def folder(self, model: str) -> Path:
        """Where the next attempt at a model works: where a worker stands by, else in a folder of its own."""
        if standing_by := self._standby.folder:
            return standing_by
        attempt = 1
        while (folder := self._work / f"{model}-train-{attempt}").exists():
            attempt += 1
        return folder

    def _warn(self, text: str) -> None:
        self._store.submit(writes.event, Level.WARNING, Lane.TRAIN, text)

    def _how(self) -> Launcher:
        settings = self.settings
        if self._launcher:
            return self._launcher
        return (
            AccelerateLaunch(settings.gpus, settings.threads) if settings.gpus > 1 else LocalProcess(settings.threads)
        )

    def _keep_warm(self, stage: Stage) -> None:
        """Have the next worker load what the next order will most likely need: what this one needs."""
        settings = self.settings
        if not settings.standby:
            return
        recipe = Recipe.model_validate(stage.order["train"]["recipe"])
        wish = Standby(
            model=settings.model,
            revision=settings.revision,
            trust_remote_code=settings.trust_remote_code,
            precision=recipe.training.precision,
            lora=recipe.lora.enabled,
            device=settings.device,
            threads=settings.threads,
        )
        self._standby.keep(wish, self._how())

    async def _free_the_device(self, worker: Worker) -> None:
        """Wait until no other trainer of the run is left; the first time, end what earlier runners have left."""
        try:
            if self._leaving:
                await self._leaving
            if not self._looked_around:
                await self._standby.end_others()
                await self._end_all_but({worker.folder})
                self._looked_around = True
        except WorkerError as stuck:
            self._leaving, self._looked_around = None, False
            raise StageFailed(FailureKind.CRASH, f"the device is not free: {stuck}") from stuck

    async def _end_all_but(self, kept: set[Path]) -> None:
        for worker in await asyncio.to_thread(self._living):
            if worker.folder not in (*kept, self._standby.folder):
                await worker.kill()

    def _living(self) -> list[Worker]:
        patterns = ("*-train-[0-9]*", f"{PREFIX}[0-9]*", "measure-*", "score-*")
        workers = [Worker(folder) for pattern in patterns for folder in self._work.glob(pattern)]
        return [worker for worker in workers if worker.alive]


async def _see_off(worker: Worker) -> None:
    """End a trainer that has said all, sooner than its libraries would; its checkpoints are needed no longer."""
    await worker.kill(grace=0)
    found = worker.result()
    if found and found.get("status") == "done":
        await asyncio.to_thread(strokes.clear, worker.folder / "checkpoints", quietly=True)
