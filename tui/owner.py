"""Who owns the run while the dashboard is open: this process does, and the dashboard is its guest.

A lost terminal or an exception on the screen ends the guest, never the runner. The screen paints before the runner is
imported, because those imports take longer than a person wants to look at nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from checkpoints.records import Json, RunState, Step
from tui.app import Dashboard
from tui.leaving import Leave

if TYPE_CHECKING:
    from runner.session import Session

RUN = "run"
HEADLESS_LOG = "headless.log"
ERRORS = "dashboard-errors.log"

_PAINTS = 3.0
"""Seconds that the runner's imports wait for the first paint at most."""

_TAKES_OVER = 30.0
"""Seconds within which a process without a screen holds the run that was handed to it."""

_COMES_BACK = 3
"""How often in a row the dashboard comes back after an exception before the run goes on headless."""


class Owner:
    """A run and its guest, from the first paint to the last farewell."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.session: Session | None = None
        self._listeners: list[Callable[[], None]] = []
        self._opened = asyncio.Event()
        self._lost_terminal = False
        self._app: Dashboard | None = None

    async def run(self) -> int:
        """Show the dashboard, drive the run, and when the person leaves do with the run what they chose."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGHUP, self._lose_terminal)
        loop.add_signal_handler(signal.SIGTERM, self._leave, Leave.DRAIN)
        loop.add_signal_handler(signal.SIGINT, self._leave, Leave.STOP)
        guest = asyncio.create_task(self._entertain())
        runner = asyncio.create_task(self._drive())
        await asyncio.wait({runner, guest}, return_when=asyncio.FIRST_COMPLETED)
        if runner.done():
            # The loop cannot end while somebody looks, except by failing, or by a stop that was asked for elsewhere.
            self._leave(Leave.STOP)
            await guest
            try:
                runner.result()
            finally:
                await self._close(keep_workers=False)
            print(f"stopped; go on with: autoresearch-tui {self.folder}")
            return 0
        left = await guest
        self._app = None
        return await self._farewell(left, runner)

    async def _drive(self) -> None:
        if self._app:
            with contextlib.suppress(TimeoutError):  # a screen that cannot be painted stops no run
                await asyncio.wait_for(self._app.painted.wait(), _PAINTS)
        await asyncio.to_thread(__import__, "runner.session")
        from runner.session import Session

        self.session = Session(self.folder, linger=True)
        self.session.store.listen(self._ring)
        self._opened.set()
        self._ring()
        await self.session.run()

    async def _entertain(self) -> Leave:
        """Show the dashboard, and again after an exception in it; returns how the person left."""
        for _ in range(_COMES_BACK):
            self._app = Dashboard(self.folder / RUN, self._intervene, self._subscribe, self._trouble, owned=True)
            try:
                left = await self._app.run_async(mouse=False)
                failed = self._app.return_code not in (0, None)
            except Exception as error:
                left, failed = None, True
                self._note(error)
            if self._lost_terminal or not failed:
                return left or Leave.DETACH
            if self._app.broken_by:
                self._note(self._app.broken_by)
        return Leave.DETACH

    async def _farewell(self, left: Leave, runner: asyncio.Task[None]) -> int:
        await self._opened_or_failed(runner)
        assert self.session
        if self._lost_terminal:
            return await self._go_on_headless(runner)
        if left is Leave.DETACH:
            return await self._detach(runner)
        from tui.headless import Printer, listen_for_signals

        asked = listen_for_signals(self.session)
        drain = left is Leave.DRAIN
        print("finishing the stages under way; Ctrl+C stops now" if drain else "stopping…", flush=True)
        with Printer(self.session.store.read, sys.stdout) as printer:
            self.session.store.listen(printer.ring(asyncio.get_running_loop()))
            await self._intervene(Step.STOP, None, "", {"how": "drain" if drain else "now"})
            await runner
            printer.print_new()
            await self._close(keep_workers=bool(asked and asked[-1] == "now"))
        print(f"stopped; go on with: autoresearch-tui {self.folder}", flush=True)
        return 0

    async def _detach(self, runner: asyncio.Task[None]) -> int:
        """Hand the run to a process without a screen; a run that is finished needs none."""
        await _cancelled(runner)
        finished = self._is_finished()
        await self._close(keep_workers=not finished)
        if finished:
            print(f"the run is finished; all of it as a table: autoresearch-tui results {self.folder}")
            return 0
        process = spawn_headless(self.folder)
        log = self.folder / RUN / HEADLESS_LOG
        if not await asyncio.to_thread(_took_over, process, self.folder / RUN):
            print(f"the run did NOT go on headless, {log} says why; go on with: autoresearch-tui {self.folder}")
            return 1
        print(f"the run goes on headless as process {process.pid}; look at it: autoresearch-tui attach {self.folder}")
        print(f"its events: {log}")
        return 0

    async def _opened_or_failed(self, runner: asyncio.Task[None]) -> None:
        """Wait until the run is open; an error that prevented it is raised here."""
        opened = asyncio.create_task(self._opened.wait())
        await asyncio.wait({opened, runner}, return_when=asyncio.FIRST_COMPLETED)
        opened.cancel()
        if runner.done():
            runner.result()

    async def _go_on_headless(self, runner: asyncio.Task[None]) -> int:
        """The terminal has gone: go on in this process, with a file for a screen."""
        from tui.headless import Printer, listen_for_signals

        assert self.session
        session = self.session
        with (session.store.folder / HEADLESS_LOG).open("a", encoding="utf-8") as log:
            _speak_into(log)
            with Printer(session.store.read, log) as printer:
                session.store.listen(printer.ring(asyncio.get_running_loop()))
                listen_for_signals(session)
                session.pipeline.linger = False
                session.pipeline.tell()
                await runner
                printer.print_new()
                await self._close(keep_workers=False)
        return 0

    async def _close(self, keep_workers: bool) -> None:
        if self.session:
            await self.session.close(keep_workers)

    def _is_finished(self) -> bool:
        """Whether the run has nothing more to do."""
        run = self.session.store.read.run() if self.session else None
        return run is not None and run.state is RunState.FINISHED

    def _lose_terminal(self) -> None:
        self._lost_terminal = True
        self._leave(Leave.DETACH)
        if self._app is None and self.session:
            # While a drain goes on: whoever it was told to has gone.
            with (self.session.store.folder / HEADLESS_LOG).open("a", encoding="utf-8") as log:
                _speak_into(log)

    def _leave(self, how: Leave) -> None:
        if self._app:
            self._app.exit(how)

    async def _intervene(self, step: Step, experiment: int | None, reason: str, detail: Json) -> int:
        from checkpoints import writes

        await self._opened.wait()
        assert self.session
        return await self.session.store.do(writes.intervene, step, experiment, reason, detail)

    def _subscribe(self, listener: Callable[[], None]) -> Callable[[], None]:
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def _ring(self) -> None:
        for listener in tuple(self._listeners):
            listener()

    def _trouble(self) -> str:
        return self.session.store.trouble if self.session else ""

    def _note(self, error: Exception) -> None:
        text = "".join(traceback.format_exception(error))
        with contextlib.suppress(OSError), (self.folder / RUN / ERRORS).open("a", encoding="utf-8") as file:
            file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S', time.gmtime())} UTC\n{text}\n")


