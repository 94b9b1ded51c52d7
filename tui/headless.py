"""A run without a screen: one line an event, and a clean end on a signal."""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from checkpoints import writes
from checkpoints.reader import Reader
from checkpoints.records import Event, Level, Step, model_name
from checkpoints.text import clean

if TYPE_CHECKING:
    from runner.session import Session

HEADLESS_LOG = "headless.log"
"""File in the run folder: the events of a run whose terminal has gone."""

GAVE_UP = 1
"""Exit status when a signal ends a process whose last writes wait for room."""

STUCK = 4
"""Exit status when the run is paused because its baseline failed."""

_LAST_WORDS = 2.0
"""Seconds that a reader who has stopped reading is waited for at the end."""

_MARKS = {Level.INFO: " ", Level.GOOD: "+", Level.WARNING: "!", Level.ERROR: "x"}


async def headless(folder: Path, out: TextIO = sys.stdout) -> int:
    """Drive the run in ``folder`` to its end; returns the exit status.

    SIGINT stops at the next point from which the run can go on; SIGTERM lets the stages under way end first; when the
    terminal goes away, the run goes on, and what it says goes into ``headless.log``.
    """
    from runner.session import Session

    session = Session(folder, linger=False)
    with Printer(session.store.read, out, lambda: session.store.trouble) as printer:
        forget = session.store.listen(printer.ring(asyncio.get_running_loop()))
        asked_to_leave = listen_for_signals(session)
        _outlive_the_terminal(session.store.folder)
        try:
            await session.run()
        finally:
            forget()
            why_stuck = session.why_stuck()
            printer.print_new()
            await session.close(keep_workers=bool(asked_to_leave and asked_to_leave[-1] == "now"))
    return STUCK if why_stuck else 0


def listen_for_signals(session: Session, first: str = "") -> list[str]:
    """Have SIGTERM drain the run and SIGINT, or a second SIGTERM, stop it now; returns what was asked so far.

    Where even that cannot be recorded, the next signal ends the process.

    Args:
        session: Whose run.
        first: Asked for at once, as if by a signal: ``drain`` or ``now``.
    """
    loop = asyncio.get_running_loop()
    asked: list[str] = []

    def ask(how: str, why: str = "a signal asked for it") -> None:
        if asked and session.store.trouble:
            os._exit(GAVE_UP)
        asked.append("now" if asked else how)
        session.store.submit(writes.intervene, Step.STOP, None, why, {"how": asked[-1]})

    loop.add_signal_handler(signal.SIGTERM, ask, "drain")
    loop.add_signal_handler(signal.SIGINT, ask, "now")
    if first:
        ask(first, "")
    return asked


def why_it_waits(trouble: str) -> str:
    """What keeps somebody who leaves, and what they can do; empty when nothing does."""
    return trouble and f"{trouble}; Ctrl+C ends it at once, and all that was recorded stays"


def speak_into_the_log(run_folder: Path) -> None:
    """Have all that this process says from now on go into a file; into nothing where there is no run yet."""
    log = run_folder / HEADLESS_LOG if run_folder.exists() else Path(os.devnull)
    with contextlib.suppress(OSError, ValueError), log.open("a", encoding="utf-8") as file:
        for stream in (sys.stdout, sys.stderr):
            os.dup2(file.fileno(), stream.fileno())


def _outlive_the_terminal(run_folder: Path) -> None:
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # else somebody, nohup for one, has seen to it
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, speak_into_the_log, run_folder)


class Printer:
    """Prints the events that a run has had since the last look, in a thread of its own.

    Whoever reads may stop reading: a pager, a terminal behind a dead connection. The run does not wait for them.
    """

    def __init__(self, read: Reader, out: TextIO, trouble: Callable[[], str] = lambda: "") -> None:
        self._read = read
        self._out = out
        self._trouble, self._told = trouble, ""
        self._seen = max((event.seq for event in read.events(last=1)), default=0)
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._print_for_ever, name="printer", daemon=True)

    def __enter__(self) -> Printer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._lines.put(None)
        self._thread.join(_LAST_WORDS)

    def ring(self, loop: asyncio.AbstractEventLoop) -> Callable[[], None]:
        """The listener that has new events printed, from whichever thread it is called."""

        def wake() -> None:
            loop.call_soon_threadsafe(self.print_new)

        return wake

    def print_new(self) -> None:
        """Print what is new, one line an event."""
        for event in self._read.events(after=self._seen):
            self._seen = event.seq
            self.say(line(event))
        trouble, before = self._trouble(), self._told
        self._told = trouble
        if trouble and not before:  # it cannot be an event before it is over
            self.say(line(Event(0, time.time(), Level.WARNING, "run", None, trouble)))

    def say(self, text: str) -> None:
        """Print a line of another kind."""
        self._lines.put(text)

    def _print_for_ever(self) -> None:
        while (text := self._lines.get()) is not None:
            # A full disk keeps the line in the buffer for the next one; of a reader who has gone nothing is wanted.
            with contextlib.suppress(OSError, ValueError):
                print(text, file=self._out, flush=True)


def say_what_ended(session: Session) -> str:
    """That the run was stopped, and by whom where that was somebody elsewhere."""
    stops = [one for one in session.store.read.interventions() if one.step is Step.STOP]
    by = f", {clean(stops[-1].reason)}" if stops and stops[-1].reason else ""
    return f"stopped{by}"


def line(event: Event) -> str:
    """An event as one line: UTC time, mark, kind, model, text."""
    at = time.strftime("%H:%M:%S", time.gmtime(event.at))
    model = model_name(event.experiment) if event.experiment is not None else ""
    text = " ".join(clean(event.text).split())
    return f"{at} {_MARKS[event.level]} {event.kind:12} {model:8} {text}"
