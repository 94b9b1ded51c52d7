"""What the doctor's look at a run of 10,000 experiments and 1,000,000 metric rows takes, and a copy of its store.

    python -m bench.checkup

A copy is made in a thread beside an event loop, as a run makes it, while a process of its own commits twice a second;
how long the loop was held up is printed, too. Two minutes, and some seconds more the first time, when the run is made.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from bench.parts import large_run
from bench.parts.writer import writer
from checkpoints.copies import keep_copy, way_back
from checkpoints.reader import DATABASE, Reader
from runner.checkup.database import complaints
from runner.checkup.findings import check_up
from runner.checkup.laws import broken

RUNS = 5
TICK_SECONDS = 0.01


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        large_run.lay_down(folder)
        print(f"{large_run.EXPERIMENTS:,} experiments, {(folder / DATABASE).stat().st_size / 2**20:.0f} MB", flush=True)
        with writer(folder, "large") as writing:
            writing.tell("go")
            copied, held_up = zip(*(asyncio.run(copy(folder)) for _ in range(RUNS)), strict=True)
        say("a copy, while another process commits", copied)
        print(f"  the event loop beside it stood still for {1000 * max(held_up):.0f} ms at most", flush=True)
        say("which copy can be put back", timed(lambda: way_back(folder)))
        say("pages, indexes and references (integrity_check)", timed(lambda: complaints(folder)))
        with closing(Reader(folder)) as read:
            say("the laws", timed(lambda: broken(read)))
        say("all that the doctor looks at in a run", timed(lambda: check_up(folder)))


async def copy(folder: Path) -> tuple[float, float]:
    """Seconds of a copy, and the longest that the event loop could do nothing meanwhile."""
    began = before = time.monotonic()
    longest = 0.0
    making = asyncio.create_task(asyncio.to_thread(keep_copy, folder, time.time()))
    while not making.done():
        await asyncio.sleep(TICK_SECONDS)
        now = time.monotonic()
        longest, before = max(longest, now - before - TICK_SECONDS), now
    await making
    return time.monotonic() - began, longest


def timed(what: Callable[[], object]) -> list[float]:
    """Seconds of each of some runs."""
    found: list[float] = []
    for _ in range(RUNS):
        began = time.monotonic()
        what()
        found.append(time.monotonic() - began)
    return found


def say(what: str, seconds: list[float] | tuple[float, ...]) -> None:
    """One line: the median, and the slowest."""
    print(
        f"{what}: median {statistics.median(seconds):.2f} s, slowest {max(seconds):.2f} s of {len(seconds)}", flush=True
    )


if __name__ == "__main__":
    main()
