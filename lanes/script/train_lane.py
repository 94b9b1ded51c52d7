"""The train lane of a script: commit, run, run again with fresh seeds as the rule wants it, have a crash repaired."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Awaitable, Callable
from pathlib import Path, PurePath
from typing import TypeAlias

from checkpoints import writes
from checkpoints.measurements import HeldRows, Measurement, Role
from checkpoints.records import BASELINE, Experiment, FailureKind, Json, Lane, Level, Stage, model_name
from checkpoints.store import Store
from lanes.analyze.metric_rule import Train, Whose
from lanes.analyze.trials import next_seed
from lanes.lane import StageFailed
from lanes.script.evidence import next_for
from lanes.script.following import Following
from lanes.script.git import GitError
from lanes.script.ground import Ground
from lanes.script.lane_settings import ScriptLaneSettings
from lanes.script.order import ScriptResult
from lanes.script.runs import Job, Runs
from lanes.script.stoppable import Stoppable

Repair: TypeAlias = Callable[[Experiment, str, str], Awaitable[Json]]
"""Asks for other files after a crash: the experiment, what went wrong, the end of its output. Returns a new recipe;
raises ``NotRepaired``."""

_MENDABLE = frozenset({FailureKind.CRASH, FailureKind.OOM, FailureKind.NAN})


_NOT_FOUND = re.compile(r"No such file or directory: ['\"]([^'\"\n]+)['\"]")


class NotRepaired(Exception):
    """Nobody could repair it; the message says why, in one line."""


class ScriptCrashed(StageFailed):
    """The script's own run failed, by what was edited."""

    def __init__(self, found: ScriptResult) -> None:
        super().__init__(found.failure or FailureKind.CRASH, found.error)
        self.tail = found.tail
        self.mendable = self.kind in _MENDABLE and not found.tampering


