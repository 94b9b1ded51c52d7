"""Where something comes or goes: each commit, rename and removal of a file or folder in the product is made here.

So they can be counted, and a process can be made to die before and after each of them. What is written, renamed into
place and synced as a whole is in ``checkpoints.artifacts``.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3

observers: list[Callable[[str], object]] = []
"""Called before and after each stroke, in its thread, with one line that says which."""


def commit(connection: sqlite3.Connection) -> None:
    """End a transaction.

    Raises:
        sqlite3.Error: The disk is full; the transaction may be open.
    """
    _tell("before a commit")
    connection.execute("COMMIT")
    _tell("after a commit")


def put(source: Path, target: Path) -> None:
    """Have a file or folder at ``target``, at once and whole; a file that is there, or an empty folder, is replaced.

    Raises:
        OSError: The two are on different file systems, or the folder cannot be written.
    """
    _tell(f"before {target.name} is put")
    source.replace(target)
    _tell(f"after {target.name} is put")


def link(source: Path, target: Path) -> None:
    """Have a file at ``target`` too, at once and whole.

    Raises:
        FileExistsError: There is something already.
        OSError: The folder cannot be written.
    """
    _tell(f"before {target.name} is put")
    target.hardlink_to(source)
    _tell(f"after {target.name} is put")


def take(file: Path) -> None:
    """Have no file at a place; there need not be one.

    Raises:
        OSError: The folder cannot be written.
    """
    _tell(f"before {file.name} is taken")
    file.unlink(missing_ok=True)
    _tell(f"after {file.name} is taken")


def clear(folder: Path, quietly: bool = False) -> None:
    """Have no folder at a place, nor anything that was in it; killed meanwhile, part of it is left.

    Args:
        folder: That is removed; where it is a link, it is not followed.
        quietly: There need not be one, and what cannot be removed stays.

    Raises:
        OSError: Unless it is done quietly: there is none, or the folder cannot be written.
    """
    _tell(f"before {folder.name} is cleared")
    shutil.rmtree(folder, ignore_errors=quietly)
    _tell(f"after {folder.name} is cleared")


def _tell(what: str) -> None:
    for observer in observers:
        observer(what)
