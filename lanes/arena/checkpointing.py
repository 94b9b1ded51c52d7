"""Moves what was written from the ledger's log into its tables beside the writer, who would wait for it otherwise.

SQLite does it in the commit that finds the log long: with a million votes that commit, and every vote behind it, takes
a fifth of a second. From another connection it holds no writer up. A log that is never read to its end grows, so that
the writer is told to begin it anew when there is little left to move.
"""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

LOOK_SECONDS = 0.2
"""How often the log is looked at."""

LONG = 1_000_000
"""Bytes of log that are worth moving."""

TOO_LONG = 32_000_000
"""Bytes after which it is begun anew."""


class Checkpointer:
    """A thread with a connection of its own, for as long as the service writes."""

    def __init__(self, path: Path) -> None:
        """Begin.

        Args:
            path: Of the ledger's file.
        """
        self.is_too_long = False
        """Whether the writer should begin the log anew before it writes on."""

        self._path, self._log = path, path.with_name(f"{path.name}-wal")
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._move_for_ever, name="ledger-checkpointer", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop; what is in the log is read from there."""
        self._end.set()
        self._thread.join()

    def _move_for_ever(self) -> None:
        connection = sqlite3.connect(self._path, isolation_level=None)
        try:
            moved = 0
            while not self._end.wait(LOOK_SECONDS):
                size = self._size()
                if abs(size - moved) < LONG and size < TOO_LONG:
                    continue
                try:
                    connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
                except sqlite3.Error:
                    continue  # a full disk: the writer says so, and it is tried again
                moved, self.is_too_long = size, size >= TOO_LONG
        finally:
            connection.close()

    def _size(self) -> int:
        try:
            return self._log.stat().st_size
        except OSError:
            return 0