class ScriptTrainLane(Stoppable):
    """Works in the train lane."""

    name = Lane.TRAIN

    def __init__(
        self, store: Store, settings: ScriptLaneSettings, ground: Ground, following: Following, repair: Repair
    ) -> None:
        """Prepare; nothing is run before ``run``.

        Args:
            store: Of the run.
            settings: May be replaced by assignment.
            ground: The worktree.
            following: Brought up to date before any file is reset.
            repair: Asks for a repair.
        """
        self.settings = settings
        self._store, self._ground, self._following, self._repair = store, ground, following, repair
        super().__init__(Runs(store, Lane.TRAIN, lambda: self.settings))

    def order(self, experiment: Experiment) -> Json:
        """Whom it is compared with, decided now."""
        champion = self._store.read.champion()
        return {"champion": champion.experiment if champion else None, "repairs": 0}

    async def run(self, stage: Stage) -> Json:
        """Run the script, or take a run up, until the rule has what it needs."""
        try:
            return await self._measured(stage)
        except GitError as error:
            raise StageFailed(FailureKind.INPUT, str(error)) from error

    def revise(self, stage: Stage, failure: StageFailed) -> Json | None:
        """A crash goes back to the agent with the end of its output; anything else would end the same way."""
        repairs = int(stage.order.get("repairs", 0))
        mendable = isinstance(failure, ScriptCrashed) and failure.mendable and stage.experiment != BASELINE
        if not mendable or repairs >= self.settings.repairs:
            return None
        assert isinstance(failure, ScriptCrashed)
        return stage.order | {"repairs": repairs + 1, "failure": str(failure), "tail": failure.tail}

    async def end_all_but(self, stage: Stage | None) -> None:
        """End every run but that of a passage that is open."""
        await self._runs.end_all_but(f"{_folder(stage)}-" if stage else None)

    async def _measured(self, stage: Stage) -> Json:
        await self._following.catch_up()
        experiment = await self._repaired(stage)
        commit, champion = await self._ground.commit_of(experiment), stage.order["champion"]
        found: Json = {"commit": commit, "runs": 0}
        while isinstance(step := next_for(self._store.read, self.settings.rule, experiment, champion), Train):
            whose = experiment.number if step.whose is Whose.CANDIDATE else int(champion)
            result = await self._one(stage, whose, step.role)
            own = whose == experiment.number and "seconds" not in found
            found |= _kept(result) if own else {}
            found["runs"] += 1
        return self._last_known(experiment.number) | found

    async def _one(self, stage: Stage, whose: int, role: Role) -> ScriptResult:
        """One run of one experiment's files, and what it measured.

        Raises:
            ScriptCrashed: It is the first run of what is tried.
        """
        known = self._store.read.measurements()
        first = whose == stage.experiment and not any(one.experiment == whose for one in known)
        seed = next_seed(known, whose, self.settings.seed)
        worktree = await self._ground.worktree()
        key = f"{_folder(stage)}-{model_name(whose)}-{seed}"
        commit = await self._ground.commit_of(self._store.read.experiment(whose))
        doing = "the script" if first else f"{model_name(whose)} once more, seed {seed}"
        metric, own = self.settings.rule.metric, whose == BASELINE
        job = Job(stage.experiment, key, commit, self.settings.command, metric, seed, doing, trusted=own)
        found = self._unambiguous(await self._runs.run(job, worktree))
        if found.failure is FailureKind.INPUT:
            raise StageFailed(FailureKind.INPUT, found.error)
        for note in found.notes:
            self._store.submit(writes.event, Level.WARNING, Lane.TRAIN, note, stage.experiment)
        if first and found.status != "done":
            lacks = unknown_to_git(found.tail, self.settings.project, worktree.place)
            raise ScriptCrashed(found.model_copy(update={"error": f"{found.error}; {lacks}"}) if lacks else found)
        value = found.value if found.status == "done" else None
        failure = "" if value is not None else found.error or "it gave no number"
        if failure:  # of a first run its crash says it
            self._store.submit(writes.event, Level.WARNING, Lane.TRAIN, f"{doing}: {failure}", stage.experiment)
        measured = Measurement(
            whose, seed, role, HeldRows.OPEN, value, None, failure, asked_by=stage.experiment, at=time.time()
        )
        await self._store.do(writes.add_measurements, [measured])
        return found

    def _unambiguous(self, found: ScriptResult) -> ScriptResult:
        """A run's result; failed where it printed several numbers as the metric and the unchanged script prints one.

        Of a script that prints it again and again the last counts. But where an edit has begun to, nobody can tell
        whether that is the evaluation's.
        """
        known = self._store.read.done_stage(BASELINE, Lane.TRAIN)
        if found.status != "done" or found.different <= 1 or not known or known.result.get("different") != 1:
            return found
        error = (
            f"it printed {found.different} different numbers as {self.settings.rule.metric}, and the unchanged script"
            " prints one: print the evaluation's, once"
        )
        return found.model_copy(update={"status": "failed", "failure": FailureKind.CRASH, "error": error})

    async def _repaired(self, stage: Stage) -> Experiment:
        """The experiment as this attempt tries it: repaired, where the one before crashed.

        Raises:
            StageFailed: Nobody could repair it.
        """
        experiment = self._store.read.experiment(stage.experiment)
        recipe, repairs = experiment.recipe or {}, int(stage.order.get("repairs", 0))
        if int(recipe.get("repairs", 0)) >= repairs:
            return experiment
        failure = str(stage.order["failure"])
        try:
            mended = await self._repair(experiment, failure, str(stage.order["tail"]))
        except NotRepaired as why:
            raise StageFailed(FailureKind.CRASH, f"{failure}; not repaired: {why}") from None
        await self._store.do(writes.repair, experiment.number, mended | {"repairs": repairs}, failure)
        return self._store.read.experiment(stage.experiment)

    def _last_known(self, number: int) -> Json:
        """What a process that was killed in between had found of the experiment's own run."""
        known = [one for one in self._store.read.measurements(number) if one.value is not None]
        return {"value": known[0].value} if known else {}


def unknown_to_git(output: str, project: Path, place: Path) -> str:
    """What to do where a script did not find what the person's folder has and its worktree has not; else empty.

    Args:
        output: What it said.
        project: The person's folder.
        place: The same in the worktree.
    """
    for path in reversed(_NOT_FOUND.findall(output)):
        inside = PurePath(path).is_relative_to(place) or not PurePath(path).is_absolute()
        name = PurePath(os.path.relpath(place / path, place))
        if inside and ".." not in name.parts and (project / name).exists() and not (place / name).exists():
            return f"your folder has {name.parts[0]}, git does not know it: name it in script.protected, or commit it"
    return ""


def _kept(found: ScriptResult) -> Json:
    return {
        "value": found.value,
        "numbers": found.numbers,
        "different": found.different,
        "peak_memory": found.peak_memory,
        "seconds": found.seconds,
        "tail": found.tail,
    }


def _folder(stage: Stage) -> str:
    return f"{model_name(stage.experiment)}-{Lane.TRAIN}-{stage.attempt}"
