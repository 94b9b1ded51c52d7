"""What one run of a script may use up of the machine: memory, processes, room on the disk. Past that it is ended."""

from __future__ import annotations

import contextlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from lanes.room import MIN_FREE_BYTES
from lanes.script.confine import MOST_PROCESSES

_SHARE = 0.95
"""Of the machine's memory; what is above is for who watches."""

_FREE_FILES = 10_000
"""So many more must there be room for, on file systems that count them."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """The most that a run may use up."""

    memory: int
    """Bytes resident, of the whole family."""

    processes: int = MOST_PROCESSES
    """The kernel holds others to it, but lets root have any number."""

    free: int = 0
    """Bytes that must stay free on the disk of its folder."""

    def overstepped(self, resident: int, processes: int, folder: Path) -> str:
        """What it has used up, in a line for a person; empty where it keeps to its bounds.

        Args:
            resident: Bytes of the family, now.
            processes: How many it has.
            folder: Where it writes.
        """
        if resident > self.memory:
            return f"out of memory: it had {_mb(resident)} resident, and may have {_mb(self.memory)}"
        if processes > self.processes:
            return f"it had {processes:,} processes, and may have {self.processes:,}"
        with contextlib.suppress(OSError):
            found = os.statvfs(folder)
            if (left := found.f_bavail * found.f_frsize) < self.free:
                return f"it filled the disk: {_mb(left)} are left of it, and {_mb(self.free)} must be"
            if found.f_files and found.f_favail < _FREE_FILES:
                return f"it filled the disk: it has room for {found.f_favail:,} more files"
        return ""


def of_the_machine(folder: Path) -> Bounds:
    """What this machine can bear now. A disk that is nearly full already is nothing that a run has done.

    Args:
        folder: Where it writes.
    """
    import psutil  # only the worker needs it, and an order has bounds, too

    free = min(MIN_FREE_BYTES, shutil.disk_usage(folder).free) // 2
    return Bounds(int(psutil.virtual_memory().total * _SHARE), free=free)


def _mb(count: int) -> str:
    return f"{count / 2**20:,.0f} MB"
