"""How fast the lane takes the arena's ballots into the run's store, and how long the event loop stands still for it.

Run: ``python -m bench.intake``. Must: 2,000 votes a second and more. A product's votes on 40,000 battles of its own;
the loop is that of the dashboard, where the runner is embedded in it.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from pathlib import Path

from checkpoints import writes
from checkpoints.records import Choice, Proposal
from checkpoints.store import Store
from lanes.arena.ballots import Ballot, Pair, Source
from lanes.arena.ledger import Ledger
from lanes.arena_desk import ARENA, ArenaDesk
from lanes.arena_votes import Intake
from lanes.launch import LocalProcess
from lanes.order import ArenaOrder

PULSE_SECONDS = 0.005


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--votes", type=int, default=40_000)
    asyncio.run(_take(parser.parse_args().votes))


async def _take(votes: int) -> None:
    with tempfile.TemporaryDirectory() as name, Store(Path(name)) as store:
        for number in range(2):
            await store.do(writes.propose, Proposal(f"idea {number}", "data", None, "program"))
        with Ledger(store.folder / ARENA) as ledger:
            ledger.add_pairs(_pair(number) for number in range(votes))
            ledger.add_ballots([_ballot(number) for number in range(votes)])
        desk = ArenaDesk(store.folder / ARENA, ArenaOrder(), LocalProcess(), store.owner.path)
        late: list[float] = []
        pulse = asyncio.create_task(_pulse(late))
        began, used = time.monotonic(), time.process_time()
        taken = await Intake(store, desk, print).take()
        wall, processor = time.monotonic() - began, time.process_time() - used
        pulse.cancel()
        await desk.leave()
        assert taken == len(store.read.votes(1)) == votes
    late.sort()
    print(
        f"taken in   {taken / wall:8,.0f} votes/s (must: ≥ 2,000); {taken / processor:,.0f} a second of processor time"
    )
    worst = f"99 % under {1e3 * late[int(0.99 * len(late))]:.0f} ms, at most {1e3 * late[-1]:.0f} ms"
    print(f"event loop {1e3 * statistics.median(late):8.1f} ms late (median); {worst}")


async def _pulse(late: list[float]) -> None:
    while True:
        began = time.monotonic()
        await asyncio.sleep(PULSE_SECONDS)
        late.append(time.monotonic() - began - PULSE_SECONDS)


def _pair(number: int) -> Pair:
    asked = ({"role": "user", "content": f"How do I bake bread no. {number}?"},)
    return Pair(
        f"battle-{number}", 1, 0, f"prompt-{number}", asked, "exp-0001", "exp-0000", "Knead it well. " * 10,
        "It depends. " * 10, Source.PRODUCT, consent=False, simulated=False, made_at=0.0,
    )  # fmt: skip


def _ballot(number: int) -> Ballot:
    choice = Choice.A if number % 2 else Choice.B
    return Ballot(
        f"key-{number}", f"battle-{number}", Source.PRODUCT, f"prompt-{number}", "exp-0001", "exp-0000", 1, 0,
        f"voter-{number}", choice, "", None, consent=False, simulated=False, at=0.0,
    )  # fmt: skip


if __name__ == "__main__":
    main()
