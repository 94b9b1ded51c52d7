"""The ledger's tables, and how its file is opened: durable, readable by its owner only, refused where it is foreign."""

from __future__ import annotations

import contextlib
import os
import secrets
import sqlite3
from collections.abc import Iterable
from pathlib import Path

from checkpoints import strokes

LEDGER = "ledger.db"

APPLICATION_ID = 0x41525641
"""``ARVA`` in the header of the file: tells a ledger from a run's store and from a foreign file."""

VERSION = 2

BUSY_SECONDS = 5.0
"""How long a write waits for one of another process."""

SECRET_BYTES = 32

_TABLES = (
    """
    CREATE TABLE lineup (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        text TEXT NOT NULL
    )
    """,
    "CREATE TABLE models (name TEXT PRIMARY KEY) WITHOUT ROWID",
    """
    CREATE TABLE battles (
        id TEXT PRIMARY KEY,
        experiment INTEGER NOT NULL,
        test INTEGER NOT NULL,
        prompt TEXT NOT NULL,
        messages TEXT NOT NULL,
        model_a TEXT NOT NULL,
        model_b TEXT NOT NULL,
        answer_a TEXT NOT NULL,
        answer_b TEXT NOT NULL,
        source TEXT NOT NULL CHECK (source IN ('heldout', 'product', 'attention')),
        consent INTEGER NOT NULL,
        simulated INTEGER NOT NULL,
        made_at REAL NOT NULL,
        closed INTEGER NOT NULL
    )
    """,
    "CREATE INDEX battles_open ON battles (experiment, test) WHERE NOT closed",
    """
    CREATE TABLE ballots (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        key TEXT NOT NULL UNIQUE,
        battle TEXT,
        source TEXT NOT NULL CHECK (source IN ('heldout', 'product', 'attention', 'report')),
        prompt TEXT NOT NULL,
        model_a TEXT NOT NULL,
        model_b TEXT NOT NULL,
        experiment INTEGER,
        test INTEGER NOT NULL,
        voter TEXT NOT NULL,
        choice TEXT NOT NULL CHECK (choice IN ('a', 'tie', 'b')),
        comment TEXT NOT NULL,
        seconds REAL,
        consent INTEGER NOT NULL,
        simulated INTEGER NOT NULL,
        at REAL NOT NULL,
        UNIQUE (voter, battle)
    )
    """,
    # A product's votes are many and nobody counts them by battle.
    "CREATE INDEX ballots_of_pair ON ballots (battle) WHERE source = 'heldout'",
    """
    CREATE TABLE voters (
        name TEXT PRIMARY KEY,
        token_sha256 BLOB NOT NULL UNIQUE,
        invited_at REAL NOT NULL,
        last_at REAL
    )
    """,
    """
    CREATE TABLE exposures (
        experiment INTEGER NOT NULL,
        model TEXT NOT NULL,
        answers INTEGER NOT NULL,
        errors INTEGER NOT NULL,
        refusals INTEGER NOT NULL,
        characters INTEGER NOT NULL,
        seconds REAL NOT NULL,
        PRIMARY KEY (experiment, model)
    ) WITHOUT ROWID
    """,
)

_SINCE_1 = (
    "ALTER TABLE exposures ADD COLUMN begun INTEGER NOT NULL DEFAULT 0",
    "CREATE TABLE secret (one INTEGER PRIMARY KEY CHECK (one = 1), bytes BLOB NOT NULL)",
    # Their names told which models they compare.
    "UPDATE battles SET closed = 1 WHERE source = 'heldout'",
)


class LedgerError(Exception):
    """The file is no ledger of ours, or cannot be opened; the message says what to do."""


def connect(folder: Path) -> sqlite3.Connection:
    """Open the ledger of an arena's folder, or make it.

    Raises:
        LedgerError: The file belongs to something else, was written by a newer version, or cannot be opened.
    """
    path = folder / LEDGER
    try:
        _make_private(path)
        connection = sqlite3.connect(path, isolation_level=None, timeout=BUSY_SECONDS, check_same_thread=False)
        try:
            _prepare(connection, path)
        except BaseException:
            connection.close()
            raise
    except (sqlite3.Error, OSError) as error:
        raise LedgerError(f"{path} cannot be opened ({error}): see that its folder can be written") from error
    return connection


def _make_private(path: Path) -> None:
    """Make an empty file that nobody else can read, where there is none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # Only a file that is not there is opened here: to close one that SQLite has open would drop SQLite's locks.
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    if _kind(connection) != (APPLICATION_ID, VERSION):
        _make_tables(connection, path)


def _make_tables(connection: sqlite3.Connection, path: Path) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        match _kind(connection):
            case (0, 0) if not connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchall():
                _change(connection, (*_TABLES, *_SINCE_1))
                connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            case (kind, 1) if kind == APPLICATION_ID:
                _change(connection, _SINCE_1)
            case (kind, version) if kind == APPLICATION_ID and version > VERSION:
                raise LedgerError(f"{path} is of version {version}, this program knows {VERSION}: update it")
            case found if found == (APPLICATION_ID, VERSION):
                pass  # another process was first
            case _:
                raise LedgerError(f"{path} is no ledger of an arena: move it away")
        strokes.commit(connection)
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _change(connection: sqlite3.Connection, statements: Iterable[str]) -> None:
    for statement in statements:
        connection.execute(statement)
    connection.execute("INSERT INTO secret VALUES (1, ?)", [secrets.token_bytes(SECRET_BYTES)])
    connection.execute(f"PRAGMA user_version = {VERSION}")


def _kind(connection: sqlite3.Connection) -> tuple[int, int]:
    """Application id and version, as the file's header has them."""
    kind = connection.execute("PRAGMA application_id").fetchall()[0][0]
    return kind, connection.execute("PRAGMA user_version").fetchall()[0][0]
