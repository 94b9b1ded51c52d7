"""Opens a file that a script may be swapping for a link at the same moment: no link is followed on the way to it."""

from __future__ import annotations

import os
import stat
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@contextmanager
def opened_inside(top: Path, path: Path) -> Generator[Path | None]:
    """A name for a regular file that stays the same file whatever becomes of its path; None where there is none.

    Args:
        top: Folder that no script can replace.
        path: Below it.
    """
    handles: list[int] = []
    try:
        yield _opened(top, path.relative_to(top).parts, handles)
    finally:
        for handle in handles:
            os.close(handle)


def _opened(top: Path, parts: tuple[str, ...], handles: list[int]) -> Path | None:
    try:
        handles.append(os.open(top, _FOLDER))
        for part in parts[:-1]:
            handles.append(os.open(part, _FOLDER, dir_fd=handles[-1]))
        handles.append(os.open(parts[-1], _FILE, dir_fd=handles[-1]))
    except OSError:
        return None
    return Path(f"/dev/fd/{handles[-1]}") if stat.S_ISREG(os.fstat(handles[-1]).st_mode) else None
