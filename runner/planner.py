"""What is tried next: the baseline, then one change at a time, in the space and the budget, never twice."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from checkpoints import writes
from checkpoints.reader import Reader
from checkpoints.records import (
    BASELINE,
    PERSON,
    Change,
    Experiment,
    HypothesisStatus,
    Json,
    Level,
    Outcome,
    Proposal,
    Row,
    Standing,
    State,
    Verdict,
)
from checkpoints.rows import Rows
from checkpoints.store import Store
from checkpoints.writes.experiment import change_json
from runner.agent.categories import OTHER
from runner.agent.memory import Memory, remember
from runner.agent.proposer import Proposer
from runner.agent.stock import keep_stock
from runner.agent.zoom_out import due
from runner.change import ChangeRefused
from runner.interventions import Refused
from runner.plan import Plan

if TYPE_CHECKING:
    from sqlite_utils import Database

REPAIRS = 3
"""How often a refused proposal is asked again before the run gives up on this one."""

_SETTLED = {Outcome.KEEP: HypothesisStatus.SUPPORTED, Outcome.DISCARD: HypothesisStatus.REFUTED}


class Stale(Exception):
    """A proposal that no longer fits the champion; it goes back to the proposer with this reason."""


class Planner:
    """Decides what is tried next, by the program in force."""

    def __init__(self, store: Store, program: Plan, proposer: Proposer) -> None:
        self.store = store
        self.program = program
        """The program in force; a new revision takes effect at the next proposal."""

        self.proposer = proposer
        self.rows = Rows(store.read)
        self.proposing = asyncio.Lock()
        """Held while a proposal is made, or while what a person asks for is put before it."""

        self._began = time.monotonic()
        self._exhausted = ""

    async def propose(self) -> bool:
        """Put the next experiment before the train lane; False when the budget is used up or nothing is left to try."""
        async with self.proposing:
            return await self._propose()

    async def _propose(self) -> bool:
        read = self.store.read
        if read.count(State.PROPOSED):
            return True
        if not read.count():
            baseline = Proposal("the program's own recipe, unchanged", "baseline", None, "program")
            await self.store.do(writes.propose, baseline)
            return True
        if used_up := self._used_up():
            self._exhausted = used_up
            return False
        _, rows = await self.rows.look()
        if trigger := due(rows, read.zoom_outs(), self.program.zoom_out):
            await self._take_stock(trigger, "", rows)
        proposal = await self._acceptable(rows)
        if proposal is None:
            return False
        await self._put(proposal)
        return True

    def why_finished(self) -> str:
        """Why there is nothing more to do, for a person."""
        kept = self.store.read.count(State.KEPT) - 1
        return f"{self._exhausted}; {max(kept, 0)} kept"

    def bind(self, experiment: Experiment) -> Json:
        """The recipe of an experiment, decided now: its change applied to the champion's recipe.

        Raises:
            Stale: The change no longer applies, or the champion contains it already.
        """
        change = experiment.proposal.change
        if change is None:
            return self.program.start
        champion = self.store.read.champion()
        recipe = self.store.read.experiment(champion.experiment if champion else BASELINE).recipe
        try:
            return self.program.space.apply(change, recipe or {})
        except ChangeRefused as refused:
            raise Stale(str(refused)) from refused

    async def force_zoom_out(self, steering: str, also: Callable[[Database, int, Sequence[str]], object]) -> None:
        """Take stock now; the next proposal follows from it, even where one was prepared.

        Whoever takes stock may need minutes: until then the run goes on with what is prepared.

        Args:
            steering: Where the person wants it to look.
            also: Done in the same write, with the number of the zoom-out and the categories that it names.
        """
        stock = await self.proposer.take_stock(await self.memory(), "forced", steering)

        def write(db: Database) -> None:
            number = keep_stock(db, "forced", steering, stock)
            writes.withdraw(db, "a zoom-out was forced: the next proposal is made anew")
            also(db, number, stock.categories)

        async with self.proposing:  # a proposal that is being made is put first, and goes back with the others
            await self.store.do(write)

    async def _take_stock(self, trigger: str, steering: str, rows: Sequence[Row]) -> int:
        memory = await self._memory(rows)
        stock = await self.proposer.take_stock(memory, trigger, steering)
        return await self.store.do(keep_stock, trigger, steering, stock)

    def idea(
        self, champion: int, field: str, new: object, hypothesis: str = "", also: Sequence[Change] = ()
    ) -> tuple[Proposal, str]:
        """What a person wants to try on a champion's recipe, as a proposal, and the hash of its change.

        Raises:
            ChangeRefused: It does not fit the space or the champion.
        """
        recipe = self.store.read.experiment(champion).recipe or {}
        space = self.program.space
        change = space.change({"field": field, "new": new, "also": [change_json(each) for each in also]}, recipe)
        category = space.category_of(change) or OTHER
        proposal = Proposal(hypothesis or f"a person's idea: {change}", category, change, PERSON)
        return proposal, space.canonical(change, recipe)

    def check_budget(self, more: int) -> None:
        """See that the budget has room for so many ideas of a person's, in the place of what is prepared.

        Raises:
            Refused: It has not.
        """
        prepared = sum(one.proposal.proposer != PERSON for one in self.store.read.experiments(State.PROPOSED))
        if why := self._used_up(more - prepared - 1):
            raise Refused(f"{why}; raise the budget in program.md")

    async def conclude(self, verdict: Verdict, standings: Sequence[Standing], attempt: int, seconds: float) -> None:
        """Let a verdict fall, and say what it means for the belief that it tested.

        Raises:
            Conflict: The experiment was cancelled, or its opponent is no longer champion.
        """
        crowned = verdict.experiment != BASELINE
        status = _SETTLED.get(verdict.outcome)

        def write(db: Database) -> None:
            writes.conclude(db, verdict, standings, crowned, attempt, seconds)
            if status:
                writes.settle_hypothesis(db, verdict.experiment, status)

        await self.store.do(write)

    def _used_up(self, more: int = 0) -> str:
        """Why nothing can be tried after so many more experiments; empty while something can."""
        read, budget = self.store.read, self.program.budget
        if read.count() - read.count(State.CANCELLED) - 1 + more >= budget.experiments:
            return f"all {budget.experiments} experiments of the budget are done"
        if time.monotonic() - self._began > budget.hours * 3600:
            return f"the {budget.hours:g} hours of the budget are over"
        return ""

    async def _acceptable(self, rows: Sequence[Row]) -> Proposal | None:
        """A proposal that the program accepts; what it refuses is recorded with the reason and asked again."""
        for _ in range(REPAIRS):
            memory = await self._memory(rows)
            proposal = await self.proposer.propose(memory)
            if proposal is None or proposal.change is None:
                self._exhausted = "everything that the space opens was tried"
                return None
            try:
                self.program.space.check(proposal.change, memory.recipe)
                if self.program.space.canonical(proposal.change) in memory.hashes:
                    raise ChangeRefused(f"{proposal.change}: was tried before")
            except ChangeRefused as refused:
                await self.store.do(writes.event, Level.WARNING, "proposal", f"refused: {refused}")
                continue
            return proposal
        self._exhausted = f"{self.proposer.name} proposed nothing acceptable {REPAIRS} times in a row"
        return None

    async def memory(self) -> Memory:
        """What a proposal may rest on now."""
        return await self._memory((await self.rows.look())[1])

    async def _memory(self, rows: Sequence[Row]) -> Memory:
        """In a thread: ten thousand beliefs take longer to read than a screen can wait."""
        return await asyncio.to_thread(_remembered, self.store.folder, self.program, rows)

    async def _put(self, proposal: Proposal) -> None:
        assert proposal.change is not None
        await self.store.do(writes.put_forward, proposal, self.program.space.canonical(proposal.change))


def _remembered(folder: Path, program: Plan, rows: Sequence[Row]) -> Memory:
    with closing(Reader(folder)) as read:
        return remember(read, program, rows, program.closed(read))
