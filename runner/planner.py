"""What is tried next: the baseline, then one change at a time, in the space and the budget, never twice."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from checkpoints import writes
from checkpoints.records import (
    BASELINE,
    PERSON,
    Change,
    Experiment,
    Json,
    Level,
    Proposal,
    RunState,
    Standing,
    State,
    Verdict,
    model_name,
)
from checkpoints.store import Store
from checkpoints.writes.experiment import change_json
from runner.agent.categories import OTHER
from runner.agent.checks import check
from runner.agent.memory import Memory
from runner.agent.playbook import PLAYBOOK
from runner.agent.proposer import Proposer
from runner.agent.stock import keep_stock
from runner.change import ChangeRefused
from runner.interventions import Refused
from runner.offers import Halt, Offers
from runner.plan import Plan
from runner.recollection import Recollection
from runner.thinking import Dropped

if TYPE_CHECKING:
    from sqlite_utils import Database

AGAIN = 3
"""How often a proposer that says the same as before is asked anew, before there is nothing left to try."""


class Stale(Exception):
    """A proposal that no longer fits the champion; it goes back to the proposer with this reason."""


class Planner:
    """Decides what is tried next, by the program in force."""

    def __init__(self, store: Store, program: Plan, proposer: Proposer) -> None:
        self.store = store
        self.program = program
        """The program in force; a new revision takes effect at the next proposal."""

        self._recollection = Recollection(store, lambda: self.program)
        self._offers = Offers(store, lambda: self.program, self._recollection, proposer)
        self.rows = self._recollection.rows
        self.proposing = asyncio.Lock()
        """Held while a proposal is put, or while what a person asks for is put before it; not while one is thought
        about."""

        self.halted = ""
        """Why nobody could propose when it was last asked; empty where somebody could."""

        self._left = False
        self._began = time.monotonic()
        self._exhausted = ""

    async def propose(self, starves: Callable[[], bool] = lambda: False) -> bool:
        """Put the next experiment before the train lane; False when the budget is used up or nothing is left to try.

        A proposer that thinks longer than the train lane can wait goes on thinking: the playbook's proposal is put
        first, and what comes of the thought is the next one.

        Args:
            starves: Whether the train lane stands still for want of a proposal.

        Raises:
            Halt: Nobody may or can propose.
        """
        try:
            self.halted = ""
            return await self._propose(starves)
        except Halt as halt:
            self.halted = str(halt)
            raise

    async def _propose(self, starves: Callable[[], bool]) -> bool:
        refused = 0
        while not self._left:
            async with self.proposing:
                if (known := await self._known()) is not None:
                    return known
            era = self._offers.era
            try:
                proposal = await self._offers.next(starves)
            except Dropped:
                continue
            if proposal is None:
                self._exhausted = self._offers.exhausted
                return False
            async with self.proposing:
                if self._offers.era != era:
                    continue  # a person wanted something else while it was made
                if self.store.read.count(State.PROPOSED):
                    self._offers.keep(proposal)
                    return True
                if await self._put(proposal):
                    return True
            refused += 1
            if refused > AGAIN and proposal.proposer == PLAYBOOK:
                self._exhausted = f"{proposal.proposer} proposed nothing acceptable {refused} times in a row"
                return False
        return False

    @property
    def proposer(self) -> Proposer:
        """Who proposes."""
        return self._offers.proposer

    def change_proposer(self, proposer: Proposer) -> None:
        """Have somebody else propose from now on."""
        self._offers.change_proposer(proposer)

    def think_anew(self) -> None:
        """Let go of what is thought about: it does not know what is so now."""
        self._offers.think_anew()

    def leave(self) -> None:
        """End what is thought about: nothing more is proposed."""
        self._left = True
        self._offers.think_anew()

    async def _known(self) -> bool | None:
        """What needs no thought: something is prepared, the baseline is first, or the budget is used up."""
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
        return None

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
        parent = self.parent(experiment)
        recipe = self.store.read.experiment(BASELINE if parent is None else parent).recipe
        try:
            return self.program.space.apply(change, recipe or {})
        except ChangeRefused as refused:
            raise Stale(str(refused)) from refused

    def parent(self, experiment: Experiment) -> int | None:
        """The experiment whose recipe a change is applied to: the one that it branches from, or who reigns now.

        Raises:
            Stale: The one that it branches from was taken back.
        """
        if (base := experiment.proposal.base) is not None:
            if self._was_taken_back(base):
                raise Stale(f"{model_name(base)}, which it branches from, was taken back")
            return base
        champion = self.store.read.champion()
        return champion.experiment if champion else None

    def _was_taken_back(self, number: int | None) -> bool:
        """Whether a person vetoed an experiment, or one that its recipe contains."""
        while number is not None:
            one = self.store.read.experiment(number)
            if one.state is State.VETOED:
                return True
            number = one.parent
        return False

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
            self.think_anew()

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
            Refused: It has not, or the run has ended.
        """
        run = self.store.read.run()
        if self._left and run and run.state is RunState.FINISHED:
            raise Refused("it comes too late: the run has ended")
        prepared = sum(one.proposal.proposer != PERSON for one in self.store.read.experiments(State.PROPOSED))
        if why := self._used_up(more - prepared - 1):
            raise Refused(f"{why}; raise the budget in program.md")

    async def conclude(self, verdict: Verdict, standings: Sequence[Standing], attempt: int, seconds: float) -> None:
        """Let a verdict fall, and say what it means for the belief that it tested.

        Raises:
            Conflict: The experiment was cancelled, or its opponent is no longer champion.
        """
        crowned = verdict.experiment != BASELINE

        def write(db: Database) -> None:
            writes.conclude(db, verdict, standings, crowned, attempt, seconds)
            writes.settle_hypothesis(db, verdict.experiment)

        await self.store.do(write)

    def _used_up(self, more: int = 0) -> str:
        """Why nothing can be tried after so many more experiments; empty while something can."""
        read, budget = self.store.read, self.program.budget
        if read.count() - read.count(State.CANCELLED) - 1 + more >= budget.experiments:
            return f"all {budget.experiments} experiments of the budget are done"
        if time.monotonic() - self._began > budget.hours * 3600:
            return f"the {budget.hours:g} hours of the budget are over"
        return ""

    async def memory(self) -> Memory:
        """What a proposal may rest on now."""
        return await self._recollection.now()

    def _check_base(self, proposal: Proposal) -> None:
        if self._was_taken_back(proposal.base):
            assert proposal.base is not None
            raise ChangeRefused(f"{model_name(proposal.base)}, which it branches from, was taken back meanwhile")

    async def _put(self, proposal: Proposal) -> bool:
        """Put a proposal before the train lane, if it is acceptable as things are now; else its refusal is kept."""
        assert proposal.change is not None
        try:
            self._check_base(proposal)
            memory = await self._recollection.for_check(proposal)
            check(proposal, memory, obliged=proposal.proposer != PLAYBOOK)
        except ChangeRefused as refused:
            await self.store.do(_keep_refusal, proposal, str(refused))
            return False
        change_hash = self.program.space.canonical(proposal.change, memory.recipe)
        await self.store.do(writes.put_forward, proposal, change_hash)
        self._offers.was_put(proposal)
        return True


def _keep_refusal(db: Database, proposal: Proposal, why: str) -> None:
    said = asdict(proposal)
    exchange = proposal.exchanges[-1] if proposal.exchanges else None
    writes.add_refusal(db, proposal.proposer, said, why, exchange, proposal.belief)
    writes.event(db, Level.WARNING, "proposal", f"a proposal of {proposal.proposer} was refused: {why}")
