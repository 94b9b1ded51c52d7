"""Locks of files (``flock``), which go with who holds them: to take one, and to look whether one is held."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

_LOOK_SECONDS = 0.1
"""How long taking a lock is tried: who looks whether it is held, as many do, has it for moments."""


def taken(file: int) -> bool:
    """Take the lock of an open file, unless somebody goes on holding it."""
    until = time.monotonic() + _LOOK_SECONDS
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except OSError:
            if time.monotonic() > until:
                return False
            time.sleep(_LOOK_SECONDS / 50)


def is_held(path: Path) -> bool:
    """Whether somebody holds the lock of a file; False where there is no such file."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)  # others may look who cannot write
    except OSError:
        return False
    try:
        return is_held_open(file)
    finally:
        os.close(file)


def is_held_open(file: int) -> bool:
    """Whether somebody else holds the lock of an open file."""
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    return False
