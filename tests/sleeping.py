"""Lanes that sleep instead of working, and a program to drive them with: the loop without training."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from checkpoints import writes
from checkpoints.records import (
    BASELINE,
    Choice,
    Experiment,
    FailureKind,
    Interval,
    Json,
    Lane,
    Outcome,
    Stage,
    Standing,
    Verdict,
    Vote,
    model_name,
)
from checkpoints.store import Store
from checkpoints.trust import PromotionTest
from lanes.lane import StageFailed, StagePaused
from runner.agent.playbook import Playbook
from runner.agent.proposer import Proposer
from runner.pipeline import Pipeline
from runner.planner import Planner
from runner.program import Program
from runner.steering import Steering

Gate = Callable[[int], Awaitable[None]]
"""What work on an experiment waits for before its sleep: an order of events that no pace of the machine can change."""

VOTES = 3
"""Votes that the sleeping evaluation casts for each experiment."""

PROGRAM = """---
name: sleeping
goal: sleep better
model: model
data:
  sources: {{a: a.jsonl, b: b.jsonl}}
  heldout: {{prompts: prompts.jsonl}}
recipe:
  training: {{learning_rate: 0.001, beta: 0.1}}
space:
  data.mix.a: {{min: 0, max: 9}}
  data.mix.b: {{min: 0, max: 9}}
  data.sample_size: {{min: 1, max: 100000}}
  training.learning_rate: {{min: 1e-9, max: 1, scale: log}}
  training.beta: {{min: 0.001, max: 9, scale: log}}
  lora.r: {{choices: [{ranks}]}}
budget: {{experiments: {experiments}, ahead: {ahead}}}
evaluate: {{slots: {slots}}}
zoom_out: {{every: 1000, plateau: 1000, streak: 1000}}
search: {{policy: {policy}}}
---
Sleep.
"""


class SleepingLane:
    """Takes its time; what it did is a file that cannot be made twice."""

    def __init__(
        self,
        store: Store,
        name: Lane,
        seconds: float,
        failures: Mapping[int, StageFailed] | None = None,
        no_orders: Mapping[int, StageFailed] | None = None,
        gate: Gate | None = None,
    ) -> None:
        self.name = name
        self.seconds = seconds
        self.failures = dict(failures or {})
        self.no_orders = dict(no_orders or {})
        self.gate = gate
        self._store = store
        self._hands: dict[int, asyncio.Task[None]] = {}
        self._why: dict[int, Exception] = {}

    def order(self, experiment: Experiment) -> Json:
        if failure := self.no_orders.pop(experiment.number, None):
            raise failure
        return {"experiment": experiment.number}

    async def run(self, stage: Stage) -> Json:
        """Sleep, then leave a file that only one can make; found there, the work was done before a kill."""
        done = self._store.folder / f"{self.name}-{stage.experiment}-{stage.attempt}.done"
        if not done.exists():
            await self._sleep(stage.experiment)
            if failure := self.failures.pop(stage.experiment, None):
                raise failure
            if self.name is Lane.EVALUATE:
                await self._vote(stage.experiment)
            done.touch(exist_ok=False)
        return {"at": time.time()}

    async def _sleep(self, experiment: int) -> None:
        self._why.pop(experiment, None)
        hand = self._hands[experiment] = asyncio.create_task(self._work(experiment))
        try:
            await hand
        except asyncio.CancelledError:
            if experiment not in self._why:
                raise
            raise self._why[experiment] from None

    async def _work(self, experiment: int) -> None:
        if self.gate:
            await self.gate(experiment)
        await asyncio.sleep(self.seconds)

    async def _vote(self, experiment: int) -> None:
        for number in range(VOTES):
            vote = Vote(
                experiment, f"{experiment}:{number}", f"sim-{number}", "p", model_name(experiment), "reference",
                Choice.A, True, time.time(),
            )  # fmt: skip
            await self._store.do(writes.add_votes, [vote])

    def revise(self, stage: Stage, failure: StageFailed) -> Json | None:
        return None

    async def pause(self) -> None:
        for experiment in tuple(self._hands):
            self._stop(experiment, StagePaused())

    async def abort(self, experiment: int | None = None) -> None:
        for each in tuple(self._hands) if experiment is None else (experiment,):
            self._stop(each, StageFailed(FailureKind.CRASH, "aborted"))

    def _stop(self, experiment: int, why: Exception) -> None:
        hand = self._hands.get(experiment)
        if hand and not hand.done():
            self._why[experiment] = why
            hand.cancel()

    async def close(self, keep_workers: bool) -> None: ...

    async def end_all_but(self, stage: Stage | None) -> None: ...

    def attend(self) -> None: ...

    def test_order(self, champion: int, opponent: int) -> Json:
        return {"champion": champion, "opponent": opponent}

    async def test(self, test: PromotionTest) -> Verdict:
        await self._sleep(test.experiment)
        reason = "nobody voted anew"
        return Verdict(test.experiment, Outcome.INCONCLUSIVE, 0, 0, 0, None, None, None, None, reason, time.time())


class SleepingAnalyst:
    """Keeps the experiments it is told to keep."""

    def __init__(self, seconds: float, keeps: frozenset[int] = frozenset(), effect: Interval | None = None) -> None:
        self.seconds = seconds
        self.keeps = keeps
        self.effect = effect

    async def judge(self, experiment: Experiment) -> tuple[Verdict, list[Standing]]:
        await asyncio.sleep(self.seconds)
        number = experiment.number
        kept = number == BASELINE or number in self.keeps
        outcome = Outcome.KEEP if kept else Outcome.DISCARD
        reason = f"{model_name(number)} was told to be {outcome}"
        effect = None if number == BASELINE else self.effect
        return Verdict(number, outcome, 30, 10, 0, None, None, None, None, reason, time.time(), effect=effect), []


def program(folder: Path, experiments: int, ahead: int = 1, slots: int = 1, policy: str = "greedy") -> Program:
    """A valid program whose space has more changes than any test needs."""
    ranks = ", ".join(str(rank) for rank in range(1, 1000))
    text = PROGRAM.format(experiments=experiments, ahead=ahead, slots=slots, ranks=ranks, policy=policy)
    return Program.parse(text, folder / "program.md")


async def drive(
    store: Store,
    experiments: int,
    seconds: Mapping[Lane, float],
    keeps: frozenset[int] = frozenset(),
    failures: Mapping[Lane, Mapping[int, StageFailed]] | None = None,
    no_orders: Mapping[Lane, Mapping[int, StageFailed]] | None = None,
    proposer: Proposer | None = None,
    slots: int = 1,
    policy: str = "greedy",
    effect: Interval | None = None,
    gates: Mapping[Lane, Gate] | None = None,
) -> None:
    """Drive a run of sleeping lanes to its end, with steering."""
    plan = program(store.folder, experiments, slots=slots, policy=policy)
    await store.do(writes.create_run, plan.name, plan.goal, experiments, plan.seed)
    planner = Planner(store, plan, proposer or Playbook())
    workers = {
        lane: SleepingLane(
            store, lane, seconds[lane], (failures or {}).get(lane), (no_orders or {}).get(lane), (gates or {}).get(lane)
        )
        for lane in (Lane.TRAIN, Lane.UPLOAD, Lane.EVALUATE)
    }
    pipeline = Pipeline(store, workers, SleepingAnalyst(seconds[Lane.ANALYZE], keeps, effect), planner)
    steering = asyncio.create_task(Steering(store, pipeline, planner).run())
    try:
        await pipeline.run()
    finally:
        steering.cancel()
