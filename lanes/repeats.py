"""Repeated trainings within one passage of the train lane: those that a scalar metric needs before it decides.

What comes next is said by `lanes.analyze.metric_rule`, from what is in the store. Each training has a worker's folder
of its own and an entry that names it, written before it begins: killed at any moment, the passage goes on where it was,
and nothing is trained twice.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from checkpoints import strokes, writes
from checkpoints.artifacts import write_json
from checkpoints.measurements import HeldRows, Measurement, Role
from checkpoints.records import (
    BASELINE,
    Experiment,
    FailureKind,
    Json,
    Lane,
    Level,
    Outcome,
    Progress,
    Stage,
    model_name,
)
from checkpoints.store import Store
from lanes.analyze.metric_rule import Decide, Train, Whose, next_of_baseline, next_step
from lanes.analyze.trials import fresh_of, next_seed
from lanes.lane import StageFailed, StagePaused
from lanes.measure import Measured, Metric, by_command, by_result
from lanes.measuring import check_command, run_command, score_locked
from lanes.order import RESULT
from lanes.trainings import TRAININGS, command_folder, entry_name, entry_path, read_entry, trial


class Hands(Protocol):
    """The train lane as repeated trainings use it."""

    @property
    def ending(self) -> StagePaused | StageFailed | None:
        """Why the passage is to end before it is over."""
        ...

    async def train(self, stage: Stage, label: str = "") -> Json:
        """One training from its order to its result, taken up where it is; ``label`` says which, unless it is the
        experiment's own."""
        ...

    async def work_aside(self, folder: Path, program: str, order: Json, seconds: float) -> Json:
        """Have another worker carry out an order, or take it up; returns its result."""
        ...

    def revise(self, stage: Stage, failure: StageFailed) -> Json | None:
        """The order for another attempt; None when there is no use in one."""
        ...

    def folder(self, model: str) -> Path:
        """Where the next training works."""
        ...


@dataclass(frozen=True, slots=True)
class _Run:
    """One training of a recipe with one seed."""

    experiment: int
    """Whose recipe."""

    seed: int
    role: Role

    @property
    def name(self) -> str:
        return entry_name(self.experiment, self.seed)


