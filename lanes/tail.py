"""Reads what a worker writes while it writes: whole lines of its metrics, the last words of its log."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any, BinaryIO, cast

from checkpoints.records import Json
from checkpoints.text import clean

CHUNK = 256 * 1024
"""Most bytes that are read at once, so that nobody waits long."""

WORDS = 300
"""Most characters of a line that is quoted from a log."""


class Tail:
    """Follows a file of JSON objects, a line each, by inode and offset; one that was replaced or cut is read anew."""

    def __init__(self, path: Path) -> None:
        self.garbage = 0
        """Lines that were passed over because they are no JSON objects."""

        self._path = path
        self._inode = 0
        self._offset = 0

    def read(self) -> list[Json]:
        """The next whole lines, through the last newline that is there."""
        try:
            with self._path.open("rb") as file:
                text = self._next_lines(file)
        except FileNotFoundError:
            return []
        lines = [_object(line) for line in text.splitlines() if line.strip()]
        self.garbage += lines.count(None)
        return [line for line in lines if line is not None]

    def _next_lines(self, file: BinaryIO) -> bytes:
        found = os.fstat(file.fileno())
        if found.st_ino != self._inode or found.st_size < self._offset:
            self._inode, self._offset = found.st_ino, 0
        file.seek(self._offset)
        text = file.read(CHUNK)
        whole = text.rfind(b"\n") + 1
        if not whole and len(text) == CHUNK:
            whole = CHUNK  # a line longer than that is none of ours
        self._offset += whole
        return text[:whole]


def last_words(path: Path) -> str:
    """The last line of a log that says something, for a person: shortened, without control characters; may be empty."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 16 * 1024))
            text = file.read().decode(errors="replace")
    except OSError:
        return ""
    lines = (plain(line).removeprefix("| ") for line in reversed(re.split(r"[\r\n]+", text)))
    return next((line for line in lines if re.search(r"\w", line)), "")


def plain(text: str) -> str:
    """One line of foreign text without controls, shortened."""
    shown = " ".join(clean(text).split())
    return shown if len(shown) <= WORDS else shown[: WORDS - 1] + "…"


def _object(line: bytes) -> Json | None:
    try:
        found: Any = json.loads(line)
    except ValueError:
        return None
    return cast(Json, found) if isinstance(found, dict) else None
