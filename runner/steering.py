"""What the runner does with a person's steps: each is acknowledged in the store with what came of it."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING

from checkpoints import writes
from checkpoints.records import BASELINE, ENDS, Change, Intervention, RunState, State, Step, model_name
from checkpoints.store import Store
from runner.agent.proposer import category_of
from runner.interventions import Refused, consequence
from runner.pipeline import Pipeline
from runner.planner import Planner
from runner.space import ChangeRefused, get

if TYPE_CHECKING:
    from sqlite_utils import Database

LOOK_SECONDS = 0.25
"""How often the store is asked for steps that were written by a dashboard in another process."""


class Steering:
    """Takes up interventions, one after the other."""

    def __init__(self, store: Store, pipeline: Pipeline, planner: Planner) -> None:
        self.store = store
        self.pipeline = pipeline
        self.planner = planner

    async def run(self) -> None:
        """Take up interventions for as long as the run goes on."""
        loop, committed = asyncio.get_running_loop(), asyncio.Event()

        def wake() -> None:
            loop.call_soon_threadsafe(committed.set)

        forget = self.store.listen(wake)
        try:
            while True:
                committed.clear()
                for intervention in self.store.read.interventions(pending_only=True):
                    await self.take_up(intervention)
                with contextlib.suppress(TimeoutError):
                    # Not wait_for: before Python 3.12 it forgets that it was cancelled when it is told at that moment.
                    async with asyncio.timeout(LOOK_SECONDS):
                        await committed.wait()
        finally:
            forget()

    async def take_up(self, intervention: Intervention) -> None:
        """Do what a person wants, or say why it cannot be done; either way it is acknowledged."""
        try:
            effect = await self._do(intervention)
        except (Refused, ChangeRefused, writes.Conflict) as refused:
            effect = f"refused: {refused}"
        await self.store.do(writes.acknowledge, intervention.number, effect)
        if intervention.step is Step.STOP:
            self.pipeline.leave()  # not before it is acknowledged: found pending, it would stop the next start
        self.pipeline.tell()

    async def _do(self, intervention: Intervention) -> str:
        detail = intervention.detail
        match intervention.step:
            case Step.PAUSE:
                return await self._pause(now=detail.get("when") == "now", reason=intervention.reason)
            case Step.RESUME:
                return await self._resume()
            case Step.ZOOM_OUT:
                return await self._zoom_out(str(detail.get("text", "")))
            case Step.VETO:
                return await self._veto(intervention)
            case Step.SKIP:
                return await self._skip(intervention)
            case Step.INJECT:
                return await self._inject(str(detail.get("text", "")))
            case Step.STOP:
                return await self._stop(now=detail.get("how") == "now")
            case _:
                raise Refused(f"{intervention.step} is not known to this loop")

    async def _pause(self, now: bool, reason: str) -> str:
        why = reason or "a person paused the run"
        self.pipeline.hold(why)
        await self.store.do(writes.set_run, RunState.PAUSED, why)
        if not now:
            return "nothing new starts; the stages under way end first"
        await self._interrupt()
        return "the stages under way are interrupted where they can go on later"

    async def _interrupt(self) -> None:
        await asyncio.gather(*(worker.pause() for worker in self.pipeline.workers.values()))

    async def _resume(self) -> str:
        self.pipeline.go_on()
        await self.store.do(writes.set_run, RunState.RUNNING)
        return "the run goes on"

    async def _zoom_out(self, steering: str) -> str:
        number = await self.planner.force_zoom_out(steering)
        categories = self.store.read.zoom_outs()[-1].categories
        return f"zoom-out {number}: next from {', '.join(categories) or 'nothing, all was tried'}"

    async def _veto(self, intervention: Intervention) -> str:
        read, reason = self.store.read, intervention.reason
        number = _needed(intervention)
        result = consequence(read.rows(), read.championships(), number, bool(intervention.detail.get("branch")))
        opposed = [
            one.number for one in read.experiments(State.EVALUATING, State.EVALUATED) if one.opponent in result.vetoed
        ]
        again = tuple(one for one in opposed if one not in result.cancelled)

        def write(db: Database) -> None:
            for vetoed in result.vetoed[1:]:
                writes.veto(db, vetoed, None, reason)
            writes.veto(db, result.vetoed[0], result.champion, reason)
            for cancelled in result.cancelled:
                writes.cancel(db, cancelled, f"built on experiment {number}, which was vetoed")
            for experiment in again:
                writes.evaluate_again(db, experiment, f"its opponent was vetoed with experiment {number}")

        await self.store.do(write)
        await self.pipeline.abort((*result.cancelled, *again))
        champion = (
            f"{model_name(result.champion)} is champion again" if result.champion is not None else "the champion stays"
        )
        cancelled = f"; cancelled: {', '.join(map(model_name, result.cancelled))}" if result.cancelled else ""
        return f"{', '.join(map(model_name, result.vetoed))} vetoed; {champion}{cancelled}"

    async def _skip(self, intervention: Intervention) -> str:
        number = _needed(intervention)
        if number == BASELINE:
            raise Refused("the baseline cannot be skipped")
        try:
            experiment = self.store.read.experiment(number)
        except KeyError:
            raise Refused(f"there is no experiment {number}") from None
        if experiment.state in ENDS:
            raise Refused(f"experiment {number} has ended: it is {experiment.state}")
        await self.store.do(writes.cancel, number, intervention.reason or "skipped by a person")
        await self.pipeline.abort((number,))
        return f"{model_name(number)} skipped"

    async def _inject(self, text: str) -> str:
        """Without a language model an idea is ``field = value``, with an optional ``: why``."""
        idea, _, why = text.partition(":")
        field, sign, value = (part.strip() for part in idea.partition("="))
        if not sign:
            raise Refused("say an idea as `field = value: why`, for example `training.beta = 0.2: hold on less`")
        champion = self.store.read.champion()
        recipe = self.store.read.experiment(champion.experiment).recipe if champion else None
        if recipe is None:
            raise Refused("there is no champion to change yet")
        change = Change(field, get(recipe, field), _value(value))
        await self.planner.inject(change, why.strip() or f"a person's idea: {change}", category_of(field))
        return f"next: {change}"

    async def _stop(self, now: bool) -> str:
        if now:
            self.pipeline.hold("stopping now")
            await self._interrupt()
            return "stopping now; what was under way goes on at the next start"
        self.pipeline.hold("finishing the stages under way, then stopping")
        return "the stages under way end, then the run stops"


def _needed(intervention: Intervention) -> int:
    if intervention.experiment is None:
        raise Refused(f"{intervention.step} needs the number of an experiment")
    return intervention.experiment


def _value(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return text
