"""One read-only connection to a store, and how it is asked."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from checkpoints.records import Interval
from checkpoints.trouble import Garbled

DATABASE = "run.db"
"""Name of the store in a run folder."""


class Querying:
    """Asks a store. One thread, one reader; no transaction stays open between two questions."""

    def __init__(self, folder: Path) -> None:
        """Look at the run in ``folder``.

        Raises:
            FileNotFoundError: There is no run in that folder.
        """
        self.folder = folder
        path = folder / DATABASE
        if not path.exists():
            raise FileNotFoundError(f"there is no run in {folder}")
        self._connection = connected(path)

    def close(self) -> None:
        """Stop looking."""
        self._connection.close()

    @contextmanager
    def at_one_moment(self) -> Generator[None]:
        """Have all answers within be of one moment; not for long: the store's log grows until it ends."""
        self._connection.execute("BEGIN")
        try:
            yield
        finally:
            self._connection.execute("ROLLBACK")

    def _all(self, statement: str, *values: Any) -> list[Any]:
        return self._connection.execute(statement, values).fetchall()

    def _one(self, statement: str, *values: Any) -> Any:
        return self._connection.execute(statement, values).fetchone()

    def _maybe(self, statement: str, *values: Any) -> Any | None:
        return self._connection.execute(statement, values).fetchone()


def connected(path: Path) -> sqlite3.Connection:
    """A connection that only reads."""
    how = "mode=ro"
    if not os.access(path.parent, os.W_OK) and not path.with_name(f"{path.name}-wal").exists():
        # SQLite wants to make files beside it even to read. Where this user may not, and nobody has it open, it stands.
        how += "&immutable=1"
    return sqlite3.connect(f"{path.absolute().as_uri()}?{how}", uri=True, isolation_level=None, timeout=5)


def parsed(text: str) -> Any:
    """What JSON in the store says.

    Raises:
        Garbled: It is none: the store is damaged.
    """
    try:
        return json.loads(text)
    except ValueError as error:
        raise Garbled(f"it holds JSON that is none: {error}") from error


def interval(text: str | None) -> Interval | None:
    """An interval that may be lacking, from the text that the store keeps."""
    return needed_interval(text) if text else None


def needed_interval(text: str) -> Interval:
    """An interval from the text that the store keeps."""
    return Interval(*map(float, text[1:-1].split(",")))  # a third of the time that a parser takes, 30,000 times
