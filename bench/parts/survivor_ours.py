"""The small job in our loop: ``python -m bench.parts.survivor_ours FOLDER EXPERIMENTS [workers]``.

Store, pipeline, steering, planner and playbook are the real ones. A stage works in this process, as those of the others
do; with ``workers`` each has a process of its own, as our lanes have, which the next loop takes up.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from sleeping import SleepingAnalyst, SleepingLane, program

from bench.parts.small_job import STAGES, note
from checkpoints import writes
from checkpoints.records import Json, Lane, Stage
from checkpoints.store import Held, Store
from lanes.lane import StageWorker
from lanes.launch import LocalProcess
from lanes.worker import Worker
from runner.agent.playbook import Playbook
from runner.pipeline import Pipeline
from runner.planner import Planner
from runner.steering import Steering

HELD = 3
"""Exit status when another process owns the run, as the command line's own."""


class InProcess(SleepingLane):
    """A stage whose effect comes before its record, and knows nothing of earlier ones."""

    async def run(self, stage: Stage) -> Json:
        note(self._store.folder, "begun", stage.experiment, self.name)
        await self._sleep(stage.experiment)
        note(self._store.folder, "done", stage.experiment, self.name)
        return {}


class InWorker(SleepingLane):
    """A stage in a process of its own."""

    async def run(self, stage: Stage) -> Json:
        worker = Worker(self._store.folder / "stages" / f"{self.name}-{stage.experiment}")
        if not worker.alive and worker.result() is None:
            order = {"ledger": str(self._store.folder), "experiment": stage.experiment, "stage": str(self.name)}
            worker.folder.mkdir(parents=True, exist_ok=True)
            await worker.put_order(order)
            await worker.start("bench.parts.small_worker", LocalProcess(), self._store.owner.path)
        await worker.wait()
        return worker.result() or {}


def main() -> int:
    """Drive the run to its end; returns the exit status."""
    folder, experiments = Path(sys.argv[1]), int(sys.argv[2])
    try:
        with Store(folder) as store:
            asyncio.run(drive(store, experiments, InWorker if sys.argv[3:] == ["workers"] else InProcess))
    except Held as held:
        print(held, file=sys.stderr)
        return HELD
    return 0


async def drive(store: Store, experiments: int, kind: type[SleepingLane]) -> None:
    """The loop with its lanes; the baseline is one of the experiments."""
    plan = program(store.folder, experiments - 1)
    await store.do(writes.create_run, plan.name, plan.goal, experiments - 1, plan.seed)
    planner = Planner(store, plan, Playbook())
    workers: dict[Lane, StageWorker] = {Lane(name): kind(store, Lane(name), STAGES[name]) for name in STAGES}
    pipeline = Pipeline(store, workers, SleepingAnalyst(0.0), planner)
    steering = asyncio.create_task(Steering(store, pipeline, planner).run())
    try:
        await pipeline.run()
    finally:
        steering.cancel()


if __name__ == "__main__":
    sys.exit(main())
