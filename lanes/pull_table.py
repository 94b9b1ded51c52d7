"""Votes from a table: SQLite by itself, any other database by SQLAlchemy where that is installed."""

from __future__ import annotations

import asyncio
import importlib
import itertools
import json
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from lanes.pull import SQLITE, Page, SourceDown

MOST_ROWS = 2_000
"""Rows of a page."""

CURSORS = ("id", "seq", "key")
"""Columns that can be the cursor; the first that is there is."""


class TableFeed:
    """What a query with ``:after`` finds, row by row in the order of the cursor."""

    def __init__(self, url: str, query: str, name: str) -> None:
        """Connect at each read, so that nothing is locked between two.

        Args:
            url: Of the database.
            query: With ``:after``, ordered by the cursor's column.
            name: Of the database in messages.
        """
        self._url, self._query, self._name = url, query, name

    async def read(self, cursor: str) -> Page:
        """See ``lanes.pull.Feed.read``."""
        return await asyncio.to_thread(self._read, cursor)

    def _read(self, cursor: str) -> Page:
        # A number: every id is after 0, while no number is after a text.
        after = json.loads(cursor) if cursor else 0
        found = self._of_sqlite(after) if self._url.startswith(SQLITE) else self._by_sqlalchemy(after)
        if not found:
            return Page((), cursor)
        column = next((name for name in CURSORS if name in found[0]), None)
        if column is None:
            raise SourceDown(f"{self._name}: the query gives none of {', '.join(CURSORS)}: select one as the cursor")
        values = [row[column] for row in found]
        if any(not isinstance(value, str | int) for value in values):
            raise SourceDown(f"{self._name}: {column} has to be a number or a text in every row")
        if any(type(one) is not type(other) or one > other for one, other in itertools.pairwise(values)):
            raise SourceDown(f"{self._name}: the rows do not come in the order of {column}: add ORDER BY {column}")
        rows = tuple((f"{self._name} {column} {row[column]}", row) for row in found)
        return Page(rows, json.dumps(values[-1]))

    def _of_sqlite(self, after: str | int) -> Sequence[Mapping[str, Any]]:
        path = Path(self._url.removeprefix(SQLITE))
        if not path.is_file():
            raise SourceDown(f"{path} is not there: evaluate.pull.sql names the database")
        try:
            with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=2.0)) as connection:
                cursor = connection.execute(self._query, {"after": after})
                names = [column[0] for column in cursor.description or ()]
                return [dict(zip(names, row, strict=True)) for row in cursor.fetchmany(MOST_ROWS)]
        except (sqlite3.Error, sqlite3.Warning) as error:
            raise SourceDown(f"{path}: evaluate.pull.query fails: {error}") from error

    def _by_sqlalchemy(self, after: str | int) -> Sequence[Mapping[str, Any]]:
        try:
            sqlalchemy: Any = importlib.import_module("sqlalchemy")
        except ImportError:
            raise SourceDown(
                f"{self._name} needs SQLAlchemy: pip install sqlalchemy and the database's driver"
            ) from None
        try:
            engine: Any = sqlalchemy.create_engine(self._url)
            try:
                with engine.connect() as connection:
                    result = connection.execute(sqlalchemy.text(self._query), {"after": after})
                    return [dict(row) for row in result.mappings().fetchmany(MOST_ROWS)]
            finally:
                engine.dispose()
        except Exception as error:  # each driver has errors of its own
            why = " ".join(str(error).split())[:200]
            raise SourceDown(f"{self._name} gives no votes ({type(error).__name__}: {why})") from error
