"""What a person asks for at the command line: done by the loop that has the run, or at once where none has."""

from __future__ import annotations

import asyncio
import time
from contextlib import closing
from pathlib import Path

from checkpoints import writes
from checkpoints.ownership import holder
from checkpoints.reader import Reader
from checkpoints.records import Intervention, Json, Step
from checkpoints.store import Store
from checkpoints.visitor import check, intervene_from_outside
from runner.believing import settle_or_refuse

WAIT = 90.0
"""Seconds that a loop is given to do it: a promotion asks what is served for an answer first."""

_LOOK = 0.1


class NotDone(Exception):
    """The loop that has the run has not done it in time; the message says what to do."""


def ask_for(run_folder: Path, step: Step, reason: str = "", detail: Json | None = None) -> Intervention:
    """Have one of ``runner.believing.STEPS`` done; returns it as acknowledged, where ``refused`` and ``effect`` tell.

    Raises:
        StoreError: There is no run, or its store cannot be used.
        NotDone: The loop that has the run does not answer.
    """
    check(run_folder)
    if (held := holder(run_folder)) is None:
        return asyncio.run(_done_here(run_folder, step, reason, detail or {}))
    number = intervene_from_outside(run_folder, step, None, reason, detail)
    until = time.monotonic() + WAIT
    with closing(Reader(run_folder)) as read:
        while time.monotonic() < until:
            found = next(one for one in read.interventions() if one.number == number)
            if found.acknowledged_at is not None:
                return found
            time.sleep(_LOOK)
    raise NotDone(f"{held} has the run and has not done it in {WAIT:.0f} s; it is still asked for: see its events")


async def _done_here(run_folder: Path, step: Step, reason: str, detail: Json) -> Intervention:
    store = Store(run_folder)
    try:
        number = await store.do(writes.intervene, step, None, reason, detail)
        asked = next(one for one in store.read.interventions(pending_only=True) if one.number == number)
        await settle_or_refuse(store, asked)
        return next(one for one in store.read.interventions() if one.number == number)
    finally:
        await store.leave()
