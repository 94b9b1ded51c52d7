"""Follows a file that others add lines to: whole lines only, from a place that can be kept and gone back to."""

from __future__ import annotations

import os
from pathlib import Path

MOST_BYTES = 4 * 2**20
"""Read at a time; a line that is longer is given out in parts, none of which can be read."""


class Lines:
    """Follows a file by inode and offset; one that was replaced or cut is read anew."""

    def __init__(self, path: Path, place: str = "") -> None:
        """Look at nothing yet.

        Args:
            path: Of the file, which need not be there.
            place: Where to go on, as ``place`` said; empty for the beginning.
        """
        self._path = path
        known = tuple(int(part) for part in place.split(":")) if place else ()
        self._inode, self._offset, self._number = known if len(known) == 3 else (0, 0, 0)

    @property
    def place(self) -> str:
        """Up to where the file was read."""
        return f"{self._inode}:{self._offset}:{self._number}"

    def new(self) -> list[tuple[int, bytes]]:
        """The lines that came since the last call, with their numbers from 1; empty ones are left out.

        Raises:
            OSError: The file is there and cannot be read.
        """
        try:
            with self._path.open("rb") as file:
                found = os.fstat(file.fileno())
                if found.st_ino != self._inode or found.st_size < self._offset:
                    self._inode, self._offset, self._number = found.st_ino, 0, 0
                file.seek(self._offset)
                text = file.read(MOST_BYTES)
        except FileNotFoundError:
            return []
        end = text.rfind(b"\n") + 1
        whole = text if not end and len(text) == MOST_BYTES else text[:end]
        lines = whole.split(b"\n")
        if whole.endswith(b"\n") or not whole:
            lines.pop()
        numbered = list(enumerate(lines, self._number + 1))
        self._offset += len(whole)
        self._number += len(lines)
        return [(number, line) for number, line in numbered if line.strip()]
