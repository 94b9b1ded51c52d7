"""Our loop with sleeping lanes and records of somebody else: ``python -m bench.parts.enduring_ours FOLDER SECONDS``."""

from __future__ import annotations

import asyncio
import itertools
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from sleeping import drive

from bench.parts.enduring import Endured, endure
from checkpoints import writes
from checkpoints.records import Change, Lane, Level, Proposal
from checkpoints.store import Store
from runner.agent.categories import category_of
from runner.agent.memory import Memory
from runner.agent.playbook import Playbook

SECONDS = {Lane.TRAIN: 0.08, Lane.UPLOAD: 0.016, Lane.EVALUATE: 0.04, Lane.ANALYZE: 0.016}
"""A passage through each lane."""


RANK = "lora.r"


class Counting(Playbook):
    """Proposes one rank after the other: what it takes to think is measured elsewhere."""

    def __init__(self) -> None:
        self._ranks = itertools.count(1)

    async def propose(self, memory: Memory) -> Proposal:
        old = memory.recipe["lora"]["r"]
        new = next(rank for rank in self._ranks if rank != old)
        return Proposal(f"rank {new} is better", category_of(RANK), Change(RANK, old, new), self.name)


async def main(folder: Path, seconds: float) -> Endured:
    """Endure it."""
    with Store(folder) as store:
        said = dict[str, None]()
        store.listen(lambda: said.setdefault(store.trouble))
        going = asyncio.create_task(drive(store, 100_000, SECONDS, proposer=Counting()))
        found = await endure(lambda number: store.do(writes.event, Level.INFO, "bench", f"record {number}"), seconds)
        if going.done():
            found.failed = f"the loop ended: {going.exception()}"
        going.cancel()
        await asyncio.wait([going])
        there = {event.text for event in store.read.events()}
        found.missing = sum(f"record {number}" not in there for number in range(len(found.acknowledged)))
        waited = (event.text for event in store.read.events() if event.text.startswith("waited "))
        found.said = [*filter(None, said), *waited]
    return found


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), float(sys.argv[2]))).tell()