async def own(folder: Path) -> int:
    """Start or resume the run in ``folder`` with the dashboard; returns the exit status."""
    return await Owner(folder).run()


async def visit(run_folder: Path) -> int:
    """Look at, and steer, a run that another process drives."""

    async def intervene(step: Step, experiment: int | None, reason: str, detail: Json) -> int:
        from checkpoints.visitor import intervene_from_outside

        return await asyncio.to_thread(intervene_from_outside, run_folder, step, experiment, reason, detail)

    from checkpoints.store import holder

    driven = partial(_is_held, run_folder)
    await Dashboard(run_folder, intervene, owned=False, driven=driven).run_async(mouse=False)
    if held := holder(run_folder):
        print(f"the run goes on, held by {held}")
    return 0


def spawn_headless(folder: Path) -> subprocess.Popen[bytes]:
    """Have a process of its own session go on with the run."""
    with (folder / RUN / HEADLESS_LOG).open("a", encoding="utf-8") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "tui.main", "run", "--headless", str(folder.absolute())],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def _took_over(process: subprocess.Popen[bytes], run_folder: Path) -> bool:
    """Wait until a process holds the run; false when it ended, or has not in reasonable time."""
    from checkpoints.store import LOCK

    lock, deadline = run_folder / LOCK, time.monotonic() + _TAKES_OVER
    while time.monotonic() < deadline:
        # The name in the lock is read, not the lock tried: to try it is to have it for a moment, in the other's way.
        if f'"pid": {process.pid},' in lock.read_text(encoding="utf-8", errors="replace"):
            return True
        if process.poll() is not None:
            return process.returncode == 0
        time.sleep(0.05)
    return False


def _is_held(run_folder: Path) -> bool:
    from checkpoints.store import holder

    return holder(run_folder) is not None


def _speak_into(log: TextIO) -> None:
    """Have all that this process says from now on go into a file."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            os.dup2(log.fileno(), stream.fileno())


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
