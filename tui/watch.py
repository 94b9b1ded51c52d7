"""The thread that looks at the store: looks are coalesced, and nothing is asked while nothing is committed."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from checkpoints.records import RunState
from tui import plots
from tui.machine import Gauge
from tui.snapshot import Snapshot, look

if TYPE_CHECKING:
    from checkpoints.reader import Reader

LOOK_SECONDS = 0.5
"""Least time between two looks."""

DRIVEN_SECONDS = 3.0
"""How often it is asked whether another process still drives the run."""

Subscribe = Callable[[Callable[[], None]], Callable[[], None]]
"""Has a listener called (in any thread) after each commit; returns the call that ends it."""


class Watcher:
    """Reads the run in a thread of its own and hands over snapshots."""

    def __init__(
        self,
        folder: Path,
        tell: Callable[[Snapshot], object],
        subscribe: Subscribe | None,
        trouble: Callable[[], str],
        driven: Callable[[], bool] = lambda: True,
    ) -> None:
        """Prepare to look.

        Args:
            folder: Run folder; its store may not exist yet.
            tell: Called in the thread with each snapshot.
            subscribe: None when another process writes: then SQLite is asked twice a second whether it did.
            trouble: Why writes are waiting, for a person; empty while they do not.
            driven: Whether some process drives the run; asked at intervals where another process writes.
        """
        self._folder, self._tell, self._subscribe, self._trouble = folder, tell, subscribe, trouble
        self._ask_driven, self._driven, self._asked_at = driven, True, -DRIVEN_SECONDS
        self._gauge = Gauge()
        self._committed = threading.Event()
        self._stopped = threading.Event()
        self._version = -1
        self._thread = threading.Thread(target=self._watch, name="dashboard-watcher", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._stopped.set()
        self._committed.set()

    def _watch(self) -> None:
        end = self._subscribe(self._committed.set) if self._subscribe else lambda: None
        try:
            if reader := self._open():
                with contextlib.closing(reader):
                    self._look_for_ever(reader)
        finally:
            end()

    def _open(self) -> Reader | None:
        # Here and below imported in the thread, after the first paint.
        import sqlite3

        from checkpoints.reader import Reader

        while not self._stopped.is_set():
            with contextlib.suppress(FileNotFoundError, sqlite3.Error):
                return Reader(self._folder)
            self._stopped.wait(LOOK_SECONDS / 2)
        return None

    def _look_for_ever(self, reader: Reader) -> None:
        snapshot = self._look(reader, Snapshot())
        plots.load()
        self._tell(snapshot)
        while not self._stopped.is_set():
            started = time.monotonic()
            snapshot = self._look(reader, snapshot)
            self._stopped.wait(max(0.0, LOOK_SECONDS - (time.monotonic() - started)))
            # Before a first look that succeeded there may be no commit to wait for.
            if snapshot.run:
                self._wait_for_a_commit(reader)

    def _look(self, reader: Reader, before: Snapshot) -> Snapshot:
        import sqlite3

        # Asked before the look: a commit that comes during it is seen at the next one.
        self._committed.clear()
        self._version = reader.version()
        try:
            snapshot = look(reader, before, self._trouble(), self._is_driven())
            goes_on = snapshot.run and snapshot.run.state is RunState.RUNNING and snapshot.driven
            snapshot = replace(snapshot, machine=self._gauge.read() if goes_on else None)
        except sqlite3.Error as error:
            # No tables yet, or locked for a moment: what was seen stays, and is looked at again.
            snapshot = replace(before, trouble=f"cannot read the run: {error}" if before.run else "")
        self._tell(snapshot)
        return snapshot

    def _wait_for_a_commit(self, reader: Reader) -> None:
        if self._subscribe:
            self._committed.wait()
            return
        driven = self._driven
        while not self._stopped.is_set() and reader.version() == self._version and self._is_driven() == driven:
            self._stopped.wait(LOOK_SECONDS)

    def _is_driven(self) -> bool:
        if time.monotonic() - self._asked_at >= DRIVEN_SECONDS:
            self._asked_at, self._driven = time.monotonic(), self._ask_driven()
        return self._driven
