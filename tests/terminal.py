"""A program in a pseudo-terminal, with a screen behind it that a test can read."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path

import pexpect
import pyte
import pytest

ROOT = Path(__file__).parents[1]


class Terminal:
    """Runs a program as a terminal does."""

    def __init__(self, program: Sequence[str], columns: int = 120, rows: int = 40, **environment: str) -> None:
        self.screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self.screen)
        self.sent = b""
        self.child: pexpect.spawn[bytes] = pexpect.spawn(
            program[0], list(program[1:]), dimensions=(rows, columns), cwd=str(ROOT), timeout=30,
            env={**os.environ, "TERM": "xterm-256color", "LANG": "C.UTF-8", "PYTHONPATH": str(ROOT), **environment},
        )  # fmt: skip

    @property
    def text(self) -> str:
        """The screen's lines; of a wide character that was half drawn over, pyte's own ``display`` knows none."""
        cells, columns = self.screen.buffer, range(self.screen.columns)
        return "\n".join("".join(cells[row][column].data for column in columns) for row in range(self.screen.lines))

    def read(self, seconds: float) -> bytes:
        """Take what comes for so long; returns it."""
        end, got = time.monotonic() + seconds, b""
        while time.monotonic() < end:
            try:
                got += self.child.read_nonblocking(65536, timeout=max(0.01, end - time.monotonic()))
            except pexpect.TIMEOUT:
                break
            except pexpect.EOF:
                break
        self.sent += got
        self._stream.feed(got)
        return got

    def until(self, *texts: str, seconds: float = 30) -> None:
        """Read until all of that is on the screen."""
        end = time.monotonic() + seconds
        while not all(text in self.text for text in texts):
            if time.monotonic() > end:
                pytest.fail(f"{texts} did not come; on the screen:\n{self.text}")
            self.read(0.1)

    def press(self, *keys: str) -> None:
        """Type, one key after the other."""
        for key in keys:
            self.child.send(key)
            self.read(0.3)

    def ended(self, seconds: float = 30) -> int:
        """Read until the program ends; returns its exit status."""
        end = time.monotonic() + seconds
        while self.child.isalive():
            if time.monotonic() > end:
                pytest.fail(f"it did not end; on the screen:\n{self.text}")
            self.read(0.2)
        self.read(0.2)
        why = f"ended by signal {self.child.signalstatus}; on the screen:\n{self.text}"
        assert self.child.exitstatus is not None, why
        return self.child.exitstatus
