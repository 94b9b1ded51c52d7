"""Before a run ends: one test on fresh votes, the night's champion against the model that it began with.

A night is a search: at α = .05 an experiment, most nights keep something that is no better. What stands at the end is
tested once more, on votes that had no part in choosing it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from checkpoints import writes
from checkpoints.records import BASELINE, Level, Verdict
from checkpoints.store import Store
from checkpoints.trust import PromotionTest
from lanes.lane import StageFailed, StagePaused
from runner.program import Program


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
    """Tests the champion of one run on fresh votes, once for each champion and what it replaces."""

    def __init__(self, store: Store, tester: Tester, program: Callable[[], Program]) -> None:
        self._store, self._tester, self._program = store, tester, program
        self._said = ""

    async def run(self) -> None:
        """Do what is due; returns at once where nothing is."""
        test = await self._in_hand()
        if test is None:
            return
        try:
            verdict = await self._tester.test(test)
        except StagePaused:
            return  # it goes on when the run does
        except StageFailed as failure:
            await self._store.do(writes.call_off_test, test.number, f"{failure.kind}: {failure}")
            return
        await self._store.do(writes.end_test, test.number, verdict)

    async def _in_hand(self) -> PromotionTest | None:
        """The test that goes on, or a new one where one is due."""
        read = self._store.read
        reign = read.champion()
        if test := read.open_test():
            if reign and reign.experiment == test.experiment:
                return test
            await self._store.do(writes.call_off_test, test.number, "its champion reigns no longer")
        if reign is None or not self._wanted():
            return None
        promoted = read.promoted()
        before = promoted.experiment if promoted else BASELINE
        tested = {(test.experiment, test.opponent) for test in read.promotion_tests()}
        if reign.experiment == before or (reign.experiment, before) in tested:
            return None
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
