"""An honest product whose users vote on while somebody attacks."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from arena_served import Arena

BATTLES = 400
"""Battles of the product; honest users vote on the second half, so that no attacker's words stand in their way."""

SECONDS = 1.0
"""In which an honest voter is served, whatever goes on."""


def vote(number: int, key: str) -> dict[str, object]:
    return {"battle": f"product-{number % BATTLES}", "choice": "a", "voter": f"user of {key}", "key": key}


class Honest(threading.Thread):
    """A product whose users vote on while others attack."""

    keys = itertools.count()

    def __init__(self, arena: Arena) -> None:
        super().__init__()
        self.arena, self.over = arena, threading.Event()
        self.counted: list[str] = []
        self.slowest = 0.0

    def run(self) -> None:
        while not self.over.wait(0.05):
            with self.arena.client() as client:
                key, since = f"honest-{next(self.keys)}", time.monotonic()
                answer = client.post("/v1/votes", json=vote(BATTLES // 2 + len(self.counted) % (BATTLES // 2), key))
                self.slowest = max(self.slowest, time.monotonic() - since)
                assert answer.json()["counted"]
                self.counted.append(f"product/{key}")


@contextmanager
def voting(arena: Arena) -> Iterator[Honest]:
    """Somebody votes meanwhile."""
    honest = Honest(arena)
    honest.start()
    try:
        yield honest
    finally:
        honest.over.set()
        honest.join()


def until(holds: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.02)
