"""Runs a command under a budget: its output read as it comes, its family ended as a whole, its memory watched."""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from lanes.oom import oom_kills
from lanes.process import groups_of, signal_all
from lanes.script.bounds import Bounds, of_the_machine
from lanes.script.memory import Memory
from lanes.script.sandbox import Rights, start
from lanes.script.screen import Screen

GRACE_SECONDS = 5.0
"""Between SIGTERM and SIGKILL."""

_KILL_SECONDS = 5.0
_LOOK_SECONDS = 0.1
_SAMPLE_SECONDS = 0.5
_ADOPT_ORPHANS = 36


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command went."""

    ended: str
    """``itself``, ``time`` where its time was up, ``stopped`` where somebody wanted it to end, ``bounds`` where it used
    up too much."""

    status: int
    """Exit status; below 0 the signal that ended it."""

    seconds: float
    """Monotonic."""

    memory: int
    """Most bytes that its family had resident at a time."""

    gpu_memory: int
    """Most bytes of GPUs; 0 where it used none, or nobody can tell."""

    screen: Screen = field(repr=False)
    """What it said."""

    left: tuple[str, ...] = ()
    """What of its family went on after it, and was ended."""

    overstepped: str = ""
    """What it used up too much of, in a line."""

    starved: bool = False
    """Whether the kernel has ended a process for want of memory meanwhile."""

    @property
    def signal(self) -> str:
        """Name of the signal that ended it; empty where none did."""
        return signal.Signals(-self.status).name if self.status < 0 else ""


@dataclass(frozen=True, slots=True)
class Job:
    """A command and how it is run."""

    argv: Sequence[str]
    place: Path
    env: dict[str, str]
    rights: Rights
    seconds: float
    """It is ended after so long."""

    bounds: Bounds | None = None
    """It is ended where it uses up more; None takes what the machine can bear."""


def run(
    job: Job, log: Path, stop: Callable[[], bool], look: Callable[[str], None] = lambda _: None,
    keep: Sequence[int] = (),
) -> Ran:  # fmt: skip
    """Run a command to its end; whatever it has started is gone afterwards, also what has left its group.

    For the main thread of a process of its own: orphans of the command become its children.

    Args:
        job: What is run.
        log: File for its output: line by line while it runs, then as ``Screen`` has it.
        stop: Asked all the time whether it should end early.
        look: Told the line that it is at, twice a second.
        keep: Open files that stay open until all of it is gone, and that it does not inherit.

    Raises:
        NotConfined: It was not run.
        OSError: The log cannot be written.
    """
    ctypes.CDLL(None).prctl(_ADOPT_ORPHANS, 1, 0, 0, 0)
    began, screen, watch, killed = time.monotonic(), Screen(), Memory(), oom_kills()
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    with os.fdopen(reading, "rb", buffering=0) as output, log.open("wb", buffering=0) as lines:
        try:
            started = start(job.argv, job.place, job.env, job.rights, writing, keep)
        finally:
            os.close(writing)
        keeper = started.keeper
        try:
            ended = _follow(keeper, output.fileno(), _Log(screen, lines.write), stop, look, watch, job)
        finally:
            left = end_family(keeper if keeper.poll() is None else None)
        seconds = time.monotonic() - began
        _read_all(output.fileno(), _Log(screen, lines.write))
    how = started.ended()
    log.write_text(screen.text(), encoding="utf-8")
    left = tuple(sorted({*left, *how.left})) if ended == "itself" else ()
    starved = oom_kills() > killed
    return Ran(ended, how.status, seconds, watch.resident, watch.on_gpu, screen, left, watch.overstepped, starved)


def end_family(leader: subprocess.Popen[bytes] | None) -> tuple[str, ...]:
    """End all that this process has started: SIGTERM where the leader lives, then SIGKILL until nothing is left.

    Returns:
        Names of what there was besides the leader.
    """
    others = tuple(
        sorted({name for one in _family() if leader is None or one.pid != leader.pid if (name := _name(one))})
    )
    if leader:
        _signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            leader.wait(GRACE_SECONDS)
    until = time.monotonic() + _KILL_SECONDS
    while _signal(signal.SIGKILL) and time.monotonic() < until:
        time.sleep(_LOOK_SECONDS / 5)
        _reap(leader)
    return others


class _Log:
    """Keeps what a command says, and writes finished lines down while it runs."""

    def __init__(self, screen: Screen, write: Callable[[bytes], int | None]) -> None:
        self._screen, self._write = screen, write

    def take(self, data: bytes) -> None:
        finished = self._screen.feed(data)
        if finished and not self._screen.is_full:
            self._write("".join(f"{line}\n" for line in finished).encode())

    @property
    def current(self) -> str:
        return self._screen.current


def _follow(
    process: subprocess.Popen[bytes], output: int, log: _Log, stop: Callable[[], bool], look: Callable[[str], None],
    watch: Memory, job: Job,
) -> str:  # fmt: skip
    """Read on until the command has ended, or has to."""
    sampled, until, bounds = 0.0, time.monotonic() + job.seconds, job.bounds or of_the_machine(job.place)
    ours = {process.pid, *(_children(process.pid) if job.rights.processes else ())}
    while process.poll() is None:
        if time.monotonic() >= until:
            return "time"
        if stop():
            return "stopped"
        if select.select([output], [], [], _LOOK_SECONDS)[0] and not _read_some(output, log):
            time.sleep(_LOOK_SECONDS)  # it has closed its output and goes on
        if time.monotonic() - sampled >= _SAMPLE_SECONDS:
            sampled = time.monotonic()
            watch.sample(family := [one for one in _family() if one.pid not in ours])
            if watch.oversteps(bounds, family, job.place):
                return "bounds"
            look(log.current)
    return "itself"


def _read_some(output: int, log: _Log) -> bool:
    """Read what is there, at most a second's worth of it; returns whether there may come more."""
    for _ in range(64):
        try:
            data = os.read(output, 1 << 16)
        except BlockingIOError:
            return True
        if not data:
            return False
        log.take(data)
    return True


def _read_all(output: int, log: _Log) -> None:
    while select.select([output], [], [], 0)[0] and _read_some(output, log):
        pass


def _family() -> list[psutil.Process]:
    try:
        return psutil.Process().children(recursive=True)
    except psutil.Error:
        return []


def _children(pid: int) -> set[int]:
    with contextlib.suppress(psutil.Error):
        return {one.pid for one in psutil.Process(pid).children()}
    return set()


def _signal(number: signal.Signals) -> bool:
    """Signal all of the family that lives; returns whether there is any."""
    pids = {one.pid for one in _family() if _name(one)}
    signal_all(groups_of(pids), pids, number)
    return bool(pids)


def _name(process: psutil.Process) -> str:
    """What a process is called; empty where it is dead."""
    with contextlib.suppress(psutil.Error):
        return "" if process.status() == psutil.STATUS_ZOMBIE else process.name()
    return ""


def _reap(leader: subprocess.Popen[bytes] | None) -> None:
    """Take note of the dead; of the leader by its own handle, which wants to know how it ended."""
    for one in _family():
        if leader and one.pid == leader.pid:
            leader.poll()
        else:
            with contextlib.suppress(ChildProcessError, OSError):
                os.waitpid(one.pid, os.WNOHANG)
