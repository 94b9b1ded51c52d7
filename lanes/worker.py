"""A handle on a worker process in its folder: start it, take it up, hear of it, end it. It outlives its parent."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Awaitable, Callable, Generator
from pathlib import Path
from typing import Any, cast

from checkpoints import strokes
from checkpoints.artifacts import write_json
from checkpoints.locks import is_held, taken
from checkpoints.records import Json
from lanes.folder_watch import watched
from lanes.launch import Launcher
from lanes.order import LOCK, LOG, METRICS, ORDER, PAUSE, RESULT, WORKER
from lanes.process import Identity, groups_of, is_stopped, marked, signal_all, still_runs
from lanes.tail import Tail, last_words

LOCK_FD = "AUTORESEARCH_LOCK_FD"
"""Environment variable that tells a worker which open file holds its lock."""

OWNER = "AUTORESEARCH_OWNER_LOCK"
"""Environment variable that tells a worker by which lock it sees whether somebody owns the run."""

MARK = "AUTORESEARCH_WORKER"
"""Environment variable with the worker's folder, by which its whole family is known even when the parents are dead."""

LOOK_SECONDS = 1.0
"""How often a folder is looked at where nothing tells of its changes."""

DEATH_SECONDS = 0.1
"""How often the lock is tried while a process must end, or where the system does not tell of a death."""


_children: dict[Path, subprocess.Popen[bytes]] = {}
"""What this process has started, by folder, so that every handle can reap it."""


KILL_SECONDS = 5.0
"""How long processes may take to be gone after SIGKILL."""


class WorkerError(Exception):
    """A worker cannot be started or ended; the message says what to do."""


