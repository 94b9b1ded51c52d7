"""A run's database: ours, of this version, every page and index as it was written; and the copies of it."""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from checkpoints.copies import copies, last_good, way_back
from checkpoints.reader import DATABASE, connected
from checkpoints.remains import remains
from checkpoints.store import StoreError
from checkpoints.visitor import Damaged, Outdated, check
from runner.findings import Finding

_OF_AN_INDEX = re.compile(r"missing from index|wrong # of entries in index|non-unique entry in index|NULL value in")

_MOST = 20
"""Complaints of SQLite's that are asked for."""


def complaints(run: Path) -> list[str]:
    """What SQLite finds wrong with the file, a line each; more than a start looks for: indexes and references, too."""
    try:
        with closing(connected(run / DATABASE)) as connection:
            found: list[str] = [row[0] for row in connection.execute(f"PRAGMA integrity_check({_MOST})")]
            lost = [f"a row of {row[0]} is of a row of {row[2]} that is gone" for row in _strays(connection)]
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        return [str(error)]
    return [line for line in (*found, *lost) if line != "ok"]


def is_of_an_index(complaint: str) -> bool:
    """Whether an index alone is wrong, which can be built anew from its table."""
    return bool(_OF_AN_INDEX.search(complaint))


def unusable(run: Path, error: StoreError) -> Finding:
    """A store that cannot be read, and what to do: an older one is brought up to date, a damaged one has copies."""
    if isinstance(error, Damaged):
        return Finding("store", "missing", error.what, error.way_back)
    return Finding("store", "missing", str(error), "" if isinstance(error, Outdated) else way_back(run))


def database_findings(run: Path) -> Iterator[Finding]:
    """The database, and the copies of it."""
    path = run / DATABASE
    if not path.exists() and (left := remains(path)):
        what = f"{path} is gone, but a run was here: it left {', '.join(left)}"
        yield Finding("store", "missing", what, way_back(run))
        return
    try:
        check(run)
    except StoreError as error:
        yield unusable(run, error)
        return
    wrong = complaints(run)
    if not wrong:
        yield Finding("store", "ok", f"{path} is whole, {path.stat().st_size / 2**20:.1f} MB")
    elif all(map(is_of_an_index, wrong)):
        remedy = f"autoresearch-tui doctor --repair {run} builds its indexes anew; nothing is lost"
        yield Finding("store", "missing", f"{path}: {_first(wrong)}", remedy)
    else:
        yield Finding("store", "missing", f"{path} is damaged: {_first(wrong)}", way_back(run))
    yield _copies(run)


def _copies(run: Path) -> Finding:
    found = last_good(run)
    if found is None:
        damaged = len(copies(run))
        what = f"none of the {damaged} copies of the store is whole" if damaged else "no copy of the store yet"
        return Finding("copies", "warn", what, "one is made each day while the run goes on, and at a clean end")
    copy, has = found
    at = copy.stat().st_mtime
    what = f"{copy}, of {time.strftime('%Y-%m-%d %H:%M UTC', time.gmtime(at))}, has {has}"
    return Finding("copies", "ok", what)


def _strays(connection: sqlite3.Connection) -> list[tuple[str, int, str, int]]:
    return connection.execute("PRAGMA foreign_key_check").fetchmany(_MOST)


def _first(lines: list[str]) -> str:
    more = f" (and {len(lines) - 1} more)" if len(lines) > 1 else ""
    return " ".join(lines[0].split()) + more
