"""What a person wanted in the last moment of a loop: taken up when nothing goes on any more, or said to be too late."""

from __future__ import annotations

import contextlib
import sqlite3
from dataclasses import replace

from checkpoints import writes
from checkpoints.records import REFUSED, Intervention, Step
from checkpoints.store import StoreError
from runner import beside
from runner.steering import Steering

TOO_LATE = "it came too late, the loop had ended; ask again when it goes on"


async def last_look(steering: Steering) -> None:
    """Take up each step that is pending, once the loop and ``Steering.run`` have ended.

    A vote that is counted after a verdict only, and whatever cannot be recorded any more, waits for the next start.
    """
    last = 0
    with contextlib.suppress(StoreError, sqlite3.Error):
        while late := [one for one in steering.store.read.interventions(pending_only=True) if one.number > last]:
            for step in late:
                await _take_up(steering, step)
            last = late[-1].number


async def _take_up(steering: Steering, step: Intervention) -> None:
    if step.step is Step.STOP:
        await steering.store.do(writes.acknowledge, step.number, "the loop had ended already")
    elif step.step in beside.STEPS:  # a language model may need minutes
        await steering.store.do(writes.acknowledge, step.number, f"{REFUSED}{TOO_LATE}")
    elif step.step is Step.PAUSE:
        await steering.take_up(replace(step, detail={}))  # nothing is under way that could be interrupted
    else:
        await steering.take_up(step)
