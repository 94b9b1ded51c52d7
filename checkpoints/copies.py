"""Copies of a run's databases, one a day, the last three: a damaged one loses what came after the last of them."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import stat
import time
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from checkpoints import schema, strokes
from checkpoints.artifacts import sync_folder
from checkpoints.querying import DATABASE, connected

FOLDER = "copies"
"""Folder of the run that they are in."""

KEPT = 3
"""So many are kept, the newest: one for each of the last days on which the run went on."""

_DAY = r"-\d{4}-\d{2}-\d{2}\.db"


class NoRoomForACopy(OSError):
    """A copy would take the room that the run itself needs."""


@dataclass(frozen=True, slots=True)
class Holdings:
    """How much a store has."""

    experiments: int
    votes: int

    def __str__(self) -> str:
        return f"{_count(self.experiments, 'experiment')} and {_count(self.votes, 'vote')}"


def path_of(run: Path, at: float, name: str = DATABASE) -> Path:
    """Where the copy of a day is.

    Args:
        run: Folder of the run.
        at: UTC seconds, some time in that day.
        name: Of the file that is copied.
    """
    return run / FOLDER / time.strftime(f"{Path(name).stem}-%Y-%m-%d.db", time.gmtime(at))


def copies(run: Path, name: str = DATABASE) -> list[Path]:
    """The daily copies of a run's database, the newest first; of the store, or of the file of that name."""
    pattern = re.compile(re.escape(Path(name).stem) + _DAY)
    return sorted((path for path in (run / FOLDER).glob("*.db") if pattern.fullmatch(path.name)), reverse=True)


def keep_copy(run: Path, at: float, spare: int = 0, source: Path | None = None) -> Path:
    """Copy a database as it is at one moment, in place of the copy of the same day; older ones than the last go.

    Others may go on writing meanwhile. Takes as long as reading it twice: for a thread beside the event loop.

    Args:
        run: Folder of the run.
        at: UTC seconds; names the day.
        spare: Bytes that must be left on the disk afterwards.
        source: What is copied; the store where it is not said.

    Returns:
        Where it is.

    Raises:
        OSError: There is no room, or the folder cannot be written.
        sqlite3.Error: It cannot be read, or is damaged: the copies that are there stay.
    """
    source = source or run / DATABASE
    copy = copy_to(source, path_of(run, at, source.name), spare)
    for old in copies(run, source.name)[KEPT:]:
        strokes.take(old)
    return copy


def copy_to(source: Path, target: Path, spare: int = 0, whole: bool = True) -> Path:
    """Copy a database to a file, which appears at once and can be read by whom the database can be read by.

    Args:
        source: The database.
        target: The file; one that is there is replaced.
        spare: Bytes that must be left on the disk afterwards.
        whole: Refuse to copy what is damaged; else it is copied page by page as it is.

    Raises:
        OSError, sqlite3.Error: As ``keep_copy`` does.
    """
    target.parent.mkdir(exist_ok=True)
    for left in target.parent.glob(".*.tmp*"):  # of a process that was killed: who copies owns the run
        strokes.take(left)
    _check_room(source, spare)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        with closing(connected(source)) as original, closing(sqlite3.connect(temporary)) as copy:
            original.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")  # one file, which can be put back by itself
            if whole:
                _refuse_damage(copy)
        temporary.chmod(stat.S_IMODE(source.stat().st_mode))
        strokes.put(temporary, target)
    except BaseException:
        strokes.take(temporary)
        raise
    sync_folder(target.parent)
    return target


def holdings(path: Path) -> Holdings | None:
    """How much a store has, by its last entries, which a damaged one may still tell; None where it does not.

    Args:
        path: Of the database file.
    """
    try:
        with closing(connected(path)) as connection:
            experiments = connection.execute("SELECT coalesce(max(number) + 1, 0) FROM experiments").fetchone()[0]
            return Holdings(experiments, connection.execute("SELECT coalesce(max(seq), 0) FROM votes").fetchone()[0])
    except sqlite3.Error:
        return None


def last_good(run: Path) -> tuple[Path, Holdings] | None:
    """The newest copy that is whole, with what it has."""
    for path in copies(run):
        with suppress(sqlite3.Error, schema.SchemaError), closing(connected(path)) as connection:
            schema.check(connection)
            schema.check_pages(connection)
            if (found := holdings(path)) is not None:
                return path, found
    return None


def way_back(run: Path) -> str:
    """What can be put back in place of a damaged store, what that loses, and how; for a person, in one sentence."""
    found = last_good(run)
    if found is None:
        return "there is no copy of it"
    copy, has = found
    made = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(copy.stat().st_mtime))
    store = run / DATABASE
    command = f"mv {store} {store}.damaged; rm -f {store}-wal {store}-shm; cp {copy} {store}"
    return f"the last good copy, of {made}, has {has}{_less(holdings(store), has)}; put it back with: {command}"


def _less(had: Holdings | None, has: Holdings) -> str:
    """What the damaged store has more."""
    if had is None:
        return ", and what came after it is lost"
    lost = Holdings(max(0, had.experiments - has.experiments), max(0, had.votes - has.votes))
    return f", {lost} less" if lost != Holdings(0, 0) else ", as many as the damaged one"


def _refuse_damage(copy: sqlite3.Connection) -> None:
    try:
        schema.check_pages(copy)
    except schema.Damaged as error:
        raise sqlite3.DatabaseError(str(error)) from error


def _check_room(source: Path, spare: int) -> None:
    needed = spare + sum(path.stat().st_size for path in source.parent.glob(f"{source.name}*"))
    free = shutil.disk_usage(source.parent).free
    if free < needed:
        what = f"{free / 2**20:.0f} MB are free in {source.parent}, {needed / 2**20:.0f} MB needed"
        raise NoRoomForACopy(f"no room for a copy of {source.name}: {what}")


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
