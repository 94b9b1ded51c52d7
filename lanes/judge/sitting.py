"""A judge at a run: beside the lanes it judges pairs that the models have answered, and nothing waits for it."""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from checkpoints import writes
from checkpoints.reader import Reader
from checkpoints.records import Level, model_name
from checkpoints.store import Store
from lanes.judge.labels import Place, place_of, shown_pairs
from lanes.judge.permission import Drifted, NotAllowed, allow
from lanes.judge.process import Judge, JudgeFailed, Settings
from lanes.judge.records import voter_of
from lanes.judge.votes import JudgeVoter, Prepared
from lanes.saying import Saying

PAIRS = 40
"""Pairs of a candidate and a rival that are judged, two questions each: one voter's mean, and a point of a metric."""

NEWEST = 5
"""Experiments that are looked at, the newest ones; earlier ones had their time."""

LOOK_SECONDS = 10.0
RETRY_SECONDS = 300.0
"""Pause after the judge could not be asked."""

FOLDER = "work/judge"
"""Of its process, in the run's folder."""


class Sitting:
    """Has the judge that the program names vote in a run, while it may."""

    def __init__(self, store: Store, named: Callable[[], Settings | None]) -> None:
        """Ask nothing yet.

        Args:
            store: Of the run.
            named: The judge that the program names now; None for none.
        """
        self._store, self._named = store, named
        self._said = ""
        self._troubles = Saying(store, "judge")

    async def run(self) -> None:
        """Judge what comes, until this is cancelled."""
        while True:
            settings = self._named()
            pause = LOOK_SECONDS
            if settings and self._may(settings):
                try:
                    await self._sit(settings)
                except Drifted as drifted:
                    self._say(str(drifted))
                except (JudgeFailed, OSError, sqlite3.Error) as failed:
                    self._say(f"the judge cannot be asked: {failed}; tried again in {RETRY_SECONDS / 60:.0f} minutes")
                    pause = RETRY_SECONDS
            await asyncio.sleep(pause)

    def _may(self, settings: Settings) -> bool:
        try:
            allow(self._store.read.calibrations(), settings.model)
        except NotAllowed as why:
            self._say(str(why))
            return False
        return True

    async def _sit(self, settings: Settings) -> None:
        """Judge all that is due, in one process, for as long as the program names the same judge."""
        if not (due := await self._due(settings)):
            return
        async with Judge(settings, self._store.folder / FOLDER, self._troubles.say) as judge:
            voter = JudgeVoter(self._store, judge)
            while self._named() == settings:
                async for vote in voter.vote(due):
                    await self._store.do(writes.add_votes, [vote])
                    self._said = ""  # what kept it from judging has passed, and is said again when it comes again
                await asyncio.sleep(LOOK_SECONDS)
                due = await self._due(settings)

    async def _due(self, settings: Settings) -> list[Prepared]:
        return await asyncio.to_thread(due, self._store.folder, settings.model)

    def _say(self, text: str) -> None:
        if text != self._said:
            self._said = text
            self._store.submit(writes.event, Level.WARNING, "judge", text)


def due(folder: Path, model: str) -> list[Prepared]:
    """Pairs of the newest experiments that the judge has not judged yet, the newest experiment first.

    What belongs to an experiment that is put to a promotion test is left alone.
    """
    with closing(Reader(folder)) as read:
        tested = {test.experiment for test in read.promotion_tests()}
        judged = {place_of(vote) for vote in read.votes(voter=voter_of(model))}
        newest = [row.experiment.number for row in reversed(read.rows(NEWEST, recipes=False))]
        return [pair for number in newest if number not in tested for pair in _of(read, number, judged)]


def _of(read: Reader, experiment: int, judged: set[Place]) -> list[Prepared]:
    candidate = model_name(experiment)
    pairs = {place: pair for place, pair in shown_pairs(read, [experiment]).items() if candidate in place}
    rivals = Counter(_rival(place, candidate) for place in judged if place.experiment == experiment)
    found: list[Prepared] = []
    for place in sorted(pairs.keys() - judged, key=_by_chance):
        rivals[rival := _rival(place, candidate)] += 1
        if rivals[rival] <= PAIRS:
            found.append(Prepared(experiment, place.prompt, place.model_a, place.model_b, pairs[place]))
    return found


def _rival(place: Place, candidate: str) -> str:
    return place.model_b if place.model_a == candidate else place.model_a


def _by_chance(place: Place) -> bytes:
    """An order that has nothing to do with the prompts, the same one each time."""
    return hashlib.sha256("\x1f".join(map(str, place)).encode()).digest()
