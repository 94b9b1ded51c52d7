"""Where the trace of what failed in the interface goes: into a file, never onto the screen."""

from __future__ import annotations

import time
import traceback
from pathlib import Path

ERRORS = "dashboard-errors.log"
"""File in the run folder."""


def note(folder: Path, error: Exception) -> str:
    """Write the trace down; returns in a few words what failed, and where the trace is.

    Args:
        folder: Run folder.
        error: What was raised.
    """
    what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    text = "".join(traceback.format_exception(error))
    path = folder / ERRORS
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S', time.gmtime())} UTC\n{text}\n")
    except OSError as unwritable:
        return f"{what}; no trace of it could be written ({unwritable.strerror})"
    return f"{what}; its trace is in {path}"
