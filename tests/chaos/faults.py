"""Doing what a schedule says to the processes, the disk and the store of a run."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import small_demo
from small_disk import SmallDisk

from chaos.outside import Outside
from chaos.schedule import Fault, What, Who
from checkpoints.reader import DATABASE, Reader
from checkpoints.records import State, Step
from checkpoints.store import StoreError
from lanes.arena_desk import ARENA
from lanes.process import still_runs
from lanes.worker import Worker

HELD = 3
REFUSED_SECONDS = 20.0
"""Longest time until a second instance is refused, start of the interpreter and a busy machine included."""

MEET_SECONDS = 3.0
"""Longest time that a fault waits for the process that it is meant for."""

GROWN_BYTES = 512
"""What a file may have for as long as files cannot grow."""

_SIGNALS = {What.KILL: signal.SIGKILL, What.TERM: signal.SIGTERM, What.HUP: signal.SIGHUP}


class Admitted(Exception):
    """A second instance was let in."""


class Storm:
    """What is done to one run."""

    def __init__(
        self,
        run: Path,
        runner: Callable[[], subprocess.Popen[bytes]],
        outside: Outside,
        disk: SmallDisk | None,
        program: Path | None,
    ) -> None:
        """Do nothing yet.

        Args:
            run: Folder of the run.
            runner: Starts a process that drives the run.
            outside: Remembers what is acknowledged.
            disk: That the run is on, where it can be filled.
            program: ``program.md``, where the run reads it again.
        """
        self._run, self._start, self._outside = run, runner, outside
        self._disk, self._program = disk, program

    def strike(self, fault: Fault, process: subprocess.Popen[bytes]) -> bool:
        """Do it to a run that the process drives; returns whether there was anything to do it to.

        Raises:
            Admitted: A second instance drives the run as well.
        """
        match fault.what:
            case What.KILL | What.TERM | What.HUP:
                return _send(self._met(fault.who, process), _SIGNALS[fault.what])
            case What.STOP:
                return self._freeze(self._met(fault.who, process), fault.lasting)
            case What.LIMIT:
                return self._limit(self._met(fault.who, process), process, fault.lasting)
            case What.SECOND:
                return self._second(process)
            case What.LOCK:
                return self._lock(fault.lasting)
            case What.FULL:
                return self._fill(fault.lasting)
            case What.EDIT:
                return self._edit()
            case _:
                return self._as_a_person(fault)

    def _met(self, who: Who | None, process: subprocess.Popen[bytes]) -> set[int]:
        """Whom a signal goes to, once there is such a process; a trainer comes and goes."""
        until = time.monotonic() + MEET_SECONDS
        while not (found := self._pids(who, process)) and process.poll() is None and time.monotonic() < until:
            time.sleep(0.02)
        return found

    def _pids(self, who: Who | None, process: subprocess.Popen[bytes]) -> set[int]:
        return pids_of(self._run, who, process.pid if process.poll() is None else None)

    def _limit(self, pids: set[int], process: subprocess.Popen[bytes], seconds: float) -> bool:
        """Let files grow no further; whoever is started meanwhile inherits it."""
        with _ending(lambda: _let_grow({process.pid} | small_demo.worker_pids(self._run), resource.RLIM_INFINITY)):
            limited = _let_grow(pids, GROWN_BYTES)
            time.sleep(seconds)
        return limited

    def _freeze(self, pids: set[int], seconds: float) -> bool:
        with _ending(lambda: _send(pids, signal.SIGCONT)):
            frozen = _send(pids, signal.SIGSTOP)
            time.sleep(seconds)
        return frozen

    def _second(self, process: subprocess.Popen[bytes]) -> bool:
        if process.poll() is not None or not small_demo.has_begun(self._run):
            return False
        second = self._start()
        try:
            status = second.wait(REFUSED_SECONDS)
        except subprocess.TimeoutExpired:
            status = None
            second.kill()
            second.wait()
        if status != HELD and process.poll() is None:
            raise Admitted(f"a second instance was let in (status {status})")
        return True

    def _lock(self, seconds: float) -> bool:
        if not small_demo.has_begun(self._run):
            return False
        with closing(sqlite3.connect(self._run / DATABASE, isolation_level=None, timeout=5)) as db:
            try:
                db.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                return False
            time.sleep(seconds)
            db.execute("ROLLBACK")
        return True

    def _fill(self, seconds: float) -> bool:
        if self._disk is None:
            return False
        with _ending(self._disk.make_room):
            self._disk.fill()
            time.sleep(seconds)
        return True

    def _edit(self) -> bool:
        if self._program is None:
            return False
        text = self._program.read_text(encoding="utf-8")
        temporary = self._program.with_name("edited")
        temporary.write_text(f"{text}\nOne more line, at {time.time()}.\n", encoding="utf-8")
        shutil.move(temporary, self._program)
        return True

    def _as_a_person(self, fault: Fault) -> bool:
        try:
            with closing(Reader(self._run)) as read:
                kept, busy = read.experiments(State.KEPT), read.experiments(State.TRAINING, State.EVALUATING)
        except (FileNotFoundError, sqlite3.Error):
            return False
        chosen = {What.VETO: kept[1:], What.PIN: kept, What.SKIP: [one for one in busy if one.number]}.get(fault.what)
        if chosen is not None and not chosen:
            return False
        first, then = {
            What.VETO: (Step.VETO, None), What.SKIP: (Step.SKIP, None), What.PIN: (Step.PIN, Step.UNPIN),
            What.PAUSE: (Step.PAUSE, Step.RESUME),
        }[fault.what]  # fmt: skip
        with contextlib.ExitStack() as after:
            if then:
                after.callback(self._insist, then)
                after.callback(time.sleep, fault.lasting)
            return self._said(first, chosen[-1].number if chosen else None)

    def _said(self, step: Step, experiment: int | None = None) -> bool:
        try:
            self._outside.step(step, experiment)
        except (sqlite3.Error, StoreError):
            return False
        return True

    def _insist(self, step: Step) -> None:
        """What has to come, or the run would stand still: a person tries again."""
        for _ in range(10):
            if self._said(step):
                return


def pids_of(run: Path, who: Who | None, runner: int | None) -> set[int]:
    """Living processes of a run.

    Args:
        run: Its folder.
        who: Which of them.
        runner: Pid of what drives it; None where nothing does.
    """
    found: set[int] = set()
    if who in (Who.RUNNER, Who.ALL) and runner is not None:
        found.add(runner)
    if who in (Who.TRAINER, Who.ALL):
        found |= small_demo.trainers(run)
    if who in (Who.SERVER, Who.ALL):
        identities = [Worker(folder).identity() for folder in (run / ARENA, run / "work" / "server")]
        found |= {one.pid for one in identities if one and still_runs(one)}
    return found


def _send(pids: set[int], number: signal.Signals) -> bool:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
    return bool(pids)


def _let_grow(pids: set[int], most: int) -> bool:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (most, hard))
    return bool(pids)


@contextmanager
def _ending(after: Callable[[], object]) -> Iterator[None]:
    try:
        yield
    finally:
        after()
