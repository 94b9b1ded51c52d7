"""The train lane: one training at a time on the device, the next worker warm beside it."""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from checkpoints.records import Experiment, FailureKind, Json, Lane, Stage
from checkpoints.store import Store
from lanes.arena import on_policy
from lanes.arena.on_policy import OnPolicy
from lanes.aside import Aside
from lanes.lane import StageFailed, StagePaused
from lanes.launch import AccelerateLaunch, Launcher, LocalProcess
from lanes.measure import Metric
from lanes.order import HeldOut, Source, Standby, TrainOrder
from lanes.recipe import Recipe
from lanes.repeats import Repeats, champion_of
from lanes.sources import DataError
from lanes.standby import PREFIX, StandbyKeeper
from lanes.training import Limits, Training, order_folder
from lanes.trainings import folders_of
from lanes.worker import Worker, WorkerError

PROGRAM = "lanes.workers.train"

WORK = "work"
"""Folder of the run that holds the workers' folders."""

ARTIFACTS = "artifacts"
"""Folder of the run that holds what was trained, by the model's name."""


@dataclass(frozen=True, slots=True)
class TrainSettings:
    """What the program says of training."""

    model: str
    """Base model: a local folder or a hub id."""

    sources: dict[str, Source]
    revision: str | None = None
    trust_remote_code: bool = False
    heldout: HeldOut = field(default_factory=HeldOut)
    drop_heldout: bool = False
    max_broken_rows: int = 0
    device: str = "auto"
    gpus: int = 1
    """More than one starts a training with ``accelerate launch``."""

    threads: int = 1
    hang_seconds: float = 600.0
    seconds_per_training: float = 1800.0
    checkpoint_steps: int = 50
    eval_rows: int = 200
    standby: bool = True
    """Keep the next worker warm."""

    metric: Metric | None = None
    """What decides, where it is a number: a passage then trains as often as that needs."""


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
        self._standby = StandbyKeeper(self._work, program, store.owner.path)
        self._hand: Training | None = None
        self._aside = Aside(store.owner.path, lambda: LocalProcess(self.settings.threads))
        self._ending: StagePaused | StageFailed | None = None
        self._leaving: asyncio.Task[None] | None = None
        self._looked_around = False

    def order(self, experiment: Experiment) -> Json:
        """The order for an experiment's training; it names the folder of the standby worker where there is one.

        Raises:
            ValueError: The experiment has no recipe yet, or none that can be trained.
        """
        settings = self.settings
        votes = self._on_policy(experiment)
        train = TrainOrder(
            experiment=experiment.number,
            model=settings.model,
            revision=settings.revision,
            trust_remote_code=settings.trust_remote_code,
            recipe=Recipe.model_validate(experiment.recipe),
            sources={
                name: votes.source if votes and on_policy.is_asked_for(source) else source
                for name, source in settings.sources.items()
            },
            heldout=settings.heldout,
            drop_heldout=settings.drop_heldout,
            max_broken_rows=settings.max_broken_rows,
            output=self._store.folder.absolute() / ARTIFACTS / experiment.model,
            checkpoint_steps=settings.checkpoint_steps,
            eval_rows=settings.eval_rows,
            device=settings.device,
            threads=settings.threads,
            loss_beta=settings.metric and settings.metric.loss_beta,
            score_length=settings.metric and settings.metric.score_length,
        )
        order: Json = {"folder": str(self.folder(experiment.model)), "train": train.model_dump(mode="json")}
        order |= {"on_policy": votes.model_dump(mode="json")} if votes else {}
        if settings.metric:
            order |= {
                "metric": settings.metric.model_dump(mode="json"),
                "champion": champion_of(self._store, experiment),
            }
        return order

    async def run(self, stage: Stage) -> Json:
        """Train, or take a training up; returns its result without the scores of single pairs.

        Raises:
            StageFailed: With the class of the error.
            StagePaused: After ``pause``.
        """
        self._ending = None
        await self._write_on_policy(stage)
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
        self._hand = training
        self._standby.next_training()
        try:
            if (worker.result() or {}).get("status") != "done":
                await self._free_the_device(worker)
            result = await training.carry_out()
        finally:
            self._hand = None
            if worker.result() is not None:
                self._leaving = asyncio.create_task(_see_off(worker), name="see a trainer off")
        return result

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
                train = _half_the_batch(stage.order["train"])
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

    def _on_policy(self, experiment: Experiment) -> OnPolicy | None:
        """Which of users' votes a training sees; None where its recipe gives them no weight.

        Its parent's, unless their weight is what it changes: one change a time, and not a day's more votes with it.
        """
        mix = Recipe.model_validate(experiment.recipe).data.mix
        asked = [name for name, source in self.settings.sources.items() if on_policy.is_asked_for(source)]
        weighed = [name for name in asked if mix.get(name)]
        if not weighed:
            return None
        file = self._work / "on_policy" / f"{experiment.model}.jsonl"
        change, parent = experiment.proposal.change, experiment.parent
        before = self._store.read.done_stage(parent, Lane.TRAIN) if parent is not None else None
        theirs = before.order.get("on_policy") if before else None
        if theirs and not (change and change.field in {f"data.mix.{name}" for name in weighed}):
            return OnPolicy.model_validate(theirs | {"file": str(file)})
        excluded = tuple(one.voter for one in self._store.read.exclusions())
        return OnPolicy(file=file, ballots=on_policy.last_ballot(self._store.folder), excluded=excluded)

    async def _write_on_policy(self, stage: Stage) -> None:
        """Have the rows that the order names in their file."""
        if not (found := stage.order.get("on_policy")):
            return
        votes, folder = OnPolicy.model_validate(found), self._store.folder
        try:
            count = await asyncio.to_thread(on_policy.write, folder, votes, self.settings.heldout)
        except DataError as error:
            raise StageFailed(FailureKind.INPUT, str(error)) from error
        if count < on_policy.FEWEST:
            line = f"users' votes give {count} rows of the {on_policy.FEWEST} needed; weigh them 0 until there are more"
            raise StageFailed(FailureKind.INPUT, line)

    def folder(self, model: str) -> Path:
        """Where the next attempt at a model works: where a worker stands by, else in a folder of its own."""
        if standing_by := self._standby.folder:
            return standing_by
        attempt = 1
        while (folder := self._work / f"{model}-train-{attempt}").exists():
            attempt += 1
        return folder

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
        await asyncio.to_thread(shutil.rmtree, worker.folder / "checkpoints", ignore_errors=True)


def _half_the_batch(order: Json) -> Json | None:
    """The same training with half the rows in memory at a time and as many a step; None when it is one row already."""
    training: Json = order["recipe"]["training"]
    batch, accumulation = training["per_device_train_batch_size"], training["gradient_accumulation_steps"]
    if batch == 1:
        return None
    half = batch // 2
    halved = {"per_device_train_batch_size": half, "gradient_accumulation_steps": -(-batch * accumulation // half)}
    return order | {"recipe": order["recipe"] | {"training": training | halved}}
