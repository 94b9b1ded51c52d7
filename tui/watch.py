"""The thread that looks at the store: looks are coalesced, and nothing is asked while nothing is committed."""

from __future__ import annotations

import contextlib
import importlib
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

ASK_SECONDS = 3.0
"""How often it is asked whether another process still drives the run, and who steers."""

AGAIN_SECONDS = 3.0
"""After what failed, the next try."""

_DIALOGUES = ("tui.screens.help", "tui.screens.veto", "tui.screens.filter")
"""Imported when all is shown, so that the first key that opens one does not wait for it."""

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
        steers: Callable[[], str] = lambda: "",
    ) -> None:
        """Prepare to look.

        Args:
            folder: Run folder; its store may not exist yet.
            tell: Called in the thread with each snapshot.
            subscribe: None when another process writes: then SQLite is asked twice a second whether it did.
            trouble: Why writes are waiting, for a person; empty while they do not.
            driven: Whether some process drives the run; asked at intervals.
            steers: Who steers instead, for a person; asked at intervals.
        """
        self._folder, self._tell, self._subscribe, self._trouble = folder, tell, subscribe, trouble
        self._ask, self._answer, self._asked_at = (driven, steers), (True, ""), -ASK_SECONDS
        self._snapshot, self._failure, self._damage = Snapshot(), "", ""
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

    def look_again(self) -> None:
        """Look, though nothing was committed."""
        self._asked_at = -ASK_SECONDS
        self._committed.set()

    def _watch(self) -> None:
        end = self._subscribe(self._committed.set) if self._subscribe else lambda: None
        try:
            while not self._stopped.is_set():
                try:
                    if reader := self._open():
                        with contextlib.closing(reader):
                            self._look_for_ever(reader)
                except Exception as error:
                    # What fails here must not pass for a run in which nothing happens.
                    self._say_what_failed(error)
                    self._stopped.wait(AGAIN_SECONDS)
        finally:
            end()

    def _say_what_failed(self, error: Exception) -> None:
        if repr(error) != self._failure:  # the same one is written down once, not at every try
            from tui.faults import note

            self._failure = repr(error)
            trouble = f"the screen stands still and tries again, a look at the run failed: {note(self._folder, error)}"
            self._snapshot = replace(self._snapshot, trouble=trouble)
        self._tell(self._snapshot)

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
        self._look(reader)
        plots.load()
        self._tell(self._snapshot)
        for name in _DIALOGUES:
            importlib.import_module(name)
        while not self._stopped.is_set():
            started = time.monotonic()
            seen = self._look(reader)
            self._stopped.wait(max(0.0, LOOK_SECONDS - (time.monotonic() - started)))
            if seen:
                self._wait_for_news(reader)

    def _look(self, reader: Reader) -> bool:
        """Look, and tell; false while there is no run to be seen, and so perhaps no commit to wait for."""
        import sqlite3

        # Asked before the look: a commit that comes during it is seen at the next one.
        self._committed.clear()
        try:
            self._version = reader.version()
            self._snapshot = self._read(reader)
            self._failure, seen = "", self._snapshot.run is not None
        except (sqlite3.Error, UnicodeDecodeError) as error:
            # No tables yet, or locked for a moment: what was seen stays, and is looked at again.
            trouble = self._unreadable(error) if self._snapshot.run else ""
            self._snapshot, seen = replace(self._snapshot, trouble=trouble), False
        self._tell(self._snapshot)
        return seen

    def _unreadable(self, error: Exception) -> str:
        """Why nothing new is seen; to look through the copies of a damaged store takes a while, and is done once."""
        from checkpoints import copies, trouble

        if not trouble.is_damage(error):
            return f"cannot read the run: {error}"
        if repr(error) != self._failure:
            self._failure, self._damage = repr(error), "the store is damaged, and there is no copy of it"
            if good := copies.last_good(self._folder):
                place = f"{copies.FOLDER}/{good[0].name}"
                self._damage = f"the store is damaged: put back {place}; autoresearch-tui doctor says how"
        return self._damage

    def _read(self, reader: Reader) -> Snapshot:
        driven, steers = self._ask_around()
        now = look(reader, self._snapshot, self._trouble(), driven)
        # Not at the first look, for which somebody waits: what asks the machine is long to import.
        goes_on = self._snapshot.run and now.run and now.run.state is RunState.RUNNING and now.driven
        return replace(now, steers=steers, machine=self._gauge.read() if goes_on else None)

    def _wait_for_news(self, reader: Reader) -> None:
        """Until something was committed, or there is another driver or another who steers."""
        before = self._answer
        while not self._stopped.is_set() and self._ask_around() == before and not self._committed.is_set():
            if self._subscribe:
                self._committed.wait(ASK_SECONDS)
            elif reader.version() == self._version:
                self._stopped.wait(LOOK_SECONDS)
            else:
                return

    def _ask_around(self) -> tuple[bool, str]:
        if time.monotonic() - self._asked_at >= ASK_SECONDS:
            driven, steers = self._ask
            self._asked_at, self._answer = time.monotonic(), (driven(), steers())
        return self._answer
