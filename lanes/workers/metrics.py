"""The stream of what a worker logs: one JSON object a line, whole lines only."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Mapping
from pathlib import Path


class Metrics:
    """Appends to ``metrics.jsonl``; each line is one write, so that a reader never finds half of one for long."""

    def __init__(self, path: Path) -> None:
        _cut_half_line(path)
        self._path = path
        self._file = path.open("ab", buffering=0)

    def note(self, doing: str) -> None:
        """A sign of life: what the worker is at, in a few words."""
        self._write({"phase": "note", "doing": doing, "time": time.time()})

    def log(self, phase: str, step: int, of: int, values: Mapping[str, object]) -> None:
        """Numbers of one step; those that are not finite are left out.

        Args:
            phase: ``train`` or ``eval``.
            step: Optimiser steps done.
            of: Steps in all.
            values: By TRL's own names.
        """
        finite = {name: float(v) for name, v in values.items() if isinstance(v, int | float) and math.isfinite(v)}
        self._write({"phase": phase, "step": step, "of": of, "time": time.time(), "values": finite})

    def _write(self, line: Mapping[str, object]) -> None:
        if not self._is_in_place():  # somebody rotates logs here: whoever reads looks at the name
            self._file.close()
            self._file = self._path.open("ab", buffering=0)
        rest = (json.dumps(line, allow_nan=False) + "\n").encode()
        while rest:  # where there is room for half a line, half is written; going on then says why not all of it was
            rest = rest[self._file.write(rest) or 0 :]

    def _is_in_place(self) -> bool:
        try:
            return os.path.samestat(self._path.stat(), os.fstat(self._file.fileno()))
        except FileNotFoundError:
            return False


def _cut_half_line(path: Path) -> None:
    """Drop what a killed worker left after the last newline; readers stop there anyway."""
    if not path.exists():
        return
    with path.open("rb+") as file:
        text = file.read()
        file.truncate(text.rfind(b"\n") + 1)
