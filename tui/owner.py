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
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING

from checkpoints.ownership import RUN
from checkpoints.records import Json, RunState, Step
from tui.app import Dashboard
from tui.headless import GAVE_UP, HEADLESS_LOG, say_what_ended, why_it_waits
from tui.host import Host, tell
from tui.leaving import Leave, answer_no_more, answer_signals

if TYPE_CHECKING:
    from runner.session import Session

_PAINTS = 3.0
"""Seconds that the runner's imports wait for the first paint at most."""

_TAKES_OVER = 30.0
"""Seconds within which a process without a screen holds the run that was handed to it."""


_SAYS_SO = 0.5
"""Seconds after which somebody who leaves is told what they wait for."""


class Owner:
    """A run and its guest, from the first paint to the last farewell."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.session: Session | None = None
        self._listeners: list[Callable[[], None]] = []
        self._opened = asyncio.Event()
        self._lost_terminal = False
        self._signalled: Leave | None = None
        self._ending: asyncio.Task[None] | None = None
        self._told = False
        self._host = Host(folder / RUN, self._make, self._lose_terminal)

    async def run(self) -> int:
        """Show the dashboard, drive the run, and when the person leaves do with the run what they chose.

        Raises:
            Held: Another process took the run first.
            ProgramError, StoreError: The run cannot be begun; the message says why.
        """
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGHUP, self._lose_terminal)
        loop.add_signal_handler(signal.SIGTERM, self._end, Leave.DRAIN)
        loop.add_signal_handler(signal.SIGINT, self._end, Leave.STOP)
        answer_signals()
        guest = asyncio.create_task(self._host.entertain())
        runner = asyncio.create_task(self._drive())
        await asyncio.wait({runner, guest}, return_when=asyncio.FIRST_COMPLETED)
        # The loop cannot end while somebody looks, except by failing, or by a stop that was asked for elsewhere.
        ended = runner.done()
        status = await (self._ended_without_us(guest, runner) if ended else self._farewell(await guest, runner))
        answer_no_more(loop)
        return status

    async def _drive(self) -> None:
        await asyncio.sleep(0)  # the guest first
        if self._host.app:
            with contextlib.suppress(TimeoutError):  # a screen that cannot be painted stops no run
                await asyncio.wait_for(self._host.app.painted.wait(), _PAINTS)
        await asyncio.to_thread(__import__, "runner.session")
        from runner.session import Session, make_ready

        self.session = Session(self.folder, True, await asyncio.to_thread(make_ready, self.folder))
        self.session.store.listen(self._ring)
        self._opened.set()
        self._ring()
        await self.session.run()

    def _make(self, told: str) -> Dashboard:
        if told:
            self._record(told)
        return Dashboard(self.folder / RUN, self._intervene, self._subscribe, self._trouble, owned=True, told=told)

    async def _ended_without_us(self, guest: asyncio.Task[Leave | None], runner: asyncio.Task[None]) -> int:
        self._host.send_away(Leave.STOP)
        await guest
        self._speak_into_the_log_if_lost()
        try:
            runner.result()
            ended = say_what_ended(self._session)
        finally:
            await self._close(keep_workers=False)
        tell(f"{ended}; go on with: autoresearch-tui {self.folder}")
        return 0

    async def _farewell(self, left: Leave | None, runner: asyncio.Task[None]) -> int:
        self._speak_into_the_log_if_lost()
        await self._opened_or_failed(runner)
        left = self._signalled or left
        if self._lost_terminal and self._signalled is None:
            return await self._go_on_headless(runner)
        if left is None:
            tell(f"the screen failed again and again ({self._host.failed})")
        if left in (None, Leave.DETACH):
            return await self._detach(runner)
        from tui.headless import Printer, listen_for_signals

        drain, store = left is Leave.DRAIN, self._session.store
        asked = listen_for_signals(self._session, "drain" if drain else "now")
        with Printer(store.read, sys.stdout, lambda: why_it_waits(store.trouble)) as printer:
            printer.say("finishing the stages under way; Ctrl+C stops now" if drain else "stopping…")
            forget = store.listen(printer.ring(asyncio.get_running_loop()))
            await runner
            forget()
            printer.print_new()
            await self._close(keep_workers=asked[-1] == "now" and len(asked) > 1)
        tell(f"stopped; go on with: autoresearch-tui {self.folder}")
        return 0

    async def _detach(self, runner: asyncio.Task[None]) -> int:
        """Hand the run to a process without a screen; a run that is finished needs none."""
        await self._patiently(_cancelled(runner))
        finished = self._is_finished()
        await self._close(keep_workers=not finished and self._signalled is None)
        if self._signalled and not finished:
            tell(f"stopped; go on with: autoresearch-tui {self.folder}")
            return 0
        if finished:
            tell(f"the run is finished; all of it as a table: autoresearch-tui results {self.folder}")
            return 0
        process = spawn_headless(self.folder)
        log = self.folder / RUN / HEADLESS_LOG
        if not await asyncio.to_thread(_took_over, process, self.folder / RUN):
            from checkpoints.store import holder

            if held := await asyncio.to_thread(holder, self.folder / RUN):
                tell(f"the run goes on, held by {held}")
                return 0
            tell(f"the run did NOT go on headless, {log} says why; go on with: autoresearch-tui {self.folder}")
            return 1
        tell(f"the run goes on headless as process {process.pid}; look at it again: autoresearch-tui {self.folder}")
        tell(f"its events: {log}")
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

        session = self._session
        self._record("the terminal has gone: the run goes on without a screen; another dashboard shows it again")
        with Printer(session.store.read, sys.stdout, lambda: session.store.trouble) as printer:
            forget = session.store.listen(printer.ring(asyncio.get_running_loop()))
            asked = listen_for_signals(session)
            session.pipeline.linger = False
            session.pipeline.tell()
            await runner
            forget()
            printer.print_new()
            await self._close(keep_workers=bool(asked and asked[-1] == "now"))
        return 0

    def _record(self, text: str) -> None:
        """Put on record what became of the screen."""
        from checkpoints import writes
        from checkpoints.records import Level

        if self.session:
            self.session.store.submit(writes.event, Level.WARNING, "screen", text)

    @property
    def _session(self) -> Session:
        assert self.session
        return self.session

    async def _close(self, keep_workers: bool) -> None:
        if self.session:
            await self._patiently(self.session.close(keep_workers))

    async def _patiently(self, end: Coroutine[None, None, None]) -> None:
        """Await what may wait for room on the disk: says so, and a signal then ends the process."""
        ending = self._ending = asyncio.create_task(end)
        while not ending.done():
            await asyncio.wait({ending}, timeout=_SAYS_SO)
            if not self._told and (why := why_it_waits(self._trouble())):
                self._told = True
                tell(why)
        ending.result()

    def _is_finished(self) -> bool:
        """Whether the run has nothing more to do."""
        run = self.session.store.read.run() if self.session else None
        return run is not None and run.state is RunState.FINISHED

    def _lose_terminal(self) -> None:
        if self._lost_terminal:
            return
        self._lost_terminal = True
        if self._host.app is None:
            self._speak_into_the_log_if_lost()
        self._host.send_away(Leave.DETACH)

    def _speak_into_the_log_if_lost(self) -> None:
        """Not while a dashboard is shown: what it sends to its terminal would go there, too."""
        if self._lost_terminal:
            from tui.headless import speak_into_the_log

            speak_into_the_log(self.folder / RUN)

    def _end(self, how: Leave) -> None:
        """A signal asks for the end of the run, a second one for the end of everything at once."""
        if self._ending and self._trouble():
            os._exit(GAVE_UP)
        self._signalled = how if self._signalled is None else Leave.STOP
        self._host.send_away(self._signalled)

    async def _intervene(self, step: Step, experiment: int | None, reason: str, detail: Json) -> int:
        from checkpoints import writes

        await self._opened.wait()
        return await self._session.store.do(writes.intervene, step, experiment, reason, detail)

    def _subscribe(self, listener: Callable[[], None]) -> Callable[[], None]:
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def _ring(self) -> None:
        for listener in tuple(self._listeners):
            listener()

    def _trouble(self) -> str:
        return self.session.store.trouble if self.session else ""


def own(folder: Path) -> int:
    """Start or resume the run in ``folder`` with the dashboard; returns the exit status."""
    return asyncio.run(Owner(folder).run())


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


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
