"""The other lanes of a script: nothing is published, checks are run before a keep, and the rule gives the verdict."""

from __future__ import annotations

import time

from checkpoints import writes
from checkpoints.reader import Reader
from checkpoints.records import (
    BASELINE,
    Experiment,
    FailureKind,
    Json,
    Lane,
    Level,
    Outcome,
    Stage,
    Standing,
    Verdict,
)
from checkpoints.store import Store
from lanes.analyze.metric_rule import Decide, Train
from lanes.lane import StageFailed
from lanes.script.evidence import next_for
from lanes.script.git import GitError
from lanes.script.ground import Ground
from lanes.script.lane_settings import ScriptLaneSettings
from lanes.script.runs import Job, Runs
from lanes.script.stoppable import Stoppable


class ScriptUploadLane:
    """Passes everything on: a kept script is a commit of the run's branch, and that is all that is published."""

    name = Lane.UPLOAD

    def order(self, experiment: Experiment) -> Json:
        """Nothing."""
        return {}

    async def run(self, stage: Stage) -> Json:
        """Nothing to do."""
        return {}

    def revise(self, stage: Stage, failure: StageFailed) -> Json | None:
        """There is nothing that could fail."""
        return None

    async def pause(self) -> None:
        """Nothing goes on."""

    async def abort(self, experiment: int | None = None) -> None:
        """Nothing goes on."""

    async def close(self, keep_workers: bool) -> None:
        """Nothing goes on."""


class ScriptEvaluateLane(Stoppable):
    """Runs the checks of what would be kept."""

    name = Lane.EVALUATE

    def __init__(self, store: Store, settings: ScriptLaneSettings, ground: Ground) -> None:
        self.settings = settings
        self._store, self._ground = store, ground
        super().__init__(Runs(store, Lane.EVALUATE, lambda: self.settings))

    def order(self, experiment: Experiment) -> Json:
        """By what rule it is judged, decided now."""
        return {"opponent": experiment.opponent}

    async def run(self, stage: Stage) -> Json:
        """The checks, in their order, up to the first that fails."""
        experiment = self._store.read.experiment(stage.experiment)
        decided = decision(self._store.read, self.settings, experiment)
        found: Json = {"judge": self.settings.rule.metric, "failed_check": ""}
        if decided.outcome is not Outcome.KEEP or experiment.number == BASELINE:
            return found
        for index, command in enumerate(self.settings.checks):
            if why := await self._fails(stage, experiment, index, command):
                return found | {"failed_check": f"{command}: {why}"}
        return found

    def revise(self, stage: Stage, failure: StageFailed) -> Json | None:
        """No use: what could not be run now cannot be run a moment later."""
        return None

    async def _fails(self, stage: Stage, experiment: Experiment, index: int, command: str) -> str:
        """Why a check does not pass; empty where it does."""
        key = f"{experiment.model}-{Lane.EVALUATE}-{stage.attempt}-{index}"
        try:
            worktree, commit = await self._ground.worktree(), await self._ground.commit_of(experiment)
            found = await self._runs.run(Job(stage.experiment, key, commit, command, doing=command), worktree)
        except GitError as error:
            raise StageFailed(FailureKind.INPUT, str(error)) from error
        for note in found.notes:
            self._store.submit(writes.event, Level.WARNING, Lane.EVALUATE, note, stage.experiment)
        if found.failure is FailureKind.INPUT:
            raise StageFailed(FailureKind.INPUT, found.error)
        return "" if found.status == "done" else found.error


class ScriptAnalyst:
    """Gives the verdict on an edit."""

    def __init__(self, read: Reader, settings: ScriptLaneSettings) -> None:
        self.settings = settings
        self._read = read

    async def judge(self, experiment: Experiment) -> tuple[Verdict, list[Standing]]:
        """The verdict by the rule and the checks; there is no ranking."""
        found = decision(self._read, self.settings, experiment)
        outcome, reason = found.outcome, found.reason
        evaluated = self._read.done_stage(experiment.number, Lane.EVALUATE)
        failed = evaluated.result.get("failed_check", "") if evaluated else ""
        if outcome is Outcome.KEEP and failed:
            outcome, reason = Outcome.DISCARD, f"{reason.removesuffix('.')}, but a check does not pass: {failed}"
        verdict = Verdict(
            experiment.number, outcome, 0, 0, 0, None, None, None, None, reason, time.time(),
            value=found.value, effect=found.effect,
        )  # fmt: skip
        return verdict, []


def decision(read: Reader, settings: ScriptLaneSettings, experiment: Experiment) -> Decide:
    """What the rule makes of what was measured against the opponent.

    Where the opponent is not whom it was measured against, as after a veto in between, that may be too little.
    """
    found = next_for(read, settings.rule, experiment, experiment.opponent)
    if isinstance(found, Train):
        reason = f"{settings.rule.metric} was not measured often enough against this champion."
        return Decide(Outcome.INCONCLUSIVE, reason)
    return found
