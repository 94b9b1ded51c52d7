"""What a command prints is looked at once more on its way out: nothing of it is an order to a terminal."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Generator, Iterable
from typing import Any, TextIO, cast

from checkpoints.text import clean


@contextlib.contextmanager
def harmless() -> Generator[None]:
    """Whatever is written to stdout and stderr meanwhile is cleaned: names of files, arguments, messages of others too.

    The screen of the dashboard goes its own way, past both.
    """
    out, err = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = cast(TextIO, _Harmless(out)), cast(TextIO, _Harmless(err))
    try:
        yield
    finally:
        sys.stdout, sys.stderr = out, err


class _Harmless:
    """A stream that writes clean text and is the one below in all else."""

    def __init__(self, below: TextIO) -> None:
        self._below = below

    def write(self, text: str) -> int:
        self._below.write(clean(text))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._below, name)
