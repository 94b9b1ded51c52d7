"""The loop: four lanes side by side, one step off. Read this page and you know how they overlap.

While experiment N trains, N-1 is uploaded and evaluated, N-2 is analyzed and N+1 is prepared. The store is the queue:
the state of an experiment says which lane it waits for, so a loop that was killed goes on by looking at the store. A
lane does its outside work between two commits, *started* and *done*; found open at start, a passage is taken up. Votes
take longest to come, so that the evaluate lane may have several experiments in hand, side by side.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace

from checkpoints import writes
from checkpoints.records import BASELINE, Experiment, FailureKind, Lane, Level, RunState, Stage, State
from checkpoints.store import Store, StoreError
from lanes.lane import Analyst, StageFailed, StagePaused, StageWorker
from lanes.room import shortage
from lanes.worker import WorkerError
from runner.failing import give_up, give_up_before, leave_unjudged, no_baseline, try_again
from runner.offers import Halt
from runner.planner import Planner, Stale

LOOK_AGAIN_SECONDS = 2.0
"""How often a waiting lane looks by itself whether what it waits for (room on the disk) has come."""

BETWEEN = (State.TRAINED, State.UPLOADING, State.UPLOADED, State.EVALUATING, State.EVALUATED)
"""States of an experiment that is trained but not judged; the next change is bound after a verdict that is due."""

FLYING = (State.TRAINING, *BETWEEN)
"""States of an experiment that a lane has to do with."""


class Pipeline:
    """Drives the experiments of one run through the four lanes."""

    def __init__(
        self,
        store: Store,
        workers: Mapping[Lane, StageWorker],
        analyst: Analyst,
        planner: Planner,
        linger: bool = False,
        clean_up: Callable[[Store], Awaitable[object]] | None = None,
        finale: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self.store = store
        self.workers = workers
        self.analyst = analyst
        self.planner = planner
        self.linger = linger
        """Wait for more work when the budget is used up, instead of ending."""

        self.clean_up = clean_up
        """Gives room back on the disk after each verdict."""

        self.finale = finale
        """What comes when the budget is used up and everything is judged, before the run is finished."""

        self.in_hand: dict[tuple[Lane, int], Stage] = {}
        """Passages that are worked on right now, by lane and experiment."""

        self.held = ""
        """Why nothing new starts; empty while it does."""

        self._read = store.read
        self._over = False
        self._news = asyncio.Event()

    async def run(self) -> None:
        """Drive the run until its budget is used up, or until ``leave``."""
        await self.store.do(writes.end_waits)
        async with asyncio.TaskGroup() as lanes:
            lanes.create_task(self._prepare())
            for worker in self.workers.values():
                lanes.create_task(self._serve(worker))
            lanes.create_task(self._analyze())

    def hold(self, reason: str) -> None:
        """Start nothing new, for a reason that is shown."""
        self.held = reason
        self.tell()

    def go_on(self) -> None:
        """Start things again."""
        self.held = ""
        self.tell()

    def leave(self) -> None:
        """End ``run`` when the passages in hand have ended."""
        self._over = True
        self.planner.leave()
        self.tell()

    def tell(self) -> None:
        """Wake every lane that waits: something has changed."""
        self._news.set()
        self._news = asyncio.Event()

    async def abort(self, numbers: tuple[int, ...]) -> None:
        """Kill the outside work on experiments whose passages have been ended in the store."""
        for key, stage in tuple(self.in_hand.items()):
            # Asked anew for each: while one ends its work, another may have begun the next passage.
            if stage.experiment in numbers and self.in_hand.get(key) is stage and not self._is_open(stage):
                if worker := self.workers.get(stage.lane):
                    await self._abort(worker, stage)
        self.tell()

    async def _abort(self, worker: StageWorker, stage: Stage) -> None:
        try:
            await worker.abort(stage.experiment)
        except (WorkerError, OSError) as stuck:
            # What was asked for is done in the store; what goes on outside is said, for somebody to look after it.
            self.store.submit(writes.event, Level.ERROR, stage.lane, f"goes on: {stuck}", stage.experiment)

    def _is_open(self, stage: Stage) -> bool:
        passage = (stage.experiment, stage.attempt)
        return any((one.experiment, one.attempt) == passage for one in self._read.open_stages(stage.lane))

    # One method a step, in the order in which an experiment meets them.

    async def _prepare(self) -> None:
        """Keep the next proposal ready while the one before trains; end the run when there is none to come."""
        while not self._over:
            news = self._news
            if not self.held and not self._read.count(State.PROPOSED):
                if await self._propose():
                    if not self.held:  # somebody may have paused the run meanwhile
                        await self.store.do(writes.set_run, RunState.RUNNING)
                    self.tell()
                    continue
                if not (self.held or self._over or self._read.count(*FLYING)):
                    await self._finish()
            await _wait(news)

    async def _propose(self) -> bool:
        """Have the next proposal made; where nobody may or can, the run is held with the reason."""
        try:
            return await self.planner.propose(self._starves)
        except Halt as halt:
            self.hold(str(halt))
            await self.store.do(writes.set_run, RunState.PAUSED, str(halt))
            return False

    def _starves(self) -> bool:
        """Whether the train lane stands still, and for nothing but a proposal."""
        at_work = any(stage.lane is Lane.TRAIN for stage in self.in_hand.values())
        full = self._read.count(*BETWEEN) >= self._slots(Lane.EVALUATE) + self.planner.program.ahead
        return not (self.held or at_work or full) and self._obstacle(Lane.TRAIN) == "a proposal"

    async def _finish(self) -> None:
        """Nothing is left to try and nothing under way: what comes last, and the end."""
        if self.finale:
            await self.finale()
        async with self.planner.proposing:  # what a person wants tried is put before the end, or comes too late
            if self.held or self._over or self._read.count(State.PROPOSED, *FLYING):
                return  # a person's step came in between
            await self.store.do(writes.set_run, RunState.FINISHED, self.planner.why_finished())
            if not self.linger:
                self.leave()

    async def _serve(self, worker: StageWorker) -> None:
        """One lane, for as long as the run goes on, with as many passages side by side as it has slots."""
        async with asyncio.TaskGroup() as passages:
            while stage := await self._next(worker.name):
                passages.create_task(self._pass(worker, stage))

    async def _next(self, lane: Lane) -> Stage | None:
        """Take the next passage through a lane in hand: one that was left open, or a new one; None when there will be
        no more."""
        told = ""
        while not self._over:
            news = self._news
            at_work = sum(stage.lane is lane for stage in self.in_hand.values())
            if at_work < self._slots(lane):
                obstacle = self._obstacle(lane)
                if obstacle is None and (stage := self._left_open(lane) or await self._begin(lane)):
                    self.in_hand[lane, stage.experiment] = stage
                    self.store.submit(writes.stop_waiting, lane)
                    return stage
                if obstacle and obstacle != told and not at_work:  # a lane that has work in hand does not stand still
                    self.store.submit(writes.start_waiting, lane, obstacle)
                    told = obstacle
            await _wait(news)
        self.store.submit(writes.stop_waiting, lane)
        return None

    def _slots(self, lane: Lane) -> int:
        return self.planner.program.slots if lane is Lane.EVALUATE else 1

    def _left_open(self, lane: Lane) -> Stage | None:
        """A passage that was begun and that nobody works on: its worker failed, was paused or was killed."""
        return next((one for one in self._read.open_stages(lane) if (lane, one.experiment) not in self.in_hand), None)

    def _waiting(self, lane: Lane) -> Experiment | None:
        """The experiment that enters a lane next; not one whose last passage is still being ended."""
        waiting = self._read.experiments(writes.WAITING_FOR[lane])
        return next((one for one in waiting if (lane, one.number) not in self.in_hand), None)

    def _obstacle(self, lane: Lane) -> str | None:
        """What a lane waits for; None when it can go on."""
        if self.held:
            return f"the go-ahead: {self.held}"
        if self._left_open(lane):
            return None
        waiting = self._waiting(lane)
        match lane:
            case Lane.TRAIN:
                if waiting is None:
                    return "a proposal"
                trained, limit = self._read.experiments(*BETWEEN), self.planner.program.ahead
                if len(trained) >= self._slots(Lane.EVALUATE) + limit:
                    return f"the evaluation of {trained[0].model}: {limit} ahead is the limit"
                if waiting.number != BASELINE and self._read.champion() is None:
                    return "the baseline"
                return shortage(self.store.folder) or None
            case Lane.UPLOAD:
                return None if waiting else "a trained model"
            case Lane.EVALUATE:
                unjudged = self._read.first(State.EVALUATED)
                if unjudged:
                    return f"the verdict on {unjudged.model}, which may change the opponent"
                return None if waiting else "an uploaded model"
            case Lane.ANALYZE:
                return None if waiting else "evidence"

    async def _begin(self, lane: Lane) -> Stage | None:
        """Commit the start of a new passage, with what is decided at this moment: recipe and parent, or opponent."""
        experiment = self._waiting(lane)
        if experiment is None:
            return None
        try:
            await self._start(lane, experiment)
        except Stale as stale:
            await self.store.do(writes.cancel, experiment.number, f"went back to the proposer: {stale}")
        except writes.Conflict:
            pass  # a person's step came first; the store says what is next
        except StageFailed as failure:
            await self._end(lane, experiment.number, failure, give_up_before, experiment.number, lane, failure)
        self.tell()
        return self._left_open(lane)

    async def _start(self, lane: Lane, experiment: Experiment) -> None:
        champion = self._read.champion()
        reigning = champion.experiment if champion else None
        number = experiment.number
        match lane:
            case Lane.TRAIN:
                recipe = self.planner.bind(experiment)
                parent = self.planner.parent(experiment)
                order = self.workers[lane].order(replace(experiment, recipe=recipe, parent=parent))
                await self.store.do(writes.start_stage, number, lane, order, recipe=recipe, parent=parent)
            case Lane.EVALUATE:
                opponent = None if number == BASELINE else reigning
                order = self.workers[lane].order(replace(experiment, opponent=opponent))
                await self.store.do(writes.start_stage, number, lane, order, opponent=opponent)
            case Lane.UPLOAD:
                await self.store.do(writes.start_stage, number, lane, self.workers[lane].order(experiment))
            case Lane.ANALYZE:
                await self.store.do(writes.start_stage, number, lane, {})

    async def _pass(self, worker: StageWorker, stage: Stage) -> None:
        """One experiment through one lane, to its end, its pause or its failure."""
        lane, number = worker.name, stage.experiment
        began = time.monotonic()
        try:
            if not self._is_open(stage):
                return  # ended between its begin and now
            result = await worker.run(stage)
            crown = "the baseline reigns until somebody beats it" if (lane, number) == (Lane.TRAIN, BASELINE) else ""
            seconds = time.monotonic() - began
            await self.store.do(writes.finish_stage, number, lane, stage.attempt, result, seconds, crown)
        except StagePaused:
            pass  # the passage stays open; the lane waits until the run goes on
        except StageFailed as failure:
            await self._failed(worker, stage, failure, time.monotonic() - began)
        except writes.Conflict:
            pass  # cancelled meanwhile: what was done is not wanted any more
        except (StoreError, sqlite3.Error):
            raise  # what happens cannot be recorded any more
        except Exception as error:
            line = " ".join(f"{type(error).__name__}: {error}".split())
            await self._failed(worker, stage, StageFailed(FailureKind.CRASH, line), time.monotonic() - began)
        finally:
            del self.in_hand[lane, number]
            self.tell()

    async def _failed(self, worker: StageWorker, stage: Stage, failure: StageFailed, seconds: float) -> None:
        """Try again with a revised order, or give the experiment up."""
        if not self._is_open(stage):
            return
        order = worker.revise(stage, failure)
        if order is None:
            await self._end(stage.lane, stage.experiment, failure, give_up, stage, failure, seconds)
            return
        with contextlib.suppress(writes.Conflict):  # a person's step came first
            await self.store.do(try_again, stage, failure, seconds, order)

    async def _end(
        self, lane: Lane, number: int, failure: StageFailed, write: Callable[..., None], *how: object
    ) -> None:
        """End the experiment with its failure; without a baseline there is no run."""
        if number == BASELINE:
            self.held = no_baseline(lane, failure)
            if not self.linger:
                self.leave()
        with contextlib.suppress(writes.Conflict):  # a person's step came first
            await self.store.do(write, *how)

    async def _analyze(self) -> None:
        """The fourth lane ends in a verdict, and in what the next proposal may learn from it."""
        while stage := await self._next(Lane.ANALYZE):
            try:
                await self._judge(stage, time.monotonic())
            finally:
                del self.in_hand[stage.lane, stage.experiment]
                self.tell()

    async def _judge(self, stage: Stage, began: float) -> None:
        number = stage.experiment
        try:
            verdict, standings = await self.analyst.judge(self._read.experiment(number))
            await self.planner.conclude(verdict, standings, stage.attempt, time.monotonic() - began)
            # A keep has put back those that were judged beside it: their opponent reigns no longer.
            await self.abort(tuple(one for lane, one in self.in_hand if lane is Lane.EVALUATE))
            if self.clean_up:
                await self.clean_up(self.store)
        except StageFailed as failure:
            with contextlib.suppress(writes.Conflict):  # a person's step came first
                await self.store.do(leave_unjudged, stage, failure, time.monotonic() - began)
        except writes.Dethroned as gone:
            with contextlib.suppress(writes.Conflict):  # a person's step came first
                await self.store.do(writes.evaluate_again, number, str(gone))
        except writes.Conflict as conflict:
            self.store.submit(writes.event, Level.WARNING, "verdict", str(conflict), number)


async def _wait(news: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(LOOK_AGAIN_SECONDS):
            await news.wait()
    except TimeoutError:
        pass
