"""Steps that a language model may think about for minutes: done beside the others, which do not wait for them."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable

from checkpoints.records import Intervention, Step
from checkpoints.trouble import can_pass

STEPS = (Step.ASK, Step.ZOOM_OUT)
"""What is done beside the rest, one after the other of each kind."""


class Beside:
    """Takes up what it is handed, each step once at a time, in the order in which a person wanted it."""

    def __init__(self, take_up: Callable[[Intervention], Awaitable[None]]) -> None:
        self._take_up = take_up
        self._queues = {step: asyncio.Queue[Intervention]() for step in STEPS}
        self._in_hand = set[int]()

    def hand(self, step: Intervention) -> None:
        """Have a step of ``STEPS`` taken up; one that is in hand already is not taken up again."""
        if step.number not in self._in_hand:
            self._in_hand.add(step.number)
            self._queues[step.step].put_nowait(step)

    async def run(self) -> None:
        """Take up steps until this is cancelled."""
        async with asyncio.TaskGroup() as kinds:
            for queue in self._queues.values():
                kinds.create_task(self._serve(queue))

    async def _serve(self, queue: asyncio.Queue[Intervention]) -> None:
        while True:
            step = await queue.get()
            try:
                await self._take_up(step)
            except sqlite3.Error as error:
                if not can_pass(error):
                    raise
            self._in_hand.discard(step.number)  # still pending, it is handed over again at the next look
