"""A process that somebody else may have started: whether it still is the one that was meant, and how to end it."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from checkpoints.clock import BOOT_ID, boot_id


class Identity(NamedTuple):
    """Which process: pids are reused, a pid with its start time and boot is not."""

    pid: int
    start_time: int | None
    """Clock ticks from boot to the start of the process; None where there is no ``/proc``."""

    boot_id: str


def still_runs(identity: Identity) -> bool:
    """Whether the process lives and is the one that was meant; a zombie does not live."""
    if identity.boot_id != boot_id():
        return False
    found = _stat(identity.pid)
    if found is None:
        return identity.start_time is None and _exists(identity.pid)
    state, ticks = found
    return state not in "ZX" and ticks == identity.start_time


def is_stopped(pid: int) -> bool:
    """Whether a signal has stopped a process and none has let it go on; False where there is no ``/proc``."""
    found = _stat(pid)
    return found is not None and found[0] == "T"


def marked(name: str, value: str) -> set[int]:
    """Pids of the living processes that have inherited an environment variable with this value. Takes 10 to 50 ms."""
    import psutil  # only who ends processes needs it

    found: set[int] = set()
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.environ().get(name) == value and process.status() != psutil.STATUS_ZOMBIE:
                found.add(process.pid)
    return found


def groups_of(pids: set[int]) -> set[int]:
    """Process groups of processes; never our own."""
    groups: set[int] = set()
    for pid in pids:
        with suppress(ProcessLookupError, PermissionError):
            groups.add(os.getpgid(pid))
    return groups - {os.getpgrp()}


def signal_all(groups: set[int], pids: set[int], number: signal.Signals) -> None:
    """Signal whole groups and single processes; those that are gone already do not matter."""
    for group in groups:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(group, number)
    for pid in pids - {os.getpid()}:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def _stat(pid: int) -> tuple[str, int] | None:
    """State letter and start time of a process; None where it or ``/proc`` is not there."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    return fields[0], int(fields[19])


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return not BOOT_ID.exists()
