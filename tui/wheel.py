"""Who steers: of all dashboards that show a run, one has the wheel, and any may take it over."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pwd
import stat
import sys
import threading
import time
from pathlib import Path

from checkpoints import strokes
from checkpoints.locks import is_held_open
from checkpoints.text import clean

WHEEL = "wheel.lock"
"""File in the run folder; whoever has it open and locked, and has not been replaced, steers."""


class NotSteering(Exception):
    """This dashboard may not change the run; the message says who may, and what to do."""


class Wheel:
    """A locked file that names its holder.

    The lock goes with its process, however that ends. Taking over renames a new locked file over the old one, which
    cannot fail while somebody holds on to it; the former holder sees that the file at that place is no longer its own.
    """

    def __init__(self, folder: Path) -> None:
        """Know where the wheel is, without touching it.

        Args:
            folder: Run folder; it need not exist yet.
        """
        self._folder = folder
        self._path = folder / WHEEL
        self._file: int | None = None
        self._tried = self._closed = False
        self._mutex = threading.RLock()  # the watcher looks, the screen takes

    @property
    def held(self) -> bool:
        """Whether it is here and nobody has taken it over."""
        with self._mutex:
            if self._file is None:
                return False
            try:
                return os.path.samestat(self._path.stat(), os.fstat(self._file))
            except OSError:
                return False

    def look(self) -> str:
        """Who else steers, for a person; empty while this dashboard does or could.

        The first look takes a wheel that nobody has.
        """
        with self._mutex:
            if self.held:
                return ""
            who = self._holder()
            if not who and not self._tried and self._folder.exists():
                self._tried = True
                with contextlib.suppress(NotSteering):
                    self.take()
            return who

    def grasp(self) -> None:
        """Have it if nobody else has.

        Raises:
            NotSteering: Somebody has it, or the run is not this person's to change.
        """
        with self._mutex:
            if self.held:
                return
            if who := self._holder():
                raise NotSteering(f"{who} steers; w takes the wheel")
            self.take()

    def take(self) -> str:
        """Have it from now on; returns who had it, empty when nobody did.

        Raises:
            NotSteering: The run is not this person's to change.
        """
        with self._mutex:
            if self._closed:
                raise NotSteering("this dashboard is left")
            self._tried = True
            self._refuse_a_strangers_run()
            who, new = self._holder(), self._path.with_name(f".{WHEEL}.{os.getpid()}")
            try:
                file = os.open(new, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
                fcntl.flock(file, fcntl.LOCK_EX)
                with contextlib.suppress(OSError):  # without room for its name a lock still is one
                    os.write(file, json.dumps(_myself()).encode())
                strokes.put(new, self._path)
            except OSError as error:
                raise NotSteering(f"the wheel cannot be taken ({error.strerror}); see to {self._folder}") from error
            self._let_go()
            self._file = file
            return who

    def close(self) -> None:
        """Let the next one have it, for good."""
        with self._mutex:
            self._closed = True
            self._let_go()

    def _let_go(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _holder(self) -> str:
        """Who else has it, for a person; empty when nobody does."""
        if self.held:
            return ""
        try:
            file = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return ""
        try:
            return _described(os.read(file, 4096)) if is_held_open(file) else ""
        finally:
            os.close(file)

    def _refuse_a_strangers_run(self) -> None:
        from checkpoints.reader import DATABASE  # with SQLite: not in the way of the first paint
        from checkpoints.trouble import whose

        for path in (self._folder, self._folder / DATABASE):
            if path.exists() and not os.access(path, os.W_OK):
                raise NotSteering(f"this run belongs to {whose(path)}, who alone may change it; you may look")


def _myself() -> dict[str, object]:
    return {"pid": os.getpid(), "uid": os.getuid(), "terminal": _terminal(), "at": time.time()}


def _terminal() -> str:
    """For example ``pts/3``."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        if stat.S_ISCHR(os.fstat(sys.__stdin__.fileno()).st_mode):  # type: ignore[union-attr]
            return os.ttyname(sys.__stdin__.fileno()).removeprefix("/dev/")  # type: ignore[union-attr]
    return ""


def _described(name: bytes) -> str:
    try:
        who = json.loads(name)
        user = "" if who["uid"] == os.getuid() else f" of {pwd.getpwuid(who['uid']).pw_name}"
        where = f" on {who['terminal']}" if who["terminal"] else ""
        return clean(f"process {who['pid']}{user}{where}")
    except (ValueError, KeyError, TypeError):
        return "a process that has not said its name"
