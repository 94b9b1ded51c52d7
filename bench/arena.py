"""Votes through the arena's service, each on the disk before it is acknowledged: how many, how fast, what memory.

    python -m bench.arena

A crowd in another process votes over kept connections: as fast as it is acknowledged, then 2,000 a second with latency
counted from when each vote was due. Then the ledger is filled to 1,000,000 votes, 100 a request, and the same asked
again. Beside it the same service without waiting for the disk. About six minutes.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[1] / "tests")]

from arena_served import ROOT, Arena, fill, pair, serving

from bench.parts.crowd import Found, Wish

WITHOUT_FSYNC = "bench.parts.arena_without_fsync"
BATTLES = 2_000
RATE = 2_000.0
SECONDS = 20
FULL = 1_000_000
STEP = 250_000


class Bench:
    """One service and the votes it has been handed."""

    def __init__(self, arena: Arena) -> None:
        self._arena = arena
        self._process = psutil.Process(arena.process.pid)
        self.votes = 0

    def crowd(self, votes: int, connections: int, rate: float = 0.0, batch: int = 1) -> Found:
        """Have a process of voters hand in so many votes."""
        wish = Wish(votes, self.votes, BATTLES, connections, rate, batch)
        self.votes += votes
        command = [sys.executable, "-m", "bench.parts.crowd", str(self._arena.port), self._arena.token()]
        done = subprocess.run([*command, json.dumps(vars(wish))], cwd=ROOT, check=True, stdout=subprocess.PIPE)
        found = Found(**json.loads(done.stdout))
        assert found.acknowledged == votes, "each vote is counted"
        return found

    def fastest(self, connections: int) -> None:
        """As many as are acknowledged."""
        processor = self._processor()
        found = self.crowd(20_000, connections)
        each = (self._processor() - processor) / 20_000
        line = f"{20_000 / found.seconds:.0f} votes/s, p50 {found.p50:.1f} ms, p99 {found.p99:.1f} ms"
        print(
            f"as fast as acknowledged, {connections} connections: {line}, {1e6 * each:.0f} µs of processor each",
            flush=True,
        )

    def steady(self) -> None:
        """So many a second, whatever the service does."""
        found = self.crowd(int(RATE * SECONDS), 64, RATE)
        line = f"p50 {found.p50:.1f} ms, p99 {found.p99:.1f} ms, worst {found.worst:.0f} ms"
        print(f"{RATE:.0f} votes/s for {SECONDS} s, ledger of {self.votes:,}: {line} (must: p99 < 50 ms)", flush=True)

    def fill(self) -> None:
        """To a million votes, in lists of a hundred."""
        while self.votes < FULL:
            aim = min(FULL, (self.votes // STEP + 1) * STEP)
            began, before = time.monotonic(), self.votes
            self.crowd(aim - before, 4, batch=100)
            rate = (aim - before) / (time.monotonic() - began)
            line = f"{self._memory()}, ledger {self._size():.0f} MB"
            print(f"{aim:9,} votes: {line} ({rate:.0f} votes/s in lists)", flush=True)

    def _memory(self) -> str:
        return f"{self._process.memory_info().rss / 2**20:.1f} MB of memory"

    def _size(self) -> float:
        return sum(file.stat().st_size for file in self._arena.folder.glob("ledger.db*")) / 2**20

    def _processor(self) -> float:
        times = self._process.cpu_times()
        return times.user + times.system


def main() -> None:
    """Print the figures."""
    with served("lanes.arena.serve") as bench:
        bench.crowd(2_000, 16)
        for connections in (16, 64):
            bench.fastest(connections)
        bench.steady()
        bench.fill()
        bench.steady()
        bench.fastest(64)
    print("the same without waiting for the disk, which a power cut would take votes from")
    with served(WITHOUT_FSYNC) as bench:
        bench.crowd(2_000, 16)
        bench.fastest(64)
        bench.steady()


@contextmanager
def served(module: str) -> Iterator[Bench]:
    """A service with battles to vote on, on the disk that temporary files are on."""
    with tempfile.TemporaryDirectory() as folder:
        fill(Path(folder) / "arena", [pair(number) for number in range(BATTLES)])
        with serving(Path(folder) / "arena", module) as arena:
            yield Bench(arena)


if __name__ == "__main__":
    main()
