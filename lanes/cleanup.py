"""Room on the disk over a long night: removes what no verdict, no champion and no lane needs any more.

What goes: the local output of a training whose experiment has ended without being kept and whose model is published,
fetched copies of such models, and checkpoints of experiments that have ended. What stays, whatever happens: everything
that is published, votes, orders, results and logs, and all of a kept model.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

from checkpoints import strokes, writes
from checkpoints.reader import Reader
from checkpoints.records import ENDS, Lane, Level, State, model_name
from checkpoints.store import Store
from lanes.order import ORDER
from lanes.train import ARTIFACTS, WORK

FETCHED = "fetched"
"""Folder of ``work`` with local copies of what is published elsewhere, by the model's name."""

CHECKPOINTS = "checkpoints"


async def clean_up(store: Store) -> int:
    """Remove what is not needed any more, and say so in the run's log; returns the bytes that it gave back."""
    found = [*_outputs(store.read, store.folder), *_checkpoints(store.read, store.folder)]
    freed = await asyncio.to_thread(lambda: sum(_remove(folder) for folder, _ in found))
    if freed:
        models = ", ".join(model_name(number) for number in sorted({number for _, number in found}))
        text = f"{freed / 2**20:.1f} MB given back: local files of {models}; what is published stays"
        await store.do(writes.event, Level.INFO, "run", text)
    return freed


def _outputs(read: Reader, run: Path) -> Iterator[tuple[Path, int]]:
    """Local copies of published models that were not kept."""
    for place in (run / ARTIFACTS, run / WORK / FETCHED):
        for folder in place.glob("exp-*"):
            number = _number(folder.name.removeprefix("exp-"))
            if number is None or _state(read, number) not in ENDS - {State.KEPT}:
                continue
            upload = read.done_stage(number, Lane.UPLOAD)
            published = str(upload.result.get("url", "")).removeprefix("file://") if upload else ""
            if published and Path(published).absolute() != folder.absolute():
                yield folder, number


def _checkpoints(read: Reader, run: Path) -> Iterator[tuple[Path, int]]:
    """What trainings of ended experiments would have gone on from."""
    for folder in (run / WORK).glob(f"*/{CHECKPOINTS}"):
        try:
            number = json.loads((folder.parent / ORDER).read_bytes())["experiment"]
        except (OSError, ValueError, KeyError, TypeError):
            continue  # it has no order yet, or is no trainer's
        if isinstance(number, int) and _state(read, number) in ENDS:
            yield folder, number


def _state(read: Reader, number: int) -> State | None:
    try:
        return read.experiment(number).state
    except KeyError:
        return None


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() else None


def _remove(folder: Path) -> int:
    """Remove a folder; returns the bytes of its files. What cannot be removed now is tried again another time."""
    try:
        size = sum(file.lstat().st_size for file in folder.rglob("*") if file.is_file())
    except OSError:
        return 0  # somebody is at it, too
    strokes.clear(folder, quietly=True)
    return 0 if folder.exists() else size
