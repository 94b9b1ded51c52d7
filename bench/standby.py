"""How long the device is idle between one training's end and the next one's first step, with and without a warm worker.

Run ``python -m bench.standby`` from the root of the repository; it takes two to four minutes on two cores. It trains
the demo's own baseline again and again through the train lane: idle is the time from the moment when ``result.json``
is in place to the beginning of the next training's first step. The first training of each row is a cold start and not
counted.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from checkpoints import writes
from checkpoints.records import Json, Lane, Proposal
from checkpoints.store import Store
from lanes.order import ORDER, READY, RESULT
from lanes.recipe import Recipe
from lanes.train import TrainLane
from runner.lane_settings import train_settings
from runner.program import Program

ROOT = Path(__file__).resolve().parents[1]


async def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--trainings", type=int, default=4, help="in each row, the first one not counted (4)")
    arguments.add_argument(
        "--steps", type=int, default=60, help="of a training; the next worker warms up meanwhile (60)"
    )
    given = arguments.parse_args()
    print(f"{'':16} idle between trainings, s            median    worst   warm in time", flush=True)
    for name, standby in (("warm standby", True), ("cold start", False)):
        idle, warm = await row(standby, given.trainings, given.steps)
        each = " ".join(f"{seconds:6.2f}" for seconds in idle)
        in_time = f"{warm} of {len(idle)}" if standby else "-"
        print(f"{name:16} {each:34} {statistics.median(idle):8.2f} {max(idle):8.2f}   {in_time}", flush=True)


async def row(standby: bool, trainings: int, steps: int) -> tuple[list[float], int]:
    """Idle seconds before each training but the first, and for how many of them a worker was warm in time."""
    with tempfile.TemporaryDirectory() as folder, Store(Path(folder)) as store:
        program = Program.read(ROOT)
        recipe = program.recipe.model_copy(
            update={"training": program.recipe.training.model_copy(update={"max_steps": steps})}
        )
        lane = TrainLane(store, replace(train_settings(program), standby=standby))
        idle: list[float] = []
        warm, last_end = 0, 0.0
        try:
            for number in range(trainings):
                ready = any(not path.with_name(ORDER).exists() for path in store.folder.glob(f"work/*/{READY}"))
                began, ended = await train(store, lane, recipe)
                if number:
                    idle.append(began - last_end)
                    warm += ready
                last_end = ended
        finally:
            await lane.close(keep_workers=False)
        return idle, warm


async def train(store: Store, lane: TrainLane, recipe: Recipe) -> tuple[float, float]:
    """One experiment through the train lane, with the commits that a run makes; returns its first step and its end."""
    bound: Json = recipe.model_dump(mode="json")
    number = await store.do(writes.propose, Proposal("the same again", "data", None, "program"))
    order = lane.order(replace(store.read.experiment(number), recipe=bound))
    await store.do(writes.start_stage, number, Lane.TRAIN, order, recipe=bound)
    stage = store.read.open_stage(Lane.TRAIN)
    assert stage is not None
    began = time.monotonic()
    result = await lane.run(stage)
    await store.do(writes.finish_stage, number, Lane.TRAIN, stage.attempt, result, time.monotonic() - began)
    there = Path(stage.order["folder"]) / RESULT
    return float(json.loads(there.read_bytes())["first_step_at"]), there.stat().st_mtime


if __name__ == "__main__":
    asyncio.run(main())
