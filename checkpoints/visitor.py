"""Writing from a process that does not own the run: one thing only, what a person wants."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from checkpoints import schema, writes
from checkpoints.reader import DATABASE
from checkpoints.records import Json, Step


def intervene_from_outside(
    folder: Path, step: Step, experiment: int | None = None, reason: str = "", detail: Json | None = None
) -> int:
    """Record what a person wants in a run that another process drives; returns the intervention's number.

    Raises:
        sqlite3.OperationalError: The store stayed locked for five seconds.
        SchemaError: It is no store of this version.
    """
    connection = sqlite3.connect(folder / DATABASE, isolation_level=None, timeout=5.0)
    try:
        schema.check(connection)
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("BEGIN IMMEDIATE")
        number = writes.intervene(schema.database(connection), step, experiment, reason, detail)
        connection.execute("COMMIT")
        return number
    finally:
        connection.close()
