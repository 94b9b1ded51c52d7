"""What processes of a run hold over time: open files, threads, memory; and what its database grows by."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from lanes.arena_desk import ARENA
from lanes.process import still_runs
from lanes.worker import Worker

EVERY_SECONDS = 0.5

GROWN_SECONDS = 2.0
"""Age from which a process has imported what it needs."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One process at one moment."""

    who: str
    at: float
    """Monotonic."""

    files: int
    threads: int
    memory: int
    """Bytes."""


class Sampler(threading.Thread):
    """Looks at the processes that it is told of until it is ended."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.samples: list[Sample] = []
        self._watched: dict[str, psutil.Process] = {"this harness": psutil.Process()}
        self._run: Path | None = None
        self._over = threading.Event()

    def watch(self, who: str, pid: int, run: Path) -> None:
        """Look at this process from now on, and at the server of its run."""
        self._run = run
        try:
            self._watched[who] = psutil.Process(pid)
        except psutil.Error:
            self._watched.pop(who, None)

    def run(self) -> None:
        while not self._over.wait(EVERY_SECONDS):
            if self._run and (one := Worker(self._run / ARENA).identity()) and still_runs(one):
                self.watch("server", one.pid, self._run)
            for who, process in tuple(self._watched.items()):
                self._look(who, process)

    def end(self) -> None:
        """Look no more."""
        self._over.set()
        self.join()

    def _look(self, who: str, process: psutil.Process) -> None:
        try:
            with process.oneshot():
                if time.time() - process.create_time() > GROWN_SECONDS:
                    found = (process.num_fds(), process.num_threads(), process.memory_info().rss)
                    if found[-1]:  # the dead hold nothing
                        self.samples.append(Sample(who, time.monotonic(), *found))
        except psutil.Error:
            self._watched.pop(who, None)


def table(samples: Sequence[Sample]) -> list[str]:
    """First tenth beside last tenth of the time, by process; medians, and the most there ever was."""
    lines = [f"  {'':14} {'samples':>8} {'open files':>16} {'threads':>14} {'memory, MB':>20}"]
    for who in sorted({one.who for one in samples}):
        own = [one for one in samples if one.who == who]
        few = max(1, len(own) // 10)
        figures = [
            [_median(part, name) for part in (own[:few], own[-few:])] + [max(getattr(one, name) for one in own)]
            for name in ("files", "threads", "memory")
        ]
        (a, b, c), (d, e, f), (g, h, i) = figures
        lines.append(
            f"  {who:14} {len(own):8} {f'{a:.0f} {b:.0f} ({c:.0f})':>16} {f'{d:.0f} {e:.0f} ({f:.0f})':>14} "
            f"{f'{g / 1e6:.0f} {h / 1e6:.0f} ({i / 1e6:.0f})':>20}"
        )
    return lines


def _median(samples: Sequence[Sample], name: str) -> float:
    return statistics.median(getattr(one, name) for one in samples)
