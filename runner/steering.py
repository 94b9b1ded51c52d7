"""Takes up what a person wants: decides by the store what follows, does it, and acknowledges it with what came of it.

A step and its acknowledgement are one write: killed before it, the step is taken up again; after it, it is done.
"""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from checkpoints import writes
from checkpoints.records import REFUSED, Choice, Intervention, Proposal, RunState, State, Step, Vote
from checkpoints.store import Store, StoreError
from checkpoints.trouble import can_pass
from lanes.vote_limit import limit_for
from runner import beside, interventions, noted
from runner.believing import settle
from runner.carry_out import Look, carry_out
from runner.change import ChangeRefused
from runner.consequence import Consequence
from runner.conversation import converse
from runner.interventions import Refused
from runner.pipeline import Pipeline
from runner.planner import Planner
from runner.undo import undo

if TYPE_CHECKING:
    from sqlite_utils import Database

LOOK_SECONDS = 0.25
"""How often the store is asked for steps that were written by a dashboard in another process."""

_FINISHED = "the run is finished"


class _NotNow(Exception):
    """A step that stays pending for a while."""


class Steering:
    """Takes up interventions, one after the other."""

    def __init__(self, store: Store, pipeline: Pipeline, planner: Planner) -> None:
        self.store = store
        self.pipeline = pipeline
        self.planner = planner
        self._mark = 0
        self._beside = beside.Beside(self.take_up)

    async def run(self) -> None:
        """Take up interventions for as long as the run goes on; a store that is busy for a moment is asked again."""
        async with asyncio.TaskGroup() as together:
            together.create_task(self._beside.run())
            await self._look_for_steps()

    async def _look_for_steps(self) -> None:
        loop, committed = asyncio.get_running_loop(), asyncio.Event()

        def wake() -> None:
            loop.call_soon_threadsafe(committed.set)

        forget = self.store.listen(wake)
        try:
            while True:
                committed.clear()
                try:
                    for intervention in self.store.read.interventions(pending_only=True):
                        if intervention.step in beside.STEPS:
                            self._beside.hand(intervention)
                        else:
                            await self.take_up(intervention)
                except sqlite3.Error as error:
                    if not can_pass(error):
                        raise
                with contextlib.suppress(TimeoutError):
                    # Not wait_for: before Python 3.12 it forgets that it was cancelled when it is told at that moment.
                    async with asyncio.timeout(LOOK_SECONDS):
                        await committed.wait()
        finally:
            forget()

    async def take_up(self, step: Intervention) -> None:
        """Do what a person wants, or say why it cannot be done; unless it has to wait it is acknowledged."""
        while True:
            try:
                await self._do(step)
            except writes.Moved:
                continue  # the run went on between the look and the write: decide again by what it is now
            except _NotNow:
                return  # nothing has changed that anybody would have to be told
            except (Refused, ChangeRefused, writes.Conflict) as refused:
                await self._refuse(step, str(refused))
            except (StoreError, sqlite3.Error):
                raise  # what happens cannot be recorded any more
            except Exception as error:
                await self._refuse(step, " ".join(f"{type(error).__name__}: {error}".split()))
            break
        if step.step is Step.STOP:
            self.pipeline.leave()  # not before it is acknowledged: found pending, it would stop the next start
        self.pipeline.tell()

    async def _refuse(self, step: Intervention, why: str) -> None:
        await self.store.do(writes.acknowledge, step.number, f"{REFUSED}{why}")

    async def _do(self, step: Intervention) -> None:
        match step.step:
            case Step.PAUSE:
                await self._pause(step, now=step.detail.get("when") == "now")
            case Step.RESUME:
                await self._resume(step)
            case Step.ZOOM_OUT:
                await self._zoom_out(step)
            case Step.INJECT:
                await noted.inject(self.store, self.planner, step)
            case Step.NOTE:
                await noted.note(self.store, step)
            case Step.VOTE:
                await self._vote(step)
            case Step.ASK:
                await converse(self.store, self.planner, step)
            case Step.STOP:
                await self._stop(step, now=step.detail.get("how") == "now")
            case Step.EXCLUDE | Step.READMIT | Step.PROMOTE | Step.DEMOTE:
                await settle(self.store, step)
            case _:
                await self._follow(step)

    async def _follow(self, step: Intervention) -> None:
        """Do what follows from a step that changes experiments or the champion."""
        look = await self._look()
        result = self._consequence(step, look)
        if result.run:
            await self._undo_pause(step)
            return
        if result.note:
            taken_back = next(one for one in look.interventions if one.number == step.detail["of"])
            await noted.undo_note(self.store, step, taken_back, result.note)
            return
        # The same lock as the planner's: a proposal that is being made, or the run's end, would come in between.
        async with self.planner.proposing if result.requeued else contextlib.nullcontext():
            result, proposals = self._proposals(look, result)
            await self.store.do(carry_out, look, step, result, proposals)
        await self.pipeline.abort((*result.cancelled, *result.again))

    async def _look(self) -> Look:
        read, (mark, rows) = self.store.read, await self.planner.rows.look()
        return Look(mark, rows, read.championships(), read.promotions(), read.interventions())

    def _consequence(self, step: Intervention, look: Look) -> Consequence:
        """What follows, by the same rules that the dashboard foretells it by."""
        rows, reigns = look.rows, look.reigns
        match step.step:
            case Step.VETO:
                branch = bool(step.detail.get("branch"))
                return interventions.veto(rows, reigns, look.promotions, _needed(step), branch)
            case Step.SKIP:
                return interventions.skip(rows, _needed(step))
            case Step.REQUEUE:
                return interventions.requeue(rows, reigns, _needed(step))
            case Step.PIN:
                return interventions.pin(rows, reigns, _needed(step))
            case Step.UNPIN:
                return interventions.unpin(rows, reigns)
            case Step.KEEP if not step.reason.strip():
                raise Refused("keeping anyway needs a reason")
            case Step.KEEP:
                return interventions.keep(rows, reigns, _needed(step))
            case Step.UNDO:
                return undo(rows, reigns, look.interventions, _of(step))
            case _:
                raise Refused(f"{step.step} is not known to this loop")

    def _proposals(self, look: Look, result: Consequence) -> tuple[Consequence, dict[int, tuple[Proposal, str]]]:
        """What is tried again, as proposals; where more follows from a step, what cannot be is left out and said."""
        champion = look.champion if result.champion is None else result.champion
        found: dict[int, tuple[Proposal, str]] = {}
        buts = [result.but] if result.but else []
        for number in result.requeued:
            before = look.rows[number].experiment.proposal
            assert champion is not None and before.change is not None, "what is requeued has a change and a champion"
            try:
                self.planner.check_budget(len(found) + 1)
                found[number] = self.planner.idea(
                    champion, before.change.field, before.change.new, before.hypothesis, before.change.also
                )
            except (Refused, ChangeRefused) as refused:
                if not result.kept:
                    raise
                buts.append(f"#{number} does not come back: {refused}")
        return replace(result, requeued=tuple(found), but="; ".join(buts)), found

    async def _pause(self, step: Intervention, now: bool) -> None:
        why = step.reason or "a person paused the run"
        before = self.pipeline.held
        self.pipeline.hold(why)
        effect = "nothing new starts; the stages under way end first"
        try:
            if now:
                await self._interrupt()
                effect = "the stages under way are interrupted where they can go on later"
            await self._set_run(step, RunState.PAUSED, why, effect)
        except Exception:
            if self.pipeline.held == why:
                self.pipeline.hold(before)  # it is refused: the run goes on as the store says
            raise

    async def _resume(self, step: Intervention) -> None:
        await self._set_run(step, RunState.RUNNING, "", "the run goes on")
        self.pipeline.go_on()

    async def _undo_pause(self, step: Intervention) -> None:
        taken_back = next(one for one in self.store.read.interventions() if one.number == step.detail["of"])
        if taken_back.step is Step.PAUSE:
            await self._resume(step)
        else:
            await self._pause(step, now=False)

    async def _set_run(self, step: Intervention, state: RunState, why: str, effect: str) -> None:
        def write(db: Database) -> None:
            if db.execute("SELECT state FROM run").fetchone()[0] == RunState.FINISHED:
                raise Refused(_FINISHED)
            writes.set_run(db, state, why)
            writes.acknowledge(db, step.number, effect, {"state": state})

        await self.store.do(write)

    async def _interrupt(self) -> None:
        await asyncio.gather(*(worker.pause() for worker in self.pipeline.workers.values()))

    async def _zoom_out(self, step: Intervention) -> None:
        def also(db: Database, number: int, categories: Sequence[str]) -> None:
            next_from = ", ".join(categories) or "nothing, all was tried"
            writes.acknowledge(db, step.number, f"zoom-out {number}: next from {next_from}")

        await self.planner.force_zoom_out(str(step.detail.get("text", "")), also)

    async def _vote(self, step: Intervention) -> None:
        vote = _vote(step)
        answered = {(one.prompt, one.model) for one in self.store.read.answers(vote.experiment, vote.prompt)}
        if not {(vote.prompt, vote.model_a), (vote.prompt, vote.model_b)} <= answered:
            raise Refused(f"experiment {vote.experiment} has no such pair of answers")
        self._mark, _ = self.store.read.touched(self._mark)
        if self.store.read.experiment(vote.experiment).state is State.EVALUATED:
            raise _NotNow  # enough has been counted for its verdict: this one is counted when that has fallen
        most, why_not = limit_for(self.store.read, vote)

        def write(db: Database) -> None:
            writes.as_seen(db, self._mark)
            counted = writes.add_votes(db, [vote], most)
            writes.acknowledge(db, step.number, "counted" if counted else why_not)

        await self.store.do(write)

    async def _stop(self, step: Intervention, now: bool) -> None:
        if now:
            self.pipeline.hold("stopping now")
            await self._interrupt()
            effect = "stopping now; what was under way goes on at the next start"
        else:
            self.pipeline.hold("finishing the stages under way, then stopping")
            effect = "the stages under way end, then the run stops"
        await self.store.do(writes.acknowledge, step.number, effect)


def _needed(step: Intervention) -> int:
    if step.experiment is None:
        raise Refused(f"{step.step} needs the number of an experiment")
    return step.experiment


def _of(step: Intervention) -> int:
    of = step.detail.get("of")
    if not isinstance(of, int):
        raise Refused("undo needs the number of a step")
    return of


def _vote(step: Intervention) -> Vote:
    """A person's own vote, as it is counted: once for each step, and once for each voter and pair."""
    words = {name: str(step.detail.get(name, "")) for name in ("prompt", "model_a", "model_b", "choice", "voter")}
    if lacking := [name for name, word in words.items() if not word]:
        raise Refused(f"a vote needs {', '.join(lacking)}")
    if words["choice"] not in list(Choice):
        raise Refused(f"a vote is one of {', '.join(Choice)}, not {words['choice']}")
    if words["model_a"] == words["model_b"]:
        raise Refused("a vote is between two models")
    return Vote(
        _needed(step), f"person/{step.number}", words["voter"], words["prompt"], words["model_a"], words["model_b"],
        Choice(words["choice"]), False, time.time(),
    )  # fmt: skip
