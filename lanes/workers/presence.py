"""Who a worker is, that it is the only one in its folder, and whether anybody still wants it."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

from checkpoints.artifacts import write_json
from checkpoints.locks import is_held, taken

INHERITED_LOCK = "AUTORESEARCH_LOCK_FD"
"""Environment variable: number of an open file that already holds the lock of the worker's folder."""

OWNER_LOCK = "AUTORESEARCH_OWNER_LOCK"
"""Environment variable: path of the lock that whoever owns the run holds."""

ORPHAN_SECONDS = 20.0
"""How long a run may be without an owner before a worker that only waits goes."""


def take_lock(path: Path) -> int | None:
    """Lock a worker's folder for as long as this process lives.

    Returns:
        The open file that holds the lock; None when another process has it.
    """
    inherited = os.environ.pop(INHERITED_LOCK, "")
    if inherited:
        os.set_inheritable(int(inherited), False)
        return int(inherited)
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    if taken(handle):
        return handle
    os.close(handle)
    return None


def introduce(path: Path, program: str) -> None:
    """Write who this process is: a pid alone is reused, with its start time and the boot it is not."""
    write_json(
        path,
        {
            "pid": os.getpid(),
            "start_time": _start_time(),
            "boot_id": _text(Path("/proc/sys/kernel/random/boot_id")).strip(),
            "host": socket.gethostname(),
            "program": program,
        },
    )


class Owner:
    """Whoever owns the run that a worker waits for, seen through the lock that the owner holds."""

    def __init__(self) -> None:
        place = os.environ.get(OWNER_LOCK, "")
        self._path = Path(place) if place else None
        self._gone_since: float | None = None

    def is_gone(self) -> bool:
        """Whether nobody has held the owner's lock for `ORPHAN_SECONDS`; never so where no lock is named."""
        if self._path is None or is_held(self._path):
            self._gone_since = None
            return False
        self._gone_since = self._gone_since or time.monotonic()
        return time.monotonic() - self._gone_since > ORPHAN_SECONDS


def _start_time() -> int | None:
    """Clock ticks between boot and the start of this process; None where there is no ``/proc``."""
    stat = _text(Path("/proc/self/stat"))
    return int(stat.rpartition(")")[2].split()[19]) if stat else None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""
