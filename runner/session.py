"""One process's hold on a run: the store, the lanes, the loop, and an eye on ``program.md``."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeAlias

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver
from watchdog.observers.polling import PollingObserver

from checkpoints import writes
from checkpoints.ownership import RUN
from checkpoints.reader import Reader
from checkpoints.records import Level, RunState, Step
from checkpoints.store import Owner, Store, StoreError, take
from checkpoints.trouble import why
from runner.agent.agent import Agent
from runner.agent.asking import LanguageModel
from runner.agent.model import Model
from runner.agent.playbook import PLAYBOOK, Playbook
from runner.agent.proposer import Proposer
from runner.assembly import assemble, lacking, unlike
from runner.copying import Copying
from runner.late import last_look
from runner.pipeline import Pipeline
from runner.planner import Planner
from runner.program import FILE
from runner.program_error import ProgramError
from runner.programs import AnyProgram, parse_program, read_program
from runner.steering import Steering
from runner.undo import paused

_SETTLE_SECONDS = 0.2
"""An editor writes a file in several steps; what is there after this long is read."""

LOOK_SECONDS = 1.0
"""How often the program is looked at where the system does not tell of its changes."""


Ready: TypeAlias = tuple[AnyProgram, tuple[Owner, sqlite3.Connection]]


def make_ready(folder: Path) -> Ready:
    """What a session waits for on the disk: reads the program and the held-out file, takes the run, checks its pages.

    For a thread where somebody looks at the event loop's screen.

    Raises:
        ProgramError, Held, StoreError: As ``Session`` does.
    """
    program = read_program(folder)
    if problems := _unlike_the_last(folder / RUN, program) or lacking(program):
        raise ProgramError(problems)
    return program, take(folder / RUN)


def _unlike_the_last(run: Path, program: AnyProgram) -> tuple[str, ...]:
    """What was changed while the run stood still that no edit may change."""
    try:
        with contextlib.closing(Reader(run)) as read:
            last, measured = read.program(), read.champion() is not None
        return unlike(parse_program(last.text, program.path), program, measured) if last else ()
    except (OSError, sqlite3.Error, ProgramError):
        return ()  # no run yet, none that can be read (said where it is taken), or a program of an earlier version


class Session:
    """Owns a run until ``close``."""

    def __init__(self, folder: Path, linger: bool, ready: Ready | None = None) -> None:
        """Read the program and take the run in ``folder``, beginning it where there is none.

        Args:
            folder: Where ``program.md`` is.
            linger: Wait for more work, a raised budget for instance, when the budget is used up, instead of ending.
            ready: What ``make_ready`` returned for that folder, where it was done before.

        Raises:
            ProgramError: The program is not valid.
            Held: Another process owns the run.
            StoreError: The store cannot be used.
        """
        self.program, taken = ready or make_ready(folder)
        self.store = Store(folder / RUN, taken=taken)
        self._found = self.store.read.last_intervention()
        """What a person did before this process had the run: a stop among it was meant for the one before."""

        self._linger = linger
        lanes = self._lanes = assemble(self.store, self.program, self._asked)
        self._agent = Agent(Model(self.store, lambda: self.program.agent), self.store)
        self.planner = Planner(self.store, self.program, self._proposer())
        self.pipeline = Pipeline(
            self.store, lanes.workers, lanes.analyst, self.planner, linger, lanes.clean_up, lanes.finale
        )
        self._steering = Steering(self.store, self.pipeline, self.planner)
        self._copying = Copying(self.store)

    async def run(self) -> None:
        """Drive the run to its end, to a stop that a person asked for, or until this is cancelled."""
        await self._begin()
        try:
            async with asyncio.TaskGroup() as together:  # a run that cannot be steered does not go on
                helpers = [
                    together.create_task(_awaited(helper))
                    for helper in (self._steering.run, self._watch_program, self._copying.run, *self._lanes.beside)
                ]
                await self.pipeline.run()
                if not self._linger:
                    await self._lanes.end()
                for helper in helpers:
                    helper.cancel()
            await self._copying.copy()
        except ExceptionGroup as group:
            raise self._store_error(group) or group from None

    def _store_error(self, group: ExceptionGroup[Exception]) -> StoreError | None:
        """What the store says where it was the store that ended the loop."""
        while (found := group.subgroup((StoreError, sqlite3.Error))) is not None:
            first = found.exceptions[0]
            if not isinstance(first, ExceptionGroup):
                return first if isinstance(first, StoreError) else StoreError(why(self.store.path, first))
            group = first
        return None

    async def close(self, keep_workers: bool) -> None:
        """Let go of the run.

        Args:
            keep_workers: Leave a training that is under way alive, for the next owner to take up.
        """
        self.planner.leave()
        for worker in self._lanes.workers.values():
            await worker.close(keep_workers)
        await self._agent.close()
        await last_look(self._steering)
        await self.store.leave()

    async def _begin(self) -> None:
        program = self.program
        await self.store.do(writes.create_run, *_of_run(program))
        await self.store.do(writes.read_program, program.text, _sha256(program.text), "")
        for left in self.store.read.interventions(pending_only=True):
            if left.step is Step.STOP and left.number <= self._found:
                await self.store.do(writes.acknowledge, left.number, "the run had ended before, and was started again")
        await self._lanes.begin()
        run = self.store.read.run()
        if reason := self._paused_by_a_person():
            self.pipeline.hold(reason)
            return
        self._lanes.attend()
        if run and run.state is RunState.PAUSED:
            await self.store.do(writes.set_run, RunState.RUNNING)

    def _paused_by_a_person(self) -> str:
        """Why a person paused the run before it was left; empty when nobody did, or somebody resumed it."""
        run = self.store.read.run()
        if run is None or run.state is not RunState.PAUSED or not paused(self.store.read.interventions()):
            return ""
        return run.reason

    def why_stuck(self) -> str:
        """Why the run cannot go on without a person: there is no baseline; empty when it can."""
        run = self.store.read.run()
        if run is None or run.state is not RunState.PAUSED or self._paused_by_a_person():
            return ""
        return run.reason

    async def _watch_program(self) -> None:
        """Put each new revision of the program in force from the next proposal on; a wrong one is refused and shown."""
        changed = asyncio.Event()
        observer = self._watching(_Eye(asyncio.get_running_loop(), changed))
        try:
            while True:
                await changed.wait()
                await asyncio.sleep(_SETTLE_SECONDS)
                changed.clear()
                await self._read_program()
        finally:
            observer.stop()

    def _watching(self, eye: FileSystemEventHandler) -> BaseObserver:
        """Have the program's folder watched by the system, or by looking at it where the system can watch no more."""
        folder = str(self.program.path.parent)
        observer: BaseObserver = Observer()
        observer.schedule(eye, folder)
        try:
            observer.start()
        except OSError as error:
            text = f"the system cannot watch program.md ({error.strerror}): it is looked at every {LOOK_SECONDS:g} s"
            self.store.submit(writes.event, Level.WARNING, "program", text)
            observer = PollingObserver(timeout=LOOK_SECONDS)
            observer.schedule(eye, folder)
            observer.start()
        return observer

    async def _read_program(self) -> None:
        path = self.program.path
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return  # an editor replaces the file: it is back in a moment, and that is the next change
        try:
            program = read_program(path)
            measured = self.store.read.champion() is not None
            if problems := unlike(self.program, program, measured) or await asyncio.to_thread(lacking, program):
                raise ProgramError(problems)
        except ProgramError as error:
            await self.store.do(writes.read_program, text, _sha256(text), str(error))
            return
        if program.text == self.program.text:
            return
        await self.store.do(writes.read_program, text, _sha256(text), "")
        await self._put_in_force(program)

    async def _put_in_force(self, program: AnyProgram) -> None:
        before, self.program = self.program.agent, program
        self.planner.program = program
        if (before.model, before.api_base) != (program.agent.model, program.agent.api_base):
            self.planner.change_proposer(self._proposer())
        self._lanes.use(program)
        await self.store.do(writes.create_run, *_of_run(program))
        if self.pipeline.held and self.pipeline.held == self.planner.halted:  # somebody may propose by now
            await self.store.do(writes.set_run, RunState.RUNNING)
            self.pipeline.go_on()
        self.pipeline.tell()

    def _asked(self) -> LanguageModel | None:
        """The language model, where the program names one."""
        return None if self.program.agent.model == PLAYBOOK else self._agent.model

    def _proposer(self) -> Proposer:
        return Playbook() if self.program.agent.model == PLAYBOOK else self._agent


class _Eye(FileSystemEventHandler):
    """Wakes the event loop when ``program.md`` has changed."""

    def __init__(self, loop: asyncio.AbstractEventLoop, changed: asyncio.Event) -> None:
        self._loop = loop
        self._changed = changed

    def on_any_event(self, event: FileSystemEvent) -> None:
        names = {Path(str(path)).name for path in (event.src_path, event.dest_path)}
        if FILE in names and event.event_type in ("created", "modified", "moved", "closed"):
            self._loop.call_soon_threadsafe(self._changed.set)


async def _awaited(helper: Callable[[], Awaitable[object]]) -> None:
    await helper()


def _of_run(program: AnyProgram) -> tuple[str, str, int, int, float | None]:
    budget = program.budget
    return program.name, program.goal, budget.experiments, program.seed, budget.usd_per_hour


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