class Repeats:
    """All trainings of one passage."""

    def __init__(self, store: Store, stage: Stage, hands: Hands) -> None:
        """Look at nothing yet.

        Args:
            store: Of the run.
            stage: The passage; its order has the metric and the champion's recipe.
            hands: What trains.
        """
        self._store, self._stage, self._hands = store, stage, hands
        self._work = store.folder.absolute() / "work"
        self._metric = Metric.model_validate(stage.order["metric"])
        self._champion: Json | None = stage.order["champion"]
        self._own_seed = _seed_of(stage.order["train"])

    async def run(self) -> Json:
        """Train until the rule decides; returns the result of the experiment's own training, and what was decided.

        Raises:
            StageFailed: Its own training failed, or gave no number.
            StagePaused: After ``pause``.
        """
        for one in self._store.read.measurements():  # a kill may have come before the model was removed
            await self._remove(entry_name(one.experiment, one.seed))
        while isinstance(step := await self._next(), Train):
            self._obey()
            await self._carry_out(step)
        if step.outcome is Outcome.CRASH:
            raise StageFailed(FailureKind.CRASH, step.reason)
        own = await self._trained(self._own)
        if step.outcome is Outcome.KEEP and self._metric.locked:
            await self._look_at_the_locked()
        return own | {"decided": step.outcome, "trainings": self._asked_for()}

    @property
    def _own(self) -> _Run:
        role = Role.FRESH if self._stage.experiment == BASELINE else Role.SCREEN
        return _Run(self._stage.experiment, self._own_seed, role)

    async def _next(self) -> Train | Decide:
        rule, number = self._metric.rule, self._stage.experiment
        measurements = self._store.read.measurements()
        if self._champion is None:
            return await asyncio.to_thread(next_of_baseline, rule, fresh_of(measurements, number))
        champion: int = self._champion["experiment"]
        return await asyncio.to_thread(
            lambda: next_step(rule, trial(self._work, self._metric, measurements, number, champion))
        )

    async def _carry_out(self, step: Train) -> None:
        """One training, its measurement, and its record in the store."""
        run = self._which(step)
        try:
            await self._trained(run)
            found = await self._measured(run)
        except StageFailed as failure:
            if self._hands.ending or failure.kind is FailureKind.INPUT:
                raise
            if run == self._own:
                await self._keep(run, Measured(None, failure=str(failure)))
                raise
            found = Measured(None, failure=f"{failure.kind}: {failure}")
        await self._keep(run, found)
        if run != self._own:
            await self._remove(run.name)

    def _which(self, step: Train) -> _Run:
        """Whose recipe with which seed."""
        measurements = self._store.read.measurements()
        if step.whose is Whose.CHAMPION:
            assert self._champion, "the baseline has none, and its rule asks for none"
            number, first = self._champion["experiment"], _seed_of({"recipe": self._champion["recipe"]})
        else:
            number, first = self._stage.experiment, self._own_seed
        return _Run(number, next_seed(measurements, number, first), step.role)

    async def _trained(self, run: _Run) -> Json:
        """The result of a training, from its worker's folder where it has ended before."""
        entry = await self._entry(run)
        label = "" if run == self._own else f"seed {run.seed} of {model_name(run.experiment)}"
        while True:
            passage = replace(self._stage, order=entry)
            try:
                return await self._hands.train(passage, label)
            except StageFailed as failure:
                revised = None if self._hands.ending else self._hands.revise(passage, failure)
                if revised is None:
                    raise
                text = f"{label or 'its own training'}: {failure.kind}: {failure}; tried once more"
                self._store.submit(writes.event, Level.WARNING, Lane.TRAIN, text, self._stage.experiment)
                entry = revised
                await self._write(run, entry)

    async def _entry(self, run: _Run) -> Json:
        """What names the training's folder; written before anything is started in it."""
        wanted = self._order(run)
        found = read_entry(self._work, run.experiment, run.seed)
        if found and found["wanted"] == wanted:
            return found
        own = run == self._own
        folder = self._stage.order["folder"] if own else str(self._hands.folder(run.name))
        entry: Json = {"folder": folder, "train": wanted, "wanted": wanted, "asked_by": self._stage.experiment}
        await self._write(run, entry)
        return entry

    async def _write(self, run: _Run, entry: Json) -> None:
        place = entry_path(self._work, run.experiment, run.seed)
        place.parent.mkdir(parents=True, exist_ok=True)
        await asyncio.to_thread(write_json, place, entry)

    def _order(self, run: _Run) -> Json:
        """The order of the experiment's own training with another recipe or seed: the same rows, the same device."""
        train: Json = self._stage.order["train"]
        if run == self._own:
            return train
        recipe: Json = train["recipe"] if run.experiment == self._stage.experiment else (self._champion or {})["recipe"]
        seeded = recipe | {"training": recipe["training"] | {"seed": run.seed}}
        return train | {"recipe": seeded, "output": str(self._work / TRAININGS / run.name)}

    async def _measured(self, run: _Run) -> Measured:
        metric = self._metric
        entry = await self._entry(run)
        if metric.judge != "command":
            file = Path(entry["folder"]) / RESULT
            found = await asyncio.to_thread(by_result, metric.judge, file)
        else:
            await self._tell(run, "measuring")
            folder = command_folder(self._work, run.experiment, run.seed)
            said = await run_command(metric, self._hands.work_aside, folder, Path(entry["train"]["output"]))
            if run == _Run(BASELINE, self._own_seed, Role.FRESH) and (warning := check_command(metric, said)):
                self._store.submit(writes.event, Level.WARNING, Lane.TRAIN, warning, BASELINE)
            found = by_command(metric, said)
        if found.value is None and run == self._own:
            raise StageFailed(FailureKind.CRASH, found.failure)
        return found

    async def _keep(self, run: _Run, found: Measured, rows: HeldRows = HeldRows.OPEN) -> None:
        measurement = Measurement(
            run.experiment, run.seed, run.role, rows, found.value, found.standard_error, found.failure,
            self._stage.experiment, time.time(),
        )  # fmt: skip
        await self._store.do(writes.add_measurements, [measurement])

    async def _look_at_the_locked(self) -> None:
        """Score the locked pairs under what is kept; what goes wrong is said, and changes nothing."""
        run, metric = self._own, self._metric
        if metric.judge == "command" or metric.locked is None:
            return
        known = self._store.read.measurements(run.experiment, rows=HeldRows.LOCKED)
        if known:
            return
        train = (await self._entry(run))["train"]
        await self._tell(run, "scoring locked pairs")
        folder = self._work / f"score-{run.name}"
        try:
            found = await score_locked(metric, self._hands.work_aside, folder, train, metric.locked)
        except StageFailed as failure:
            if self._hands.ending:
                raise
            found = Measured(None, failure=str(failure))
        if found.value is None:
            text = f"the locked pairs were not scored: {found.failure}"
            self._store.submit(writes.event, Level.WARNING, Lane.TRAIN, text, run.experiment)
        await self._keep(run, found, HeldRows.LOCKED)

    def _asked_for(self) -> int:
        """Trainings of this passage."""
        return sum(one.asked_by == self._stage.experiment for one in self._store.read.measurements())

    async def _remove(self, name: str) -> None:
        """The model of a repeated training, which is measured and needed no longer."""
        if (folder := self._work / TRAININGS / name).exists():
            await asyncio.to_thread(strokes.clear, folder, quietly=True)

    def _obey(self) -> None:
        if self._hands.ending:
            raise self._hands.ending

    async def _tell(self, run: _Run, doing: str) -> None:
        said = "" if run == self._own else f"seed {run.seed} of {model_name(run.experiment)}"
        progress = Progress(Lane.TRAIN, self._stage.experiment, doing, 0, 0, said, None, time.time())
        await self._store.do(writes.set_progress, progress)


def champion_of(store: Store, experiment: Experiment) -> Json | None:
    """Number and recipe of whom an experiment is compared with, as its training found it to fit into memory; None for
    the baseline."""
    number = experiment.parent
    if experiment.number == BASELINE or number is None:
        return None
    recipe: Json = store.read.experiment(number).recipe or {}
    own = read_entry(store.folder.absolute() / "work", number, recipe["training"]["seed"])
    return {"experiment": number, "recipe": own["train"]["recipe"] if own else recipe}


def _seed_of(train: Json) -> int:
    return train["recipe"]["training"]["seed"]
