"""A script's output as a person reads it: the last state of each line, bounded, whatever it prints."""

from __future__ import annotations

import codecs
import re
from collections import deque
from pathlib import Path

from checkpoints.text import clean

LINES = 50
"""Lines of the end that are handed on after a crash."""

WIDTH = 4000
"""Characters of a line; what is longer is cut."""

HEAD, TAIL = 4 << 20, 4 << 20
"""Bytes of the beginning and of the end that are kept; between them a line says how much is missing."""

GAP = "[… {} lines left out …]"


class Screen:
    """Takes output as it comes. A carriage return takes a line back to its beginning, as it does in a terminal."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._line = ""
        self._before = ""
        """What a carriage return has taken back; it stays unless something comes in its place."""

        self._head: list[str] = []
        self._head_bytes = 0
        self._tail: deque[str] = deque()
        self._tail_bytes = 0
        self._left_out = 0

    def feed(self, data: bytes) -> list[str]:
        """Take the next bytes, wherever they were cut; returns the lines that they finished."""
        finished: list[str] = []
        for piece in re.split(r"(\n|\r)", self._decoder.decode(data)):
            if piece == "\n":
                finished.append(self._finish())
            elif piece == "\r":
                self._before, self._line = self._line or self._before, ""
            else:
                self._line = (self._line + piece)[:WIDTH]
        return finished

    @property
    def is_full(self) -> bool:
        """Whether the beginning has all that is kept of it."""
        return bool(self._tail)

    @property
    def is_cut(self) -> bool:
        """Whether lines between the beginning and the end were left out."""
        return self._left_out > 0

    def text(self) -> str:
        """All lines, the one that goes on with them."""
        gap = [GAP.format(f"{self._left_out:,}")] if self._left_out else []
        return "".join(f"{line}\n" for line in (*self._head, *gap, *self._tail, *self._unfinished()))

    def tail(self, lines: int = LINES) -> str:
        """The last lines."""
        kept = [*self._head, *self._tail] if not self._left_out else list(self._tail)
        return "\n".join([*kept, *self._unfinished()][-lines:])

    @property
    def current(self) -> str:
        """The line that goes on, as it is now; where there is none, the last one."""
        lines = self._unfinished() or list(self._tail)[-1:] or self._head[-1:]
        return lines[0] if lines else ""

    def _unfinished(self) -> list[str]:
        line = clean(self._line or self._before)
        return [line] if line else []

    def _finish(self) -> str:
        line, self._line, self._before = clean(self._line or self._before).rstrip(), "", ""
        length = len(line.encode()) + 1
        if not self._tail and self._head_bytes + length <= HEAD:
            self._head.append(line)
            self._head_bytes += length
            return line
        self._tail.append(line)
        self._tail_bytes += length
        while self._tail_bytes > TAIL:
            self._tail_bytes -= len(self._tail.popleft().encode()) + 1
            self._left_out += 1
        return line


def read(path: Path, most: int = 64 << 20) -> str:
    """A log that a script wrote itself, as a person reads it; of a very long one its end.

    Args:
        path: Of the log; where there is none, nothing is read.
        most: Bytes of its end.
    """
    screen = Screen()
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - most))
            while data := file.read(1 << 20):
                screen.feed(data)
    except OSError:
        return ""
    return screen.text()
