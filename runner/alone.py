"""The arena of a run that nobody drives: page, votes and models stay up, votes and a person's steps reach the store."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable
from pathlib import Path

from checkpoints import writes
from checkpoints.ownership import ALONE
from checkpoints.records import Lane, Step, model_name
from checkpoints.store import Store, take
from checkpoints.trouble import can_pass
from lanes.arena.schema import LedgerError
from lanes.arena_desk import url_of
from lanes.evaluate import WORK
from lanes.evaluate_settings import EvaluateSettings
from lanes.open_questions import served_always
from lanes.published import Published
from lanes.saying import Saying
from lanes.venue import Venue
from runner.believing import STEPS, settle_or_refuse

LOOK_SECONDS = 0.25
"""How often it is asked what a person wants, and looked who answers."""


class ArenaAlone:
    """Owns a run until ``close``, as a session does, and proposes, trains and judges nothing."""

    def __init__(self, run_folder: Path, settings: EvaluateSettings, say: Callable[[str], None]) -> None:
        """Take the run.

        Args:
            run_folder: With the store.
            settings: What the program says of evaluation.
            say: Called with each line for whoever looks on.

        Raises:
            Held: Another process owns the run.
            StoreError: The store cannot be used.
        """
        self._store = Store(run_folder, taken=take(run_folder, ALONE))
        self._found = self._store.read.last_intervention()
        """What a person did before: a stop among it was meant for somebody else."""

        self._say, self._saying = say, Saying(self._store, Lane.EVALUATE)
        work = run_folder.absolute() / WORK
        self._published = Published(self._store, work, lambda text, _: self._complain(text))
        self._venue = Venue(self._store, work, lambda: settings, self._published, self._complain)
        self._shown = ("", "")

    async def run(self) -> None:
        """Serve until a person's stop comes, or this is cancelled.

        Raises:
            StageFailed: The arena does not come up.
            LedgerError, sqlite3.Error: Its ledger, or the store, cannot be used.
        """
        await self._venue.ready()
        self._venue.attend()
        if not served_always(self._store.read, self._published):
            self._say("there is no champion yet, so no model answers: a product that asks for one gets 503")
        while not await self._steps():
            self._show()
            await asyncio.sleep(LOOK_SECONDS)

    async def close(self) -> None:
        """Take in what was voted, end arena and models, and let go of the run."""
        with contextlib.suppress(LedgerError, sqlite3.Error):  # the next owner takes in what is left
            await self._venue.take_in()
        await self._venue.close(keep_workers=False)
        await self._store.leave()

    async def _steps(self) -> bool:
        """Do the steps that need no loop, and leave the others to one; returns whether a stop was among them."""
        try:
            for step in self._store.read.interventions(pending_only=True):
                if step.step in STEPS:
                    await settle_or_refuse(self._store, step)
                elif step.step is Step.STOP and step.number > self._found:
                    await self._store.do(writes.acknowledge, step.number, "the arena, served alone, has ended")
                    return True
        except sqlite3.Error as error:
            if not can_pass(error):
                raise
        return False

    def _show(self) -> None:
        """Say where it is served and who answers, whenever that has changed."""
        host, _, port = self._venue.arena.place.rpartition(":")
        place = url_of(host, int(port)) if port else ""
        served = ", ".join(map(self._with_rank, self._venue.served))
        if place and place != self._shown[0]:
            self._say(f"the arena is on {place}")
        if served and served != self._shown[1]:
            self._say(f"models that answer: {served}")
        self._shown = (place or self._shown[0], served)

    def _with_rank(self, model: str) -> str:
        reigns = {"champion": self._store.read.champion(), "promoted": self._store.read.promoted()}
        ranks = [rank for rank, reign in reigns.items() if reign and model_name(reign.experiment) == model]
        return f"{model} ({', '.join(ranks)})"

    def _complain(self, line: str) -> None:
        if self._saying.say(line):
            self._say(line)
