"""Data files that somebody changes, under a running training or between two: noticed by their sums, and said.

The sums of a training's files are kept beside its order, so that what is changed while nobody drives the run is noticed
when the training is taken up, and in its result, for the training after it.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from checkpoints import writes
from checkpoints.artifacts import write_json
from checkpoints.reader import Reader
from checkpoints.records import Json, Lane, Level
from checkpoints.store import Store
from lanes.order import TrainOrder

DATA = "data.json"
"""File in a worker's folder: SHA-256 sums of the local files that its training reads, by their paths."""

LOOK_SECONDS = 5.0
"""Between two looks at whether a file was touched; only one that was is read again."""

SUMS = "data"
"""What a training's result calls the sums with which it began."""

_GONE = "it is gone"


def sums_of_the_last(read: Reader) -> Mapping[str, str]:
    """Sums of the files that the last training of a run began with, by their paths; none before there was one."""
    last = read.last_done(Lane.TRAIN)
    return last.result.get(SUMS, {}) if last and last.result else {}


@asynccontextmanager
async def watched(files: DataFiles) -> AsyncGenerator[None]:
    """Say each change of a training's data files, once, for as long as it goes on."""
    looking = asyncio.create_task(_look_on(files), name="look after data files")
    try:
        yield
        await files.look()
    finally:
        looking.cancel()
        with suppress(asyncio.CancelledError):
            await looking


async def _look_on(files: DataFiles) -> None:
    while True:
        await files.look()
        await asyncio.sleep(LOOK_SECONDS)


class DataFiles:
    """The local files that one training reads, as they were when it began."""

    def __init__(self, store: Store, experiment: int, folder: Path, order: Json, before: Mapping[str, str]) -> None:
        """Look at nothing yet.

        Args:
            store: Of the run; an event is written for each change.
            experiment: In whose passage it is trained.
            folder: Of its worker.
            order: Of the training.
            before: Sums of the training before it; where it begins with others, that is said, too.
        """
        self._store, self._experiment, self._folder = store, experiment, folder
        self._paths, self._before = _local(TrainOrder.model_validate(order)), before
        self._sums: dict[str, str] | None = None
        self._touched: dict[str, tuple[int, ...]] = {}
        self._said: set[tuple[str, str]] = set()
        self._one_look = asyncio.Lock()

    @property
    def sums(self) -> dict[str, str]:
        """SHA-256 sums with which the training began, by path."""
        return self._sums or {}

    async def look(self) -> None:
        """Take the sums at the first look, or those of an earlier owner; then say what is no longer as it was."""
        async with self._one_look:
            if self._sums is None:
                self._sums = await asyncio.to_thread(self._first_sums)
            for path, now in await asyncio.to_thread(self._changed, self._sums):
                self._say_changed(path, self._sums[path], now)

    def _first_sums(self) -> dict[str, str]:
        with suppress(OSError, ValueError):
            found: Any = json.loads((self._folder / DATA).read_bytes())["files"]
            return {str(path): str(sha256) for path, sha256 in found.items()}
        for path in self._paths:
            self._touched[path] = _touch(path)
        sums = {path: _sum(path) for path in self._paths}
        for path in sums.keys() & self._before.keys():
            if sums[path] != self._before[path]:
                self._say_another(path, self._before[path], sums[path])
        with suppress(OSError):  # without room for them there still is what this process knows
            write_json(self._folder / DATA, {"files": sums})
        return sums

    def _changed(self, sums: Mapping[str, str]) -> list[tuple[str, str]]:
        """Files that were touched and have another sum."""
        touched = {path: touch for path in sums if (touch := _touch(path)) != self._touched.get(path)}
        self._touched |= touched
        return [(path, now) for path in touched if (now := _sum(path)) != sums[path]]

    def _say_another(self, path: str, before: str, now: str) -> None:
        text = (
            f"{path} was changed since the training before (SHA-256 {before[:12]}, now {now[:12]}): from here on "
            "models are compared with others that saw other rows; put it back where that is not meant"
        )
        self._warn(text)

    def _say_changed(self, path: str, before: str, now: str) -> None:
        if (path, now) in self._said:
            return
        self._said.add((path, now))
        what = now if now == _GONE else f"SHA-256 {before[:12]} at its start, {now[:12]} now"
        text = (
            f"{path} was changed under a running training ({what}): it goes on with the rows that it has read; "
            "what is read from now on is another"
        )
        self._warn(text)

    def _warn(self, text: str) -> None:
        self._store.submit(writes.event, Level.WARNING, "train", text, self._experiment)


def _local(order: TrainOrder) -> tuple[str, ...]:
    """Files that are there and that the training reads: its sources with a weight, and the held-out rows."""
    weighed = [source for name, source in order.sources.items() if order.recipe.data.mix.get(name)]
    held = [one for one in (order.heldout.pairs, order.heldout.prompts, order.heldout.locked) if one]
    return tuple(sorted({one.path for one in (*weighed, *held) if Path(one.path).expanduser().is_file()}))


def _touch(path: str) -> tuple[int, ...]:
    """What changes whenever a file is written or replaced; empty where it is gone."""
    try:
        found = Path(path).expanduser().stat()
    except OSError:
        return ()
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _sum(path: str) -> str:
    try:
        with Path(path).expanduser().open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return _GONE
