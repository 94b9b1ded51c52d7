"""A run without a screen: one line an event, and a clean end on a signal."""

from __future__ import annotations

import asyncio
import errno
import signal
import sys
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

RUN = "run"
"""Folder of the run, beside its ``program.md``."""

STUCK = 4
"""Exit status when the run is paused because its baseline failed."""

_MARKS = {Level.INFO: " ", Level.GOOD: "+", Level.WARNING: "!", Level.ERROR: "x"}


class RunError(Exception):
    """A command cannot be done with this folder; the message says what to do."""


async def headless(folder: Path, out: TextIO = sys.stdout) -> int:
    """Drive the run in ``folder`` to its end; returns the exit status.

    SIGINT stops at the next point from which the run can go on; SIGTERM lets the stages under way end first.
    """
    from runner.session import Session

    session = Session(folder, linger=False)
    with Printer(session.store.read, out, lambda: session.store.trouble) as printer:
        forget = session.store.listen(printer.ring(asyncio.get_running_loop()))
        asked_to_leave = listen_for_signals(session)
        try:
            await session.run()
        finally:
            forget()
            why_stuck = session.why_stuck()
            printer.print_new()
            await session.close(keep_workers=bool(asked_to_leave and asked_to_leave[-1] == "now"))
    return STUCK if why_stuck else 0


def listen_for_signals(session: Session) -> list[str]:
    """Have SIGTERM drain the run and SIGINT, or a second SIGTERM, stop it now; returns what was asked so far."""
    loop = asyncio.get_running_loop()
    asked: list[str] = []

    def ask(how: str) -> None:
        asked.append("now" if asked else how)
        session.store.submit(writes.intervene, Step.STOP, None, "a signal asked for it", {"how": asked[-1]})

    loop.add_signal_handler(signal.SIGTERM, ask, "drain")
    loop.add_signal_handler(signal.SIGINT, ask, "now")
    return asked


class Printer:
    """Prints the events that a run has had since the last look."""

    def __init__(self, read: Reader, out: TextIO, trouble: Callable[[], str] = lambda: "") -> None:
        self._read = read
        self._out = out
        self._trouble, self._told = trouble, ""
        self._seen = max((event.seq for event in read.events(last=1)), default=0)
        self._simulated = False

    def __enter__(self) -> Printer:
        return self

    def __exit__(self, *_: object) -> None:
        self._out.flush()

    def ring(self, loop: asyncio.AbstractEventLoop) -> Callable[[], None]:
        """The listener that has new events printed, from whichever thread it is called."""

        def wake() -> None:
            loop.call_soon_threadsafe(self.print_new)

        return wake

    def print_new(self) -> None:
        """Print what is new, one line an event."""
        for event in self._read.events(after=self._seen):
            self._seen = event.seq
            self._print(event)
        trouble, before = self._trouble(), self._told
        self._told = trouble
        if trouble and not before:  # it cannot be an event before it is over
            self._print(Event(0, time.time(), Level.WARNING, "run", None, trouble))

    def _print(self, event: Event) -> None:
        try:
            print(line(event), file=self._out, flush=True)
        except OSError as error:
            if error.errno != errno.ENOSPC:  # then the line waits in the buffer for the next one
                raise


def line(event: Event) -> str:
    """An event as one line: UTC time, mark, kind, model, text."""
    at = time.strftime("%H:%M:%S", time.gmtime(event.at))
    model = model_name(event.experiment) if event.experiment is not None else ""
    text = " ".join(clean(event.text).split())
    return f"{at} {_MARKS[event.level]} {event.kind:12} {model:8} {text}"
