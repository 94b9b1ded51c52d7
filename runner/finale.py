"""Before a run ends: one test on fresh votes, the night's champion against the model that it began with.

A night is a search: at α = .05 an experiment, most nights keep something that is no better. What stands at the end is
tested once more, on votes that had no part in choosing it.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from checkpoints import writes
from checkpoints.records import BASELINE, FailureKind, Lane, Level, Verdict
from checkpoints.store import Store, StoreError
from checkpoints.trust import PromotionTest
from lanes.lane import StageFailed, StagePaused
from runner.program import Program

if TYPE_CHECKING:
    from sqlite_utils import Database

ATTEMPTS = 2
"""How often a test is tried before it is left until the run is started again."""


class Tester(Protocol):
    """What asks for fresh votes."""

    def test_order(self, champion: int, opponent: int) -> dict[str, object]:
        """Everything needed to test one experiment's model against another's, decided now."""
        ...

    async def test(self, test: PromotionTest) -> Verdict:
        """Do the test, or go on with it: votes that came before a kill count.

        Raises:
            StageFailed, StagePaused: As a lane does.
        """
        ...


class Finale:
    """Tests the champion of one run on fresh votes, once for each champion and what it replaces.

    A test that was called off goes on with the votes that it has: another one on other votes would be a second chance.
    """

    def __init__(self, store: Store, tester: Tester, program: Callable[[], Program]) -> None:
        self._store, self._tester, self._program = store, tester, program
        self._said = ""
        self._failed = Counter[int]()
        """How often each test has failed since the run was started."""

    async def run(self) -> None:
        """Do what is due, after a failure once more; returns at once where nothing is.

        Raises:
            StoreError, sqlite3.Error: What happens cannot be recorded any more.
        """
        while test := await self._in_hand():
            await self._store.do(writes.stop_waiting, Lane.EVALUATE)
            try:
                verdict = await self._tester.test(test)
            except StagePaused:
                return  # it goes on when the run does
            except StageFailed as failure:
                await self._failed_with(test, failure)
            except (StoreError, sqlite3.Error):
                raise
            except Exception as error:
                line = " ".join(f"{type(error).__name__}: {error}".split())
                await self._failed_with(test, StageFailed(FailureKind.CRASH, line))
            else:
                await self._store.do(_ended, test.number, verdict)

    async def _failed_with(self, test: PromotionTest, failure: StageFailed) -> None:
        # What was given is wrong: it is no better a moment later.
        self._failed[test.number] += ATTEMPTS if failure.kind is FailureKind.INPUT else 1
        await self._store.do(_called_off, test.number, f"{failure.kind}: {failure}")

    async def _in_hand(self) -> PromotionTest | None:
        """The test that goes on, or a new one where one is due."""
        read = self._store.read
        reign = read.champion()
        if test := read.open_test():
            if reign and reign.experiment == test.experiment:
                return test
            await self._store.do(_called_off, test.number, "its champion reigns no longer")
        if reign is None or not self._wanted():
            return None
        promoted = read.promoted()
        before = promoted.experiment if promoted else BASELINE
        if reign.experiment == before:
            return None
        if before_this := [test for test in read.promotion_tests() if _between(test) == (reign.experiment, before)]:
            last = before_this[-1]
            if last.outcome is not None or self._failed[last.number] >= ATTEMPTS:
                return None
            await self._store.do(writes.reopen_test, last.number)
            return read.open_test()
        try:
            order = self._tester.test_order(reign.experiment, before)
        except StageFailed as failure:
            if str(failure) != self._said:  # it is asked again and again while the run waits for more work
                self._said = str(failure)
                self._store.submit(writes.event, Level.WARNING, "promotion", f"no test on fresh votes: {failure}")
            return None
        await self._store.do(writes.begin_test, reign.experiment, before, order)
        return read.open_test()

    def _wanted(self) -> bool:
        evaluate = self._program().evaluate
        return evaluate.promotion_test and evaluate.judge == "votes"


def _between(test: PromotionTest) -> tuple[int, int | None]:
    return test.experiment, test.opponent


def _ended(db: Database, number: int, verdict: Verdict) -> None:
    writes.end_test(db, number, verdict)
    _at_rest(db)


def _called_off(db: Database, number: int, why: str) -> None:
    writes.call_off_test(db, number, why)
    _at_rest(db)


def _at_rest(db: Database) -> None:
    """The lane shows the test no longer."""
    writes.stop_waiting(db, Lane.EVALUATE)
    writes.start_waiting(db, Lane.EVALUATE, "an uploaded model")
