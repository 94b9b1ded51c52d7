"""Whether a file is a whole store of ours; brings it to this version, each step in one transaction."""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

import sqlite3
import sys
from contextlib import closing
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from checkpoints.remains import has_log, remains
from checkpoints.schema_steps import STEPS
from checkpoints.trouble import PUT_BACK, is_damage, said

if TYPE_CHECKING:
    from sqlite_utils import Database
    from sqlite_utils.migrations import Migrations

APPLICATION_ID = 0x41525354
"""``ARST`` in the header of the file: tells our database from a foreign one."""

NAMES = tuple(STEPS)


class SchemaError(Exception):
    """The file is no store of ours, or of a newer version; the message says which and what to do."""


class Damaged(SchemaError):
    """The file is not what was written."""


def database(connection: sqlite3.Connection) -> Database:
    """Wrap a connection in sqlite-utils, which is slow to import and so waits until it is needed."""
    load()
    from sqlite_utils import Database

    return Database(connection)


def load() -> None:
    """Import sqlite-utils.

    It imports pandas where it finds it, only to know its types: 0.3 s and 70 MB that nobody here uses.
    """
    absent = "pandas" not in sys.modules
    if absent:
        sys.modules["pandas"] = None  # type: ignore[assignment]
    try:
        import_module("sqlite_utils")
    finally:
        if absent:
            del sys.modules["pandas"]


def migrate(db: Database) -> None:
    """Bring a store to this version.

    Raises:
        SchemaError: The file belongs to something else, or was written by a newer version.
    """
    check(db.conn)
    _migrations().apply(db)
    if db.conn.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        db.conn.execute(f"PRAGMA application_id = {APPLICATION_ID}")


def check(connection: sqlite3.Connection) -> None:
    """Refuse a foreign database, one of a newer version, and one that was emptied.

    Raises:
        SchemaError: With the reason.
    """
    _check_not_emptied(connection)
    try:
        application = connection.execute("PRAGMA application_id").fetchone()[0]
        tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        if not is_damage(error):
            raise
        raise Damaged(f"the store is damaged ({said(error)}); {PUT_BACK}") from error
    if not tables:
        return
    if application != APPLICATION_ID and "_sqlite_migrations" not in tables:
        raise SchemaError("this database belongs to another program; start in another folder")
    applied = {row[0] for row in connection.execute("SELECT name FROM _sqlite_migrations")}
    if newer := applied - set(NAMES):
        raise SchemaError(
            f"this run was written by a newer autoresearch-tui (it has {', '.join(sorted(newer))}); "
            "upgrade with: pip install -U autoresearch-tui"
        )
    if len(applied) == len(NAMES):
        _check_columns(connection)


def _check_not_emptied(connection: sqlite3.Connection) -> None:
    """Before the first page is asked for: SQLite removes the log of a database that has none."""
    path = _file(connection)
    if path and (left := remains(path)):
        raise Damaged(f"the store is empty, but a run was here (it left {', '.join(left)}); {PUT_BACK}")


def _file(connection: sqlite3.Connection) -> Path | None:
    """Of a database; None where it is in memory."""
    name = connection.execute("PRAGMA database_list").fetchone()[2]
    return Path(name) if name else None


def lacking(connection: sqlite3.Connection) -> list[str]:
    """Names of the migrations that a store of ours has yet to go through, in order."""
    tables = connection.execute("SELECT count(*) FROM sqlite_master WHERE name = '_sqlite_migrations'").fetchone()[0]
    applied = {row[0] for row in connection.execute("SELECT name FROM _sqlite_migrations")} if tables else set[str]()
    return [name for name in NAMES if name not in applied]


def check_pages(connection: sqlite3.Connection) -> None:
    """Refuse a file with damaged pages before anything is built on it; 0.3 s for a million rows of metrics.

    Raises:
        Damaged: With the first damage.
    """
    try:
        found: str = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        if not is_damage(error):
            raise
        found = said(error)
    if found == "ok":
        found = _cut_off(connection) or found
    if found != "ok":
        what = " ".join(found.split())
        raise Damaged(f"the store is damaged ({what}); {PUT_BACK}")


def _cut_off(connection: sqlite3.Connection) -> str:
    """What SQLite reads as zeros: the end of the last page, where no log has it; empty where nothing lacks."""
    path = _file(connection)
    if not path or not path.exists() or has_log(path):
        return ""
    pages, size = (connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size"))
    lacking = pages * size - path.stat().st_size
    return f"{lacking} bytes at its end are missing" if lacking > 0 else ""


def _check_columns(connection: sqlite3.Connection) -> None:
    """Refuse a store whose own description was damaged: SQLite finds nothing wrong with a column of another name.

    Raises:
        Damaged: A column is not there.
    """
    if lost := _all_columns() - _columns(connection):
        table, column = min(lost)
        raise Damaged(f"the store is damaged (its table {table} has no {column}); {PUT_BACK}")


@cache
def _all_columns() -> set[tuple[str, str]]:
    """Tables with their columns as a new store has them."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as fresh:
        for statements in STEPS.values():
            for statement in statements.split(";\n\n"):
                fresh.execute(statement)
        return _columns(fresh)


def _columns(connection: sqlite3.Connection) -> set[tuple[str, str]]:
    """Tables with their columns."""
    return set(
        connection.execute(
            "SELECT m.name, c.name FROM sqlite_master m JOIN pragma_table_info(m.name) c WHERE m.type = 'table'"
        )
    )


def _migrations() -> Migrations:
    from sqlite_utils.migrations import Migrations

    migrations = Migrations("autoresearch-tui")
    for name, statements in STEPS.items():

        def step(db: Database, statements: str = statements) -> None:
            for statement in statements.split(";\n\n"):
                db.conn.execute(statement)

        migrations(name=name)(step)
    return migrations
