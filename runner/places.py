"""Places that a program names: a local file or folder, a URL, or a hub id."""

from __future__ import annotations

import os
import re
from pathlib import Path

from lanes.sources import LOCAL

HUB_ID = re.compile(r"^[\w.-]+(/[\w.-]+)?$", re.ASCII)


def resolved(place: str, folder: Path) -> str:
    """A local place as an absolute path, everything else as it is.

    Args:
        place: as the program says it.
        folder: where relative paths begin.
    """
    return absolute(place, folder) if is_local(place, folder) else place


def absolute(path: str, folder: Path) -> str:
    """A path made absolute; ``~`` is the person's home."""
    try:
        expanded = Path(path).expanduser()
    except RuntimeError:  # there is no such person
        expanded = Path(path)
    return os.path.normpath(folder / expanded)


def is_local(place: str, folder: Path) -> bool:
    """Whether a place is on this machine: it is there, or it can be nothing else."""
    if is_url(place):
        return False
    if Path(absolute(place, folder)).exists() or place.lower().endswith(LOCAL):
        return True
    # "sample_data/modle" reads like a hub id; a folder sample_data beside the program says that it is a slip.
    return not HUB_ID.match(place) or place.startswith((".", "~")) or (folder / Path(place).parts[0]).is_dir()


def is_url(place: str) -> bool:
    """Whether a place is an fsspec URL."""
    return "://" in place
