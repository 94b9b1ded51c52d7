"""Files that a run may not alter: their content before and after it."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from checkpoints.artifacts import write_json
from lanes.script.edits import is_allowed

SETTLED_SECONDS = 2.0
"""A file that was changed less long before it was looked at could be changed again without its times showing it."""

GIT = (".git",)
"""What is protected in a worktree whatever git knows: what says whose it is."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One file as it was."""

    about: tuple[int, ...]
    """Device, inode, mode, size, and the times of the last change of content and of anything. The last is set by the
    kernel and by nobody else, so a file where all of them are the same has not been written."""

    content: str
    """SHA-256, or where a link leads, or that nothing is there."""

    at: float
    """When it was looked at, UTC."""


Snapshot: TypeAlias = Mapping[Path, Seen]


def snapshot(paths: Iterable[Path], known: Snapshot | None = None) -> Snapshot:
    """All files as they are.

    Args:
        paths: Files, and folders for all that is in them; links are looked at and not followed.
        known: What was found before: a file that was surely not written since is not read again.
    """
    return {path: _look(path, (known or {}).get(path)) for path in sorted(set(_files(paths)))}


def altered(before: Snapshot, paths: Iterable[Path], alone: Path | None = None) -> tuple[Path, ...]:
    """Files that are other than they were, came or went; the content decides, not the times.

    Args:
        before: From ``snapshot``, with the same paths.
        paths: What ``snapshot`` was asked for.
        alone: A folder where nobody else writes meanwhile: there a file that was written and put back is altered, too.
    """
    after = snapshot((*before, *paths), before)
    return tuple(
        path for path, seen in after.items() if path not in before or _differs(before[path], seen, path, alone)
    )


def remembered(file: Path) -> Snapshot:
    """What ``remember`` has written; nothing where that is not there, or cannot be understood."""
    try:
        found: dict[str, tuple[list[int], str, float]] = json.loads(file.read_bytes())
        return {Path(path): Seen(tuple(about), content, at) for path, (about, content, at) in found.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def remember(file: Path, seen: Snapshot) -> None:
    """Write down what was found, so that the next run need not read gigabytes again.

    Args:
        file: Where no script can write: whoever writes it says what its files were.
        seen: Of files that no script can write either.
    """
    write_json(file, {str(path): (one.about, one.content, one.at) for path, one in seen.items()})


def protected(files: Iterable[str], editable: Sequence[str], top: Path) -> tuple[Path, ...]:
    """What is protected of a worktree: all that git knows but what may be edited, and what says whose it is.

    Args:
        files: All that git knows, from the top.
        editable: Those that may be edited, from the top, with ``*`` and ``**``.
        top: Where the worktree begins.
    """
    return tuple(top / name for name in (*GIT, *(file for file in files if not is_allowed(file, editable))))


def _differs(was: Seen, now: Seen, path: Path, alone: Path | None) -> bool:
    mine = alone is not None and path.is_relative_to(alone) and was.about and stat.S_ISREG(was.about[2])
    return was.content != now.content or (bool(mine) and was.about != now.about)


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    """The files that paths stand for; a folder itself is one of them, as long as it is empty."""
    for path in paths:
        if path.is_symlink() or not path.is_dir():
            yield path
            continue
        inner = [
            Path(folder) / name for folder, folders, names in os.walk(path) for name in _leaves(folder, folders, names)
        ]
        yield from inner or [path]


def _leaves(folder: str, folders: list[str], names: list[str]) -> list[str]:
    return [*names, *(name for name in folders if (Path(folder) / name).is_symlink())]


def _look(path: Path, known: Seen | None) -> Seen:
    now = time.time()
    try:
        found = path.lstat()
    except OSError:
        return Seen((), "nothing", now)
    about = (found.st_dev, found.st_ino, found.st_mode, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
    if known and known.about == about and found.st_ctime < known.at - SETTLED_SECONDS:
        return Seen(about, known.content, known.at)
    return Seen(about, _content(path, found.st_mode), now)


def _content(path: Path, mode: int) -> str:
    """What is in a file, with whether it is a program."""
    try:
        if stat.S_ISLNK(mode):
            return f"link to {path.readlink()}"
        if not stat.S_ISREG(mode):
            return f"no file ({stat.filemode(mode)[0]})"
        with path.open("rb") as file:
            return f"{bool(mode & stat.S_IXUSR)} {hashlib.file_digest(file, 'sha256').hexdigest()}"
    except OSError as error:
        return f"unreadable ({error.strerror})"
