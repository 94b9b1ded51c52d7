"""The small job that is killed: experiments of three stages, each with an effect that only a file outside tells of.

Nothing but the standard library is imported: each program that is compared does this job in its own environment.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

STAGES = {"train": 0.06, "upload": 0.02, "evaluate": 0.04}
"""Seconds of work, in their order."""

LEDGER = "ledger"

Step = tuple[int, str]
"""A stage of an experiment."""


@dataclass(frozen=True, slots=True)
class Line:
    """What the ledger says."""

    at: float
    """Monotonic: one clock for all processes since the machine was started."""

    what: str
    """begun or done."""

    step: Step


def note(folder: Path, what: str, experiment: int, stage: str) -> None:
    """Append a line; it is whole or not there, and no later death of the process takes it back."""
    handle = os.open(folder / LEDGER, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(handle, f"{time.monotonic()} {what} {experiment} {stage}\n".encode())
    finally:
        os.close(handle)


def work(folder: Path, experiment: int, stage: str) -> None:
    """Do a stage: take its time, then have its effect."""
    note(folder, "begun", experiment, stage)
    time.sleep(STAGES[stage])
    note(folder, "done", experiment, stage)


def lines(folder: Path) -> list[Line]:
    """All that the ledger says so far."""
    try:
        text = (folder / LEDGER).read_text(encoding="ascii")
    except FileNotFoundError:
        return []
    return [
        Line(float(at), what, (int(number), stage)) for at, what, number, stage in map(str.split, text.splitlines())
    ]


def lost(folder: Path, experiments: int) -> int:
    """Experiments that lack an effect."""
    done = {line.step for line in lines(folder) if line.what == "done"}
    return sum(any((number, stage) not in done for stage in STAGES) for number in range(experiments))


def again(found: list[Line]) -> list[Line]:
    """Effects that had come before."""
    seen, twice = set[Step](), list[Line]()
    for line in found:
        if line.what == "done":
            twice += [line] if line.step in seen else []
            seen.add(line.step)
    return twice


def under_way(found: list[Line]) -> set[int]:
    """Experiments that were begun and whose last stage is not done."""
    last = list(STAGES)[-1]
    over = {line.step[0] for line in found if line.step[1] == last and line.what == "done"}
    return {line.step[0] for line in found} - over
