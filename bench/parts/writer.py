"""The process that writes a run while a dashboard shows it: ``python -m bench.parts.writer FOLDER small|large``.

Twice a second a training logs a step and voters vote, every two seconds an experiment is written to again, every five
there is an event. It says ``ready`` and does what its standard input says, one word a line: ``go``, ``pause``.
"""

from __future__ import annotations

import random
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from runs import Story

from bench.parts import large_run
from checkpoints import writes
from checkpoints.records import Lane, Level, RunState
from checkpoints.store import Store

if TYPE_CHECKING:
    from sqlite_utils import Database

COMMITS_PER_SECOND = 2
TOUCH_EVERY, EVENT_EVERY = 4, 10
"""Ticks, of which there are two a second."""

STEPS = 600


class Writer:
    """What a reader's process knows of it."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def tell(self, word: str) -> None:
        """``go`` or ``pause``."""
        assert self._process.stdin
        self._process.stdin.write(word + "\n")
        self._process.stdin.flush()


@contextmanager
def writer(folder: Path, size: str) -> Iterator[Writer]:
    """Have a process write the run in a folder; it begins when it is told."""
    command = [sys.executable, "-m", "bench.parts.writer", str(folder), size]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            if process.stdout.readline().strip() != "ready":
                raise RuntimeError("the writing process has ended")
            yield Writer(process)
        finally:
            process.kill()


def begin(store: Store, story: Story, size: str) -> int:
    """The run, with one experiment before the voters and one in training; returns the number of the latter."""
    if size == "small":
        store.submit(story.begin, 12).result()
        for number in range(13):
            store.submit(story.finished, number).result()
    else:
        story.champion = large_run.champion()
    store.submit(story.evaluating).result()
    store.submit(story.training, 20).result()
    return store.read.count() - 1


def tick(store: Store, story: Story, number: int, ticks: int) -> None:
    """What comes in half a second."""
    step = story.logged = story.logged + 1
    store.submit(story.train_on, number, step - 1, step).result()
    rate, left = f"{52 + step % 30 / 10:.1f} % ±8.5", max(0, 380 - step)
    store.submit(story.progress, Lane.EVALUATE, number - 1, "votes", 148 + step % 200, 400, rate, left).result()
    if ticks % TOUCH_EVERY == 0:
        store.submit(_touch, random.randrange(number - 1)).result()
    if ticks % EVENT_EVERY == 0:
        store.submit(writes.event, Level.INFO, "bench", "something has happened", number).result()


def _touch(db: Database, number: int) -> None:
    """Write to an experiment without changing it: all is read again and nothing is drawn."""
    db.execute("UPDATE stages SET seconds = seconds WHERE experiment = ?", [number])


def main() -> None:
    """Write until the end of the input."""
    folder, size = Path(sys.argv[1]), sys.argv[2]
    with Store(folder) as store:
        story = Story(steps=STEPS)
        number, ticks, going = begin(store, story, size), 0, False
        print("ready", flush=True)
        due = time.monotonic()
        while True:
            if select.select([sys.stdin], [], [], max(0.0, due - time.monotonic()) if going else None)[0]:
                word = sys.stdin.readline().strip()
                if not word:
                    return
                going, due = word == "go", time.monotonic()
                if word == "pause":
                    store.submit(writes.set_run, RunState.PAUSED, "by a person").result()
                continue
            ticks, due = ticks + 1, due + 1 / COMMITS_PER_SECOND
            tick(store, story, number, ticks)


if __name__ == "__main__":
    main()
