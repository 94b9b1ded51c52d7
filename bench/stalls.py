"""What a locked database or a full disk does to an event loop and to what was acknowledged: ours beside its peers.

    python -m bench.stalls

Each writes a hundred records a second or so and ticks two hundred times meanwhile, ours in a run whose lanes sleep.
From outside its database is locked for a second, ten times; once for eight; and its disk, a small tmpfs, is full for
five. DBOS and Optuna are those of ``bench.survivors``, plain sqlite3 is the standard library's, called from the loop.
What cannot be installed or mounted here is left out with a line. About five minutes; the exit status is 1 when ours
stalls for 50 ms (p99), loses an acknowledged record, or does not go on by itself.
"""

from __future__ import annotations

import json
import math
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import pytest
from small_disk import SmallDisk, mounted

from bench.parts.enduring import Endured
from bench.parts.survivors import PYTHON, peers
from checkpoints.reader import DATABASE

MUST_SECONDS = 0.05

FIRST_SECONDS, AFTER_SECONDS = 1.0, 3.0
"""Before the first fault, and after the last."""

DISK_MEGABYTES = 24

PIPES = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}


@dataclass(frozen=True, slots=True)
class Writer:
    """A program that writes records."""

    name: str
    python: str
    module: str
    database: str
    """Name of its file."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is done to a database from outside."""

    name: str
    times: int = 0
    seconds: float = 1.0
    """Of each, and of the rest between two."""

    full: bool = False
    """The disk is full; else the database is locked."""

    @property
    def lasts(self) -> float:
        """Seconds, from before the first to after the last."""
        return FIRST_SECONDS + 2 * self.times * self.seconds + AFTER_SECONDS


FAULTS = (
    Fault("nothing"), Fault("locked for 1 s, 10 times", 10), Fault("locked for 8 s", 1, 8.0),
    Fault("disk full for 5 s", 1, 5.0, full=True),
)  # fmt: skip


def main() -> int:
    """Measure one fault after the other, and print a line for each program."""
    others = peers()
    writers = [
        Writer("ours", sys.executable, "enduring_ours", DATABASE),
        Writer("plain sqlite3", sys.executable, "enduring_plain", "plain.sqlite"),
        *(Writer(name, PYTHON, f"enduring_{package}", f"{package}.sqlite") for package, name in others.items()),
    ]
    harmed = False
    print(f"{'':18}{'ticks late: p50':>16}{'p99':>10}{'at most':>10}{'records':>9}{'after':>7}{'lost':>6}")
    for fault in FAULTS:
        print(fault.name, flush=True)
        for writer in writers:
            try:
                found, after = endured(writer, fault)
            except pytest.skip.Exception as why:
                print(f"  is left out: {why}")
                break
            print(line(writer, found, after), flush=True)
            if writer.name == "ours":
                harmed |= p99(found) > MUST_SECONDS or bool(found.missing or found.failed) or not after
    return 1 if harmed else 0


def line(writer: Writer, found: Endured, after: int) -> str:
    """Of the table, and what the program said or ended with."""
    times = (f"{1000 * time:7.0f} ms" for time in (statistics.median(found.late), p99(found), max(found.late)))
    counts = f"{len(found.acknowledged):9}{after:7}{found.missing:6}"
    last = [found.failed] if found.failed else [*dict.fromkeys(found.said[:1] + found.said[-1:])]
    said = "".join(f"\n    {text[:110]}" for text in last)
    return f"  {writer.name:18}{''.join(times):>34}{counts}{said}"


def p99(found: Endured) -> float:
    """The 99th percentile of a tick's lateness, in seconds."""
    return sorted(found.late)[math.ceil(0.99 * len(found.late)) - 1]


def endured(writer: Writer, fault: Fault) -> tuple[Endured, int]:
    """Have a program write under a fault; returns what it went through, and its records after the last fault."""
    with tempfile.TemporaryDirectory() as name, place(Path(name), fault) as disk:
        command = [writer.python, "-m", f"bench.parts.{writer.module}", str(disk.folder), str(fault.lasts)]
        with subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as process:
            assert process.stdout
            if process.stdout.readline().strip() != "ready":
                raise SystemExit(f"{writer.name} has ended before it wrote anything")
            time.sleep(FIRST_SECONDS)
            for _ in range(fault.times):
                strike(fault, disk, disk.folder / writer.database)
                over = time.monotonic()
                time.sleep(fault.seconds)
            found = Endured(**json.loads(process.stdout.readline()))
    return found, sum(at > over for at in found.acknowledged) if fault.times else len(found.acknowledged)


def strike(fault: Fault, disk: SmallDisk, database: Path) -> None:
    """Take the room or the database away for as long as the fault says."""
    if fault.full:
        disk.fill()
        time.sleep(fault.seconds)
        disk.make_room()
        return
    with closing(sqlite3.connect(database, isolation_level=None, timeout=30)) as other:
        other.execute("BEGIN EXCLUSIVE")
        time.sleep(fault.seconds)
        other.execute("ROLLBACK")


@contextmanager
def place(folder: Path, fault: Fault) -> Iterator[SmallDisk]:
    """Where the database lies: on a disk of its own where that is to be full."""
    if fault.full:
        with contextmanager(mounted)(folder / "disk", DISK_MEGABYTES) as disk:
            yield disk
    else:
        yield SmallDisk(folder)


if __name__ == "__main__":
    sys.exit(main())
