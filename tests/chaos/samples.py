"""What processes of a run hold over time: open files, threads, memory; kept as counts, so that an hour takes no more
room than a minute."""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import psutil

from lanes.arena_desk import ARENA
from lanes.process import still_runs
from lanes.worker import Worker

EVERY_SECONDS = 0.5

GROWN_SECONDS = 2.0
"""Age from which a process has imported what it needs."""

PARTS = 40
"""Most parts that the time is cut into; where it takes more they are made twice as long."""

_KINDS = ("open files", "threads", "memory, MB")


class Held:
    """How often each value was seen in each part of the time."""

    def __init__(self) -> None:
        self._seconds = 1.0
        self._parts: dict[int, Counter[float]] = defaultdict(Counter)

    def add(self, at: float, value: float) -> None:
        """A value, so many seconds after the beginning."""
        while at >= PARTS * self._seconds:
            self._seconds *= 2
            halved = defaultdict[int, Counter[float]](Counter)
            for part, seen in self._parts.items():
                halved[part // 2] += seen
            self._parts = halved
        self._parts[int(at / self._seconds)][value] += 1

    @property
    def most(self) -> float:
        """The largest value."""
        return max(max(seen) for seen in self._parts.values())

    def median(self, last: bool) -> float:
        """Of the first or the last tenth of the time in which there was anything to see."""
        parts = sorted(self._parts)
        few = max(1, len(parts) // 10)
        seen = sum((self._parts[part] for part in (parts[-few:] if last else parts[:few])), Counter[float]())
        return sorted(seen.elements())[seen.total() // 2]


class Sampler(threading.Thread):
    """Looks at the processes that it is told of until it is ended."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._held: dict[str, tuple[Held, ...]] = defaultdict(lambda: tuple(Held() for _ in _KINDS))
        self._began = time.monotonic()
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

    def lines(self) -> Iterator[str]:
        """A line for each process and what it holds: first tenth of the time, last tenth, the most there ever was."""
        for who, held in sorted(self._held.items()):
            for kind, one in zip(_KINDS, held, strict=True):
                first, last = one.median(last=False), one.median(last=True)
                yield f"  {who:14} {kind:12} {first:8.1f} {last:8.1f} {last - first:+8.1f} {one.most:10.1f}"

    def _look(self, who: str, process: psutil.Process) -> None:
        try:
            with process.oneshot():
                if time.time() - process.create_time() > GROWN_SECONDS and (memory := process.memory_info().rss):
                    values = (process.num_fds(), process.num_threads(), round(memory / 1e6, 1))
                    for held, value in zip(self._held[who], values, strict=True):
                        held.add(time.monotonic() - self._began, value)
        except psutil.Error:
            self._watched.pop(who, None)
