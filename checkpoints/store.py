"""Durability: one writer thread with group commit over one SQLite file.

Every write is a function that takes the database (``checkpoints.writes``); those that wait together are committed
together, each in a savepoint of its own, so that one that fails takes no other along. A caller goes on when its write
is on the disk. A full disk or a locked file makes writers wait, not fail: nothing that was accepted is lost, and the
loop goes on by itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar

from checkpoints import copies, schema, strokes, trouble, writes
from checkpoints.ownership import LOCK, Held, Owner, StoreError, holder
from checkpoints.reader import DATABASE, Reader
from checkpoints.records import Level

if TYPE_CHECKING:
    from sqlite_utils import Database

__all__ = ["LOCK", "Held", "Owner", "Store", "StoreError", "holder", "take"]

T = TypeVar("T")
P = ParamSpec("P")

_BATCH = 256
_RETRY_SECONDS = 0.5
_WAITS = "; the run waits and goes on by itself"


def take(folder: Path, doing: str = "") -> tuple[Owner, sqlite3.Connection]:
    """Take a run and see that its store is whole; in whichever thread.

    Args:
        folder: Of the run.
        doing: What with, where it is not driven; see ``Owner``.

    Returns:
        The right to write, and the one connection that writes: for a ``Store``, whose writer thread has it to itself.

    Raises:
        Held: Another process owns it.
        StoreError: The file is damaged, foreign or of a newer version.
    """
    owner, path = Owner(folder, doing), folder / DATABASE
    try:
        return owner, _open(path)
    except schema.Damaged as error:
        owner.release()
        raise StoreError(f"{path}: {error}; {copies.way_back(folder)}") from error
    except schema.SchemaError as error:
        owner.release()
        raise StoreError(f"{path}: {error}") from error
    except sqlite3.DatabaseError as error:
        owner.release()
        raise StoreError(_why(path, error)) from error


def _open(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, timeout=5.0, check_same_thread=False)
    schema.check(connection)
    with ThreadPoolExecutor(1) as beside:  # reading all pages and importing take the same time
        pages = beside.submit(schema.check_pages, connection)
        schema.load()
        pages.result()
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}")
    schema.migrate(schema.database(connection))
    return connection


class Store:
    """The writer of a run: owns the lock, the writer thread, and a reader for the thread that opened it."""

    def __init__(
        self,
        folder: Path,
        on_commit: Callable[[int], None] | None = None,
        taken: tuple[Owner, sqlite3.Connection] | None = None,
    ) -> None:
        """Open or create the store of a run folder.

        Args:
            folder: Run folder; made if absent.
            on_commit: Called in the writer thread before (odd count) and after (even count) each commit.
            taken: What ``take`` returned, which takes a large run longer than an event loop can be without its thread.

        Raises:
            Held: Another process owns it.
            StoreError: The file is damaged, foreign or of a newer version.
        """
        self.folder = folder
        self.path = folder / DATABASE
        self.owner, connection = taken or take(folder)
        self.trouble = ""
        """Why writes are waiting right now (a full disk), for a person; empty while they do not."""
        self._on_commit = on_commit
        self._commits = 0
        self._listeners: list[Callable[[], None]] = []
        self._queue: queue.SimpleQueue[tuple[Callable[[Database], object], Future[object]] | None] = queue.SimpleQueue()
        self.read = Reader(folder)
        self._thread = threading.Thread(
            target=self._write_for_ever, args=(connection,), name="store-writer", daemon=True
        )
        self._thread.start()

    def listen(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Have ``listener`` called in the writer thread after each change; returns the call that ends it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    async def do(self, write: Callable[Concatenate[Database, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a write in the writer thread; returns its result when it is durable."""
        return await asyncio.wrap_future(self.submit(write, *args, **kwargs))

    def submit(self, write: Callable[Concatenate[Database, P], T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """The same for callers without an event loop: a future that is done when the write is durable."""
        future: Future[T] = Future()
        self._queue.put((lambda db: write(db, *args, **kwargs), future))  # type: ignore[arg-type]
        return future

    def close(self) -> None:
        """Finish the writes that were accepted, then let go of the run."""
        self.read.close()  # first: the writer is then the last to close, and SQLite makes one file of the run
        self._queue.put(None)
        self._thread.join()
        self.owner.release()

    async def leave(self) -> None:
        """``close`` for an event loop, which goes on while the last writes wait; ``trouble`` says what for."""
        with contextlib.suppress(StoreError):
            await self.do(lambda _: None)  # done when all before it are; until then the reader can be asked
        self.read.close()
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)
        self.owner.release()

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _write_for_ever(self, connection: sqlite3.Connection) -> None:
        db = schema.database(connection)
        while (first := self._queue.get()) is not None:
            batch, last = [first], False
            while len(batch) < _BATCH:
                try:
                    item = self._queue.get_nowait()
                except queue.Empty:
                    break
                if item is None:
                    last = True
                    break
                batch.append(item)
            self._commit_until_done(db, batch)
            if last:
                break
        connection.close()

    def _commit_until_done(
        self, db: Database, batch: list[tuple[Callable[[Database], object], Future[object]]]
    ) -> None:
        batch = [(write, future) for write, future in batch if future.set_running_or_notify_cancel()]
        if not batch:
            return
        began, changes = time.monotonic(), db.conn.total_changes
        while (outcomes := self._try(db, [write for write, _ in batch])) is None:
            self._tell()
            time.sleep(_RETRY_SECONDS)
        if self.trouble:
            waited = f"waited {time.monotonic() - began:.0f} s to write, nothing is lost: {self.trouble}"
            self.submit(writes.event, Level.WARNING, "run", waited.removesuffix(_WAITS))
            self.trouble = ""
        for (_, future), outcome in zip(batch, outcomes, strict=True):
            if isinstance(outcome, _Failed):
                future.set_exception(outcome.error)
            else:
                future.set_result(outcome)
        if db.conn.total_changes != changes:
            self._tell()

    def _try(self, db: Database, steps: list[Callable[[Database], object]]) -> list[object] | None:
        """What came of each write; None where the reason in ``trouble`` may pass and nothing was written."""
        try:
            return self._commit(db, steps)
        except sqlite3.Error as error:
            if not trouble.can_pass(error):
                reason = _why(self.path, error)
                return [_Failed(StoreError(reason)) for _ in steps]
            self.trouble = trouble.why(self.path, error) + _WAITS
            return None

    def _commit(self, db: Database, steps: list[Callable[[Database], object]]) -> list[object]:
        """One transaction for all writes; what disk or lock refuse is raised, what a write gets wrong is returned."""
        connection = db.conn
        outcomes: list[object] = []
        try:
            connection.execute("BEGIN IMMEDIATE")
            for write in steps:
                connection.execute("SAVEPOINT one")
                try:
                    outcomes.append(write(db))
                    connection.execute("RELEASE one")
                except Exception as error:
                    if isinstance(error, sqlite3.Error) and (trouble.can_pass(error) or trouble.is_damage(error)):
                        raise
                    outcomes.append(_undo(connection, error))
            self._count_commit()
            strokes.commit(connection)
            self._count_commit()
            return outcomes
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            raise

    def _count_commit(self) -> None:
        self._commits += 1
        if self._on_commit:
            self._on_commit(self._commits)

    def _tell(self) -> None:
        for listener in tuple(self._listeners):
            listener()


class _Failed:
    """A write that raised: its error goes to its caller alone."""

    def __init__(self, error: Exception) -> None:
        self.error = error


def _why(path: Path, error: sqlite3.Error) -> str:
    """What is wrong with a store, and which copy of a damaged one there is."""
    more = f"; {copies.way_back(path.parent)}" if trouble.is_damage(error) else ""
    return trouble.why(path, error) + more


def _undo(connection: sqlite3.Connection, error: Exception) -> _Failed:
    connection.execute("ROLLBACK TO one")
    connection.execute("RELEASE one")
    return _Failed(error)
