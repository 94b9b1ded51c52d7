"""Copies of a run's store, one a day, the last three: a damaged store loses what came after the last of them."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
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

_NAME = re.compile(r"run-\d{4}-\d{2}-\d{2}\.db")


class NoRoomForACopy(OSError):
    """A copy would take the room that the run itself needs."""


@dataclass(frozen=True, slots=True)
class Holdings:
    """How much a store has."""

    experiments: int
    votes: int

    def __str__(self) -> str:
        return f"{_count(self.experiments, 'experiment')} and {_count(self.votes, 'vote')}"


def path_of(run: Path, at: float) -> Path:
    """Where the copy of a day is.

    Args:
        run: Folder of the run.
        at: UTC seconds, some time in that day.
    """
    return run / FOLDER / time.strftime("run-%Y-%m-%d.db", time.gmtime(at))


def copies(run: Path) -> list[Path]:
    """The daily copies of a run, the newest first."""
    return sorted((path for path in (run / FOLDER).glob("run-*.db") if _NAME.fullmatch(path.name)), reverse=True)


def keep_copy(run: Path, at: float, spare: int = 0) -> Path:
    """Copy the store as it is at one moment, in place of the copy of the same day; older ones than the last go.

    Others may go on writing meanwhile. Takes as long as reading the store twice: for a thread beside the event loop.

    Args:
        run: Folder of the run.
        at: UTC seconds; names the day.
        spare: Bytes that must be left on the disk afterwards.

    Returns:
        Where it is.

    Raises:
        OSError: There is no room, or the folder cannot be written.
        sqlite3.Error: The store cannot be read, or is damaged: the copies that are there stay.
    """
    copy = copy_to(run, path_of(run, at), spare)
    for old in copies(run)[KEPT:]:
        strokes.take(old)
    return copy


def copy_to(run: Path, target: Path, spare: int = 0, whole: bool = True) -> Path:
    """Copy the store to a file, which appears at once.

    Args:
        run: Folder of the run.
        target: The file; one that is there is replaced.
        spare: Bytes that must be left on the disk afterwards.
        whole: Refuse to copy what is damaged; else it is copied page by page as it is.

    Raises:
        OSError, sqlite3.Error: As ``keep_copy`` does.
    """
    target.parent.mkdir(exist_ok=True)
    for left in target.parent.glob(".*.tmp*"):  # of a process that was killed: who copies owns the run
        strokes.take(left)
    _check_room(run, spare)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        with closing(connected(run / DATABASE)) as source, closing(sqlite3.connect(temporary)) as copy:
            source.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")  # one file, which can be put back by itself
            if whole:
                _refuse_damage(copy)
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


def _check_room(run: Path, spare: int) -> None:
    needed = spare + sum(path.stat().st_size for path in run.glob(f"{DATABASE}*"))
    free = shutil.disk_usage(run).free
    if free < needed:
        what = f"{free / 2**20:.0f} MB are free in {run}, {needed / 2**20:.0f} MB needed"
        raise NoRoomForACopy(f"no room for a copy of the store: {what}")


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
