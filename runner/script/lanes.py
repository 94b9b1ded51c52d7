"""The lanes of a program that has a script edited, put together."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

from checkpoints import writes
from checkpoints.records import Lane, Level
from checkpoints.store import Store
from lanes.analyze.metric_rule import MetricRule
from lanes.lane import Analyst, StageWorker
from lanes.script.following import Following
from lanes.script.ground import Ground
from lanes.script.lane_settings import ScriptLaneSettings
from lanes.script.order import Confined
from lanes.script.other_lanes import ScriptAnalyst, ScriptEvaluateLane, ScriptUploadLane
from lanes.script.sandbox import Confinement, available
from lanes.script.train_lane import ScriptTrainLane
from lanes.worker import WorkerError
from runner.agent.asking import LanguageModel
from runner.script.program import ScriptProgram
from runner.script.repair import Mender

UNSAFE = "AUTORESEARCH_UNSAFE"
"""Environment variable by which ``--unsafe`` is passed on to the process that goes on without a screen."""

_SEEDS = {"confirmed": 5, "record": 3, "previous_step": 3}
"""Runs of the baseline by the rule, where the program does not say."""

_found: list[Confinement] = []


class ScriptLanes:
    """The lanes of one run of a script."""

    def __init__(self, store: Store, program: ScriptProgram, model: Callable[[], LanguageModel | None]) -> None:
        self._store, self._program = store, program
        settings = lane_settings(program)
        self._ground = Ground(store, lambda: self._train.settings)
        self._following = Following(store, lambda: self._train.settings, self._ground)
        mender = Mender(store, lambda: self._program.space, model)
        self._train = ScriptTrainLane(store, settings, self._ground, self._following, mender)
        self._evaluate = ScriptEvaluateLane(store, settings, self._ground)
        self.workers: Mapping[Lane, StageWorker] = {
            Lane.TRAIN: self._train, Lane.UPLOAD: ScriptUploadLane(), Lane.EVALUATE: self._evaluate,
        }  # fmt: skip
        self._analyst = ScriptAnalyst(store.read, settings)
        self.analyst: Analyst = self._analyst

    @property
    def beside(self) -> Sequence[Callable[[], Awaitable[object]]]:
        """The branch and ``results.tsv`` follow the store."""
        return (self._following.run,)

    async def begin(self) -> None:
        """End what the last runner has left of passages that were ended; say once what is not as it should be."""
        try:
            await self._train.end_all_but(self._store.read.open_stage(Lane.TRAIN))
        except WorkerError as stuck:
            self._store.submit(writes.event, Level.ERROR, Lane.TRAIN, str(stuck))
        for line in (_unconfined(), _unsaved(self._program)):
            if line:
                self._store.submit(writes.event, Level.WARNING, "run", line)

    def attend(self) -> None:
        """Nobody comes to a script."""

    def use(self, program: object) -> None:
        """Work by another revision of the program from now on."""
        assert isinstance(program, ScriptProgram), "a run stays about its script"
        self._program = program
        settings = lane_settings(program)
        self._train.settings = self._evaluate.settings = self._analyst.settings = settings

    async def clean_up(self, store: Store) -> object:
        """Follow the verdict."""
        return await self._following.catch_up()

    async def finale(self) -> None:
        """Nothing: what was kept is on the branch."""

    async def end(self) -> None:
        """Follow the last verdict."""
        await self._following.catch_up()


def lane_settings(program: ScriptProgram) -> ScriptLaneSettings:
    """What the lanes need to know of a program."""
    script = program.script
    repeats = script.metric.noise.repeats
    rule = MetricRule(
        direction=script.metric.direction,
        rule=script.rule,
        metric=script.metric.name,
        seeds=_SEEDS[script.rule] if repeats is None else repeats + 1,
    )
    return ScriptLaneSettings(
        project=program.path.parent,
        tag=program.name,
        command=script.command,
        editable=script.editable,
        rule=rule,
        pattern=script.metric.pattern,
        seconds=script.seconds + script.startup_seconds,
        checks=script.checks,
        protected=script.protected,
        env=script.env,
        seed_env=script.seed_env,
        repairs=script.repairs,
        seed=program.seed,
        confined=_confined(),
    )


def not_confined() -> str:
    """Why the script cannot be run without network and without writing elsewhere; empty where it can, or where the
    person has said that it need not be. Looks at the kernel by trying, so not in an event loop."""
    found = _confinement()
    if not found.why or os.environ.get(UNSAFE):
        return ""
    return f"this machine does not let a script be confined ({found.why}); to run it all the same, add --unsafe"


def _confinement() -> Confinement:
    """What this machine can do, found out once; in a thread, as whoever asks may have an event loop of their own."""
    if not _found:
        thread = threading.Thread(target=lambda: _found.append(asyncio.run(available())), name="try to confine")
        thread.start()
        thread.join()
    return _found[0]


def _confined() -> Confined | None:
    found = _confinement()
    if not (found.network or found.files):
        return None
    return Confined(network=found.network, files=found.files, processes=found.processes)


def _unconfined() -> str:
    found = _confinement()
    if found.why:
        return f"--unsafe: the script is run with rights that it should not have ({found.why})"
    return "" if found.processes else "this machine does not hide its processes from a script: it sees their names"


def _unsaved(program: ScriptProgram) -> str:
    files = [file for file in program.committed.unsaved if Path(file).name != program.path.name]
    if not files:
        return ""
    names = ", ".join(files[:5]) + (", …" if len(files) > 5 else "")
    return f"not committed, so the run does not see it: {names}"
