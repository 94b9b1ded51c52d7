"""Why a store cannot be read or written, in one line for a person, and whether it is worth waiting."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import sqlite3
from pathlib import Path

from checkpoints.text import clean

SCARCE_BYTES = 1 << 20
"""With less room than this an I/O error is taken for a full disk: SQLite often calls it so."""

PUT_BACK = "put back a copy, or start in another folder"
"""What to do about a damaged store."""

_LOCKED = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_FORBIDDEN = (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM)
_UNREADABLE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


_LONGEST = 120
"""Characters of what SQLite or Python say, at most: they quote what they could not read."""


class Garbled(sqlite3.DatabaseError):
    """A store holds what was never written to it; SQLite itself finds nothing wrong."""


def can_pass(error: sqlite3.Error) -> bool:
    """Whether waiting can help: no room, a lock, a forbidden write, a failing disk; not a wrong statement or damage."""
    return _code(error) in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, *_LOCKED, *_FORBIDDEN)


def is_damage(error: Exception) -> bool:
    """Whether the file itself is wrong: in its structure, or in the text that it holds."""
    if isinstance(error, UnicodeDecodeError | Garbled):
        return True
    return _code(error) in _UNREADABLE or (_code(error) == 0 and "decode to UTF-8" in str(error))


def said(error: Exception) -> str:
    """What an error says, on one line and without what it quotes at length."""
    if isinstance(error, UnicodeDecodeError):  # SQLite quotes the damage in words that Python cannot read
        return "it holds text that is not UTF-8"
    line = " ".join(clean(str(error)).split())
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"


def why(path: Path, error: Exception) -> str:
    """What is wrong with the file at ``path``, and what to do."""
    code = _code(error)
    free = _free(path.parent)
    if code == sqlite3.SQLITE_FULL or (free < SCARCE_BYTES and code in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN)):
        return f"the disk is full ({free / 2**20:.1f} MB are free in {path.parent}): make room"
    if code in _LOCKED:
        return f"another process keeps {path} locked: end it"
    if code in _FORBIDDEN:
        return f"{path} cannot be written ({error}): change the permissions of {path.parent}"
    if code == sqlite3.SQLITE_IOERR:
        return f"{path} cannot be written ({error}): look after the disk"
    if is_damage(error):
        return f"{path} is damaged ({said(error)}): {PUT_BACK}"
    return f"{path}: {error}"


def why_unreadable(path: Path, error: Exception) -> str:
    """The same for somebody who only reads."""
    if _code(error) in _FORBIDDEN or not os.access(path, os.R_OK):
        return f"{path} cannot be read ({error}): it belongs to {whose(path)}; ask them to let you read {path.parent}"
    return why(path, error)


def whose(path: Path) -> str:
    """The user whom a file belongs to, or the nearest folder around it that may be asked."""
    for place in (path, *path.parents):
        with contextlib.suppress(OSError, KeyError):
            return pwd.getpwuid(place.stat().st_uid).pw_name
    return "another user"


def _code(error: Exception) -> int:
    """SQLite's primary result code; 0 where Python raised the error itself."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _free(folder: Path) -> int:
    """Bytes; as good as endless where nobody can tell."""
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return 1 << 62
