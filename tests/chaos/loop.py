"""A whole run without torch, in a process of its own: ``python -m chaos.loop FOLDER EXPERIMENTS``.

Store, pipeline, steering, trainers as processes, uploads with their sums and the arena's service with its ledger are
the product's own; what a trainer learns, who is kept and how long a judgement takes are not.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sqlite3
import sys
from pathlib import Path
from types import SimpleNamespace

from sleeping import SleepingAnalyst, SleepingLane, program

from chaos.trainer import CHECKPOINT_STEPS, Counting
from checkpoints import writes
from checkpoints.records import BASELINE, Lane, RunState, Step
from checkpoints.store import Held, Store, StoreError
from lanes.arena.lineup import Arm, Lineup
from lanes.arena_desk import ARENA, ArenaDesk, arena_order
from lanes.arena_votes import Intake
from lanes.evaluate_settings import ArenaSettings
from lanes.lane import StageFailed
from lanes.launch import LocalProcess
from lanes.order import Source
from lanes.train import TrainLane, TrainSettings
from lanes.upload import UploadLane
from runner.agent.playbook import Playbook
from runner.late import last_look
from runner.pipeline import Pipeline
from runner.planner import Planner
from runner.steering import Steering
from tui.headless import listen_for_signals, speak_into_the_log

HELD = 3
"""Exit status when another process owns the run, as the command line's own."""

UNUSABLE = 5
"""Exit status when the store cannot be used, which is said in one line; when whatever keeps it so is over, it can."""

SECONDS = {Lane.EVALUATE: 0.1, Lane.ANALYZE: 0.02}

LINEUP = Lineup(arms=(Arm(experiment=1, candidate="exp-0001", opponent="exp-0000"),), champion="exp-0000")
"""People vote on the first experiment for as long as the run goes on."""


def main() -> int:
    """Drive the run to its end, or to where a signal has it stop; returns the exit status."""
    folder, experiments = Path(sys.argv[1]), int(sys.argv[2])
    try:
        with Store(folder) as store:
            asyncio.run(drive(store, experiments))
    except Held as held:
        print(held, file=sys.stderr)
        return HELD
    except StoreError as error:
        print(error, file=sys.stderr)
        return UNUSABLE
    return 0


async def drive(store: Store, experiments: int) -> None:
    """The loop with all that works for it."""
    plan = program(store.folder, experiments)
    found = store.read.last_intervention()
    await store.do(writes.create_run, plan.name, plan.goal, experiments, plan.seed)
    for left in store.read.interventions(pending_only=True):
        if left.step is Step.STOP and left.number <= found:
            await store.do(writes.acknowledge, left.number, "the run had ended before, and was started again")
    train = TrainLane(
        store,
        TrainSettings("counting", {"a": Source(path="a"), "b": Source(path="b")}, standby=False,
                      checkpoint_steps=CHECKPOINT_STEPS, hang_seconds=5),
        Counting(),
    )  # fmt: skip
    workers = {
        Lane.TRAIN: train,
        Lane.UPLOAD: UploadLane(store),
        Lane.EVALUATE: SleepingLane(store, Lane.EVALUATE, SECONDS[Lane.EVALUATE]),
    }
    planner = Planner(store, plan, Playbook())
    analyst = SleepingAnalyst(SECONDS[Lane.ANALYZE], frozenset(range(2, experiments + 1, 3)))
    pipeline = Pipeline(store, workers, analyst, planner)
    run = store.read.run()
    if run and run.state is RunState.PAUSED:
        await store.do(writes.set_run, RunState.RUNNING)
    _listen(store)
    await train.end_all_but(store.read.open_stage(Lane.TRAIN))
    desk = ArenaDesk(store.folder / ARENA, arena_order(ArenaSettings()), LocalProcess(), store.owner.path)
    steering = Steering(store, pipeline, planner)
    beside = [asyncio.create_task(each) for each in (steering.run(), _door(store, desk))]
    try:
        await pipeline.run()
    finally:
        for task in beside:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await train.close(keep_workers=False)
        await _last_votes(store, desk)
        await last_look(steering)


async def _door(store: Store, desk: ArenaDesk) -> None:
    """Keep the arena up, and take in what is voted once there is an experiment to vote on."""
    intake = Intake(store, desk, print)
    while True:
        with contextlib.suppress(StageFailed, sqlite3.OperationalError):
            await desk.up()
            await desk.tell(LINEUP)
            if store.read.count() > BASELINE + 1:
                await intake.take()
        await asyncio.sleep(0.1)


async def _last_votes(store: Store, desk: ArenaDesk) -> None:
    """The door closes, then what came through it is taken in."""
    desk_gone = ArenaDesk(desk.folder, desk.order, LocalProcess(), store.owner.path)
    await desk.down()
    if store.read.count() > BASELINE + 1:
        await Intake(store, desk_gone, print).take()
    await desk_gone.leave()


def _listen(store: Store) -> None:
    listen_for_signals(SimpleNamespace(store=store))
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, speak_into_the_log, store.folder)


if __name__ == "__main__":
    sys.exit(main())
