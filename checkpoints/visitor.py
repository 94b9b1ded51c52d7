"""A process that does not own the run: it reads, after a check, and writes only what a person wants or found."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from checkpoints import copies, schema, strokes, trouble, writes
from checkpoints.reader import DATABASE, Reader, connected
from checkpoints.records import Json, Step
from checkpoints.store import StoreError
from checkpoints.trust import Calibration

if TYPE_CHECKING:
    from sqlite_utils import Database


class Outdated(StoreError):
    """The store has yet to be brought to this version, which only its owner does."""


class Damaged(StoreError):
    """The store is not what was written: what is wrong with it, and which copy can be put back."""

    def __init__(self, what: str, way_back: str) -> None:
        super().__init__(f"{what}; {way_back}")
        self.what = what
        self.way_back = way_back


@contextmanager
def reading(folder: Path) -> Generator[Reader]:
    """A reader of a run folder's store, after ``check``; what SQLite refuses while it reads is told in one line.

    Raises:
        Damaged: The store is not what was written; the message names the newest copy that can be put back.
        StoreError: The store is not there, not readable, foreign, empty or of another version.
    """
    check(folder)
    with closing(Reader(folder)) as reader:
        try:
            yield reader
        except (sqlite3.Error, UnicodeDecodeError) as error:
            raise refusal(folder, error) from error


def check(folder: Path) -> None:
    """Refuse what this version cannot read; damage further on is found by whoever reads it.

    Raises:
        Outdated: Its owner has to start first, or has only just.
        Damaged: It is not what was written.
        StoreError: For another reason; the message says what to do.
    """
    path = folder / DATABASE
    if not path.exists():
        raise StoreError(f"there is no run in {folder}")
    try:
        with closing(connected(path)) as connection:
            schema.check(connection)
            lacking = schema.lacking(connection)
    except schema.Damaged as error:
        raise Damaged(f"{path}: {error}", copies.way_back(folder)) from error
    except schema.SchemaError as error:
        raise StoreError(f"{path}: {error}") from error
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise refusal(folder, error) from error
    if lacking:
        raise Outdated(
            f"{path} was begun by an older autoresearch-tui, or only just (it lacks {', '.join(lacking)}); "
            f"start the run once to bring it up to date: autoresearch-tui {folder.parent}"
        )


def refusal(folder: Path, error: sqlite3.Error | UnicodeDecodeError) -> StoreError:
    """What to raise in place of an error of SQLite's, or of text that it cannot decode."""
    what = trouble.why_unreadable(folder / DATABASE, error)
    return Damaged(what, copies.way_back(folder)) if trouble.is_damage(error) else StoreError(what)


def intervene_from_outside(
    folder: Path, step: Step, experiment: int | None = None, reason: str = "", detail: Json | None = None
) -> int:
    """Record what a person wants in a run that another process drives; returns the intervention's number.

    Raises:
        sqlite3.OperationalError: The store stayed locked for five seconds.
        SchemaError: It is no store of this version.
    """
    return _write(folder, lambda db: writes.intervene(db, step, experiment, reason, detail))


def calibrate_from_outside(folder: Path, calibration: Calibration) -> int:
    """Record what people found a judge to be worth in a run that another process drives; returns its number.

    Raises:
        sqlite3.OperationalError: The store stayed locked for five seconds.
        SchemaError: It is no store of this version.
    """
    return _write(folder, lambda db: writes.add_calibration(db, calibration))


def _write(folder: Path, write: Callable[[Database], int]) -> int:
    connection = sqlite3.connect(folder / DATABASE, isolation_level=None, timeout=5.0)
    try:
        schema.check(connection)
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("BEGIN IMMEDIATE")
        number = write(schema.database(connection))
        strokes.commit(connection)
        return number
    finally:
        connection.close()