class Worker:
    """One worker process and its folder; any number of handles may look at the same one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self.heard_at = time.monotonic()
        """Monotonic time of the last sign of life: a line of metrics, or that the worker was started or taken up."""

        self._metrics = Tail(self.folder / METRICS)

    @property
    def alive(self) -> bool:
        """Whether somebody holds the lock of the folder; true from the moment before the process starts."""
        self._reap()
        return is_held(self.folder / LOCK)

    @property
    def stopped(self) -> bool:
        """Whether somebody has stopped it by a signal; it lives, and does nothing."""
        leader = self._leader()
        return leader is not None and is_stopped(leader)

    def identity(self) -> Identity | None:
        """Who the worker says it is; None before its first act. It need not live any more."""
        found = _read_object(self.folder / WORKER)
        if found is None:
            return None
        try:
            return Identity(int(found["pid"]), found["start_time"], str(found["boot_id"]))
        except (KeyError, TypeError, ValueError):
            return None

    async def result_within(self, seconds: float) -> Json | None:
        """What a worker that goes on, a server for example, says when it is ready; None when it has died or not yet."""
        until = time.monotonic() + seconds
        while (found := self.result()) is None and self.alive and time.monotonic() < until:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1.0):
                    await self.wait()
        return found

    def result(self) -> Json | None:
        """All that the worker found; None until it has ended its work."""
        return _read_object(self.folder / RESULT)

    def new_metrics(self) -> list[Json]:
        """What the worker has logged since the last call, whole lines only, some thousand lines at most.

        Lines that are no JSON objects are passed over and counted in ``garbage``.
        """
        lines = self._metrics.read()
        if lines:
            self.heard_at = time.monotonic()
        return lines

    @property
    def garbage(self) -> int:
        """Lines of the metrics that could not be read so far."""
        return self._metrics.garbage

    def last_words(self) -> str:
        """The last line of its output that says something, shortened, without control characters; may be empty."""
        return last_words(self.folder / LOG)

    def how_it_ended(self) -> str:
        """ " (SIGKILL)" or " (exit status 1)"; empty where another process started it, or while it lives."""
        if number := self.ended_by:
            return f" ({number.name})"
        status = self._process.poll() if self._process else None
        return "" if status is None else f" (exit status {status})"

    @property
    def ended_by(self) -> signal.Signals | None:
        """The signal that ended it; None where none did, where another process started it, and while it lives."""
        status = self._process.poll() if self._process else None
        return signal.Signals(-status) if status is not None and status < 0 else None

    async def put(self, name: str, obj: Json) -> None:
        """Write a JSON file into the folder, whole or not at all."""
        await asyncio.to_thread(write_json, self.folder / name, obj)

    async def put_order(self, order: Json) -> None:
        """Give the worker its order, which ends the wait of one that stands by."""
        await self.put(ORDER, order)
        self.heard_at = time.monotonic()

    async def start(self, program: str, launcher: Launcher, owner: Path) -> None:
        """Start the worker of this folder; what an earlier one left there (checkpoints, metrics) stays for it.

        Args:
            program: Module to run.
            launcher: Where and how.
            owner: Lock file of the run that the worker belongs to.

        Raises:
            WorkerError: One lives in the folder already, or it cannot be started.
        """
        await asyncio.to_thread(self._start, program, launcher, owner)
        self.heard_at = time.monotonic()

    async def wait(self, on_change: Callable[[], Awaitable[None]] | None = None) -> None:
        """Wait until the worker has ended or its result is there.

        Cancelling it leaves the worker alone.

        Args:
            on_change: Awaited whenever something in the folder changed, at least once a second, and a last time after
                the end; what it raises ends the wait.
        """
        changed = asyncio.Event()
        with watched(self.folder, changed), contextlib.ExitStack() as death:
            told = False
            while True:
                changed.clear()
                told = told or self._tell_of_death(changed, death)
                over = self.result() is not None or not self.alive
                if not over and self._left_behind():
                    await self.kill(grace=0)
                    over = True
                if on_change:
                    await on_change()
                if over:
                    return
                await _either(changed, LOOK_SECONDS if told else DEATH_SECONDS)

    async def ended(self, seconds: float) -> bool:
        """Wait for the process to be gone, with all that it held (memory, a GPU).

        Args:
            seconds: At most so long.

        Returns:
            Whether it is gone.
        """
        until = time.monotonic() + seconds
        gone = asyncio.Event()
        with contextlib.ExitStack() as death:
            self._tell_of_death(gone, death)
            while not (over := self._is_gone()) and time.monotonic() < until:
                gone.clear()
                await _either(gone, DEATH_SECONDS)
        return over

    async def kill(self, grace: float = 5.0) -> None:
        """End the worker with all its children: SIGTERM, then SIGKILL to its process group; harmless when it is gone.

        Nothing is signalled that is not known to be this worker: by pid, start time and boot, or by the mark that its
        family inherits.

        Args:
            grace: Seconds between the two signals; 0 leaves the first out.

        Raises:
            WorkerError: Something of it lives on, or holds its lock.
        """
        # Who leads goes first: to look for the rest of the family takes a while.
        leader = self._leader()
        group = groups_of({leader} if leader else set())
        signal_all(group, set(), signal.SIGTERM if grace > 0 else signal.SIGKILL)
        if grace > 0:
            signal_all(groups_of(await asyncio.to_thread(self._family)) - group, set(), signal.SIGTERM)
            await self.ended(grace)
        until = time.monotonic() + KILL_SECONDS
        while family := await asyncio.to_thread(self._family):
            signal_all(groups_of(family), family, signal.SIGKILL)
            if time.monotonic() > until:
                break
            await asyncio.sleep(DEATH_SECONDS / 5)
        if family or not await self.ended(max(0.0, until - time.monotonic())):
            raise WorkerError(f"the worker in {self.folder} does not end: {self._who_holds_it()}")

    def _start(self, program: str, launcher: Launcher, owner: Path) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        _forget_the_dead()
        with _locked(self.folder / LOCK) as lock, (self.folder / LOG).open("ab") as log:
            for name in (RESULT, PAUSE, WORKER):
                strokes.take(self.folder / name)
            command = launcher.command(program, self.folder / ORDER)
            environment = launcher.environment() | {
                LOCK_FD: str(lock), OWNER: str(owner.absolute()), MARK: str(self.folder),
            }  # fmt: skip
            try:
                _children[self.folder] = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, cwd=self.folder,
                    env=environment, pass_fds=(lock,), start_new_session=True,
                )  # fmt: skip
            except OSError as error:
                raise WorkerError(f"cannot start {command[0]} in {self.folder}: {error.strerror}") from error

    @property
    def _process(self) -> subprocess.Popen[bytes] | None:
        return _children.get(self.folder)

    def _reap(self) -> None:
        if self._process:
            self._process.poll()

    def _leader(self) -> int | None:
        """Pid of the living process that this handle started, else of the one that has introduced itself."""
        if self._process:
            return self._process.pid if self._process.poll() is None else None
        identity = self.identity()
        return identity.pid if identity and still_runs(identity) else None

    def _left_behind(self) -> bool:
        """Whether the worker died and only children of it hold the lock."""
        if self._process:
            return self._process.poll() is not None and self.alive
        identity = self.identity()
        return identity is not None and not still_runs(identity) and self.alive

    def _is_gone(self) -> bool:
        return not self.alive and self._leader() is None

    def _family(self) -> set[int]:
        leader = self._leader()
        return marked(MARK, str(self.folder)) | ({leader} if leader else set())

    def _tell_of_death(self, dead: asyncio.Event, until: contextlib.ExitStack) -> bool:
        """Have an event set when the worker dies; returns whether the system will tell."""
        leader = self._leader()
        if leader is None or not hasattr(os, "pidfd_open"):
            return False
        try:
            handle = os.pidfd_open(leader)
        except OSError:
            return False
        loop = asyncio.get_running_loop()

        def tell() -> None:
            loop.remove_reader(handle)  # a dead process stays readable
            dead.set()

        loop.add_reader(handle, tell)
        until.callback(os.close, handle)
        until.callback(loop.remove_reader, handle)
        return True

    def _who_holds_it(self) -> str:
        identity = self.identity()
        if identity is None or not still_runs(identity):
            return "a process that is not known to be it holds its lock"
        return f"process {identity.pid} goes on after SIGKILL (waiting for a disk or a GPU?)"


def _forget_the_dead() -> None:
    for folder, child in tuple(_children.items()):
        if child.poll() is not None:
            del _children[folder]


@contextlib.contextmanager
def _locked(path: Path) -> Generator[int]:
    """Hold the lock of a folder; a child that inherits the open file goes on holding it."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if not taken(handle):
            raise WorkerError(f"a worker is at work in {path.parent} already")
        yield handle
    finally:
        os.close(handle)


async def _either(event: asyncio.Event, seconds: float) -> None:
    """Wait for an event, but not for longer."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


def _read_object(path: Path) -> Json | None:
    """A JSON object from a file; None where there is none, or no whole one."""
    try:
        found: Any = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return cast(Json, found) if isinstance(found, dict) else None
