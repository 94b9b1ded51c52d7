"""How long a run of 10,000 experiments and 1,000,000 metric rows takes to go on.

    python -m bench.resume

The lanes sleep; the store, the memory, the playbook and the loop are the real ones. Whoever had the run before was
killed with SIGKILL. Three minutes, and some seconds more the first time, when the run is made.
"""

from __future__ import annotations

import asyncio
import math
import os
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[1] / "tests")]

RUNS = 100


def go_on(folder: Path) -> None:
    """In a process of its own: take the run up and print the time when a new training has begun."""
    from sleeping import drive

    from checkpoints.records import Lane
    from checkpoints.store import Store

    async def until_training() -> None:
        with Store(folder) as store:
            known = store.read.count()
            loop = asyncio.create_task(drive(store, known + 2, {lane: 60.0 for lane in Lane}))
            while not (stage := store.read.open_stage(Lane.TRAIN)) or stage.experiment < known:
                await asyncio.sleep(0.002)
                if loop.done():
                    raise SystemExit(f"the loop ended before a training began: {loop.exception()}")
            print(time.time(), flush=True)
            with sqlite3.connect(store.path) as other:  # whose foreign keys are not looked at: that takes seconds
                other.execute("DELETE FROM stages WHERE experiment >= ?", [known])
                other.execute("DELETE FROM hypotheses")
                other.execute("DELETE FROM zoom_outs")
                other.execute("DELETE FROM experiments WHERE number >= ?", [known])
            os.kill(os.getpid(), signal.SIGKILL)

    asyncio.run(until_training())


def main() -> None:
    if len(sys.argv) > 1:
        go_on(Path(sys.argv[1]))
        return
    from sleeping import program

    from bench.parts.large_run import EXPERIMENTS, ROWS_EACH, lay_down

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lay_down(folder)
        assert program(folder, 1)
        size = (folder / "run.db").stat().st_size / 2**20
        print(f"{EXPERIMENTS:,} experiments, {EXPERIMENTS * ROWS_EACH:,} metric rows, {size:.0f} MB", flush=True)
        times: list[float] = []
        for _ in range(RUNS):
            began = time.time()
            done = subprocess.run([sys.executable, __file__, name], capture_output=True, text=True)
            if done.returncode != -signal.SIGKILL:
                raise SystemExit(f"it ended with {done.returncode} before a training began: {done.stderr}")
            times.append(float(done.stdout) - began)
    p99 = sorted(times)[math.ceil(0.99 * RUNS) - 1]
    print(f"start to a new training: median {statistics.median(times):.2f} s, p99 {p99:.2f} s", end=", ")
    print(f"slowest {max(times):.2f} s of {RUNS} (must: p99 < 2 s)")


if __name__ == "__main__":
    main()
