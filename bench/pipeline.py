"""How near the loop comes to its bound: 100 experiments through sleeping lanes, overlapped and in sequence.

    python -m bench.pipeline

The bound is the slowest lane alone, experiment after experiment. About eight minutes; every ten seconds it says how far
it is.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import tempfile
import time
from collections.abc import AsyncGenerator
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[1] / "tests")]

from sleeping import SleepingAnalyst, SleepingLane, drive

from checkpoints import writes
from checkpoints.records import ENDS, Lane, Proposal
from checkpoints.store import Store

EXPERIMENTS = 100
SECONDS = {Lane.TRAIN: 1.6, Lane.UPLOAD: 0.08, Lane.EVALUATE: 1.2, Lane.ANALYZE: 0.04}
"""About the proportions of the demo, ten times faster. One experiment ahead is enough for the bound as long as upload,
evaluation and verdict together take no longer than a training: a change is bound after a verdict that is due."""

TELL_SECONDS = 10.0


async def overlapped(folder: Path) -> float:
    """Seconds of the loop, from its first commit to its last."""
    with Store(folder) as store:
        began = time.monotonic()
        async with telling("overlapped", store):
            await drive(store, EXPERIMENTS, SECONDS)
        return time.monotonic() - began


async def in_sequence(folder: Path) -> float:
    """Seconds of the same lanes and the same commits, one stage after the other."""
    with Store(folder) as store:
        lanes = [SleepingLane(store, lane, SECONDS[lane]) for lane in (Lane.TRAIN, Lane.UPLOAD, Lane.EVALUATE)]
        analyst = SleepingAnalyst(SECONDS[Lane.ANALYZE])
        began = time.monotonic()
        async with telling("in sequence", store):
            for _ in range(EXPERIMENTS + 1):
                number = await store.do(writes.propose, Proposal("", "data", None, "bench"))
                for lane in lanes:
                    attempt = await store.do(writes.start_stage, number, lane.name, {})
                    stage = store.read.open_stage(lane.name)
                    assert stage
                    await store.do(writes.finish_stage, number, lane.name, attempt, await lane.run(stage), 0.0)
                attempt = await store.do(writes.start_stage, number, Lane.ANALYZE, {})
                verdict, standings = await analyst.judge(store.read.experiment(number))
                await store.do(writes.conclude, verdict, standings, False, attempt, 0.0)
        return time.monotonic() - began


@contextlib.asynccontextmanager
async def telling(what: str, store: Store) -> AsyncGenerator[None]:
    """Say at intervals how far it is."""

    async def tell() -> None:
        while True:
            await asyncio.sleep(TELL_SECONDS)
            print(f"  {what}: {store.read.count(*ENDS)} of {EXPERIMENTS + 1}", flush=True)

    task = asyncio.create_task(tell())
    try:
        yield
    finally:
        task.cancel()


def main() -> None:
    bound = (EXPERIMENTS + 1) * max(SECONDS.values())
    print(f"{EXPERIMENTS} experiments and the baseline; seconds a stage: { {str(k): v for k, v in SECONDS.items()} }")
    print(f"bound        {bound:7.2f} s   the slowest lane alone", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        loop = asyncio.run(overlapped(Path(folder) / "overlapped"))
        print(f"overlapped   {loop:7.2f} s   {bound / loop:.3f} of the bound (must: ≥ .97)", flush=True)
        sequence = asyncio.run(in_sequence(Path(folder) / "sequence"))
        print(f"in sequence  {sequence:7.2f} s   {bound / sequence:.3f} of the bound, {sequence / loop:.2f} × the loop")


if __name__ == "__main__":
    main()
