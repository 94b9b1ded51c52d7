"""Who owns a run: one process, by a lock that goes with it and names it."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import socket
import time
from pathlib import Path

from checkpoints.locks import is_held_open, taken

RUN = "run"
"""Name of a run's folder, beside its ``program.md``."""

ALONE = "the arena, served alone: end it with Ctrl+C there"
"""What a process that serves a run's arena and drives no loop says that it has the run for."""

LOCK = "owner.lock"
"""File in the run folder that its owner holds by ``flock`` and has written its name into."""


class StoreError(Exception):
    """The store cannot be used; the message says why and what to do."""


class Held(StoreError):
    """Another process owns the run."""


class Owner:
    """The right to write a run's store: an ``flock`` on a file that names its holder."""

    def __init__(self, folder: Path, doing: str = "") -> None:
        """Take the lock, or fail within a moment.

        Args:
            folder: Of the run.
            doing: What with, in words for whom this keeps out; empty where the run is driven.

        Raises:
            Held: Somebody else has it; the message names them.
            StoreError: The folder cannot be made or written.
        """
        self.path = folder / LOCK
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            todo = "make room" if error.errno == errno.ENOSPC else "change its permissions, or start in another folder"
            raise StoreError(f"the run folder {folder} cannot be written ({error.strerror}): {todo}") from error
        if not taken(self._file):
            holder = os.read(self._file, 4096).decode(errors="replace")
            os.close(self._file)
            raise Held(f"this run is held by {_describe(holder)}; look at it with: autoresearch-tui attach") from None
        who = {"pid": os.getpid(), "host": socket.gethostname(), "at": time.time(), "doing": doing}
        name = json.dumps(who).encode()
        with contextlib.suppress(OSError):  # without room for its name a lock still is one
            os.ftruncate(self._file, os.pwrite(self._file, name, 0))

    def release(self) -> None:
        """Let the next one have it."""
        os.close(self._file)


def holder(folder: Path) -> str | None:
    """Who owns the run in this folder, for a person; None when nobody does."""
    try:
        file = os.open(folder / LOCK, os.O_RDONLY | os.O_CLOEXEC)  # others may look who cannot write
    except OSError:
        return None
    try:
        return _describe(os.read(file, 4096).decode(errors="replace")) if is_held_open(file) else None
    finally:
        os.close(file)


def _describe(text: str) -> str:
    try:
        who = json.loads(text)
        since = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(who["at"]))
        doing = f" ({who['doing']})" if who.get("doing") else ""
        return f"process {who['pid']} on {who['host']} since {since}{doing}"
    except (ValueError, KeyError, TypeError):
        return "a process that has not said its name"
