"""Room on the disk: how much a training must find, and what is said while there is less."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

MIN_FREE_BYTES = 200 * 2**20
"""Below this much room in the run folder no training starts, and one that died waits."""

LOOK_SECONDS = 1.0
"""How often a lane that waits for room looks whether it has come."""

_FULL = (errno.ENOSPC, errno.EDQUOT)


def shortage(folder: Path, needed: int | None = None) -> str:
    """What a lane waits for; empty where there is room enough.

    Args:
        folder: On the disk in question; it must be there.
        needed: Bytes; None takes ``MIN_FREE_BYTES``.
    """
    needed = MIN_FREE_BYTES if needed is None else needed
    free = shutil.disk_usage(folder).free
    if free >= needed:
        return ""
    return f"room on the disk: {free / 2**20:.0f} MB are free in {folder}, {needed / 2**20:.0f} MB needed"


def is_full(error: OSError) -> bool:
    """Whether a write failed for want of room, on the disk or in somebody's quota."""
    return error.errno in _FULL
