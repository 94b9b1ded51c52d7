"""The next proposal, from whoever proposes; the playbook's in its place where that one cannot be asked or is late."""

from __future__ import annotations

import asyncio
import contextlib
import re
import sqlite3
from collections.abc import Callable
from dataclasses import replace

from checkpoints import writes
from checkpoints.records import Level, Proposal, State
from checkpoints.store import Store, StoreError
from runner.agent.asking import Hopeless, Unacceptable, Unusable
from runner.agent.memory import Memory
from runner.agent.playbook import PLAYBOOK, Playbook
from runner.agent.proposer import Proposer
from runner.agent.stock import keep_own_stock
from runner.agent.zoom_out import due
from runner.plan import Plan
from runner.recollection import Recollection
from runner.space import Space
from runner.thinking import Dropped, Late, Thinking, patience

FIRST_SECONDS, LONGEST_SECONDS = 30.0, 600.0
"""Where nobody else can propose: how long until a proposer that cannot be asked is asked again, doubled each time, at
most so long. It goes on for as long as the budget has hours left."""

ROUNDS = 3
"""Where nobody else can propose: how often in a row it may say nothing acceptable, before a person has to look."""

EXHAUSTED = "everything that the space opens was tried"

UNDER_WAY = (
    State.TRAINING, State.TRAINED, State.UPLOADING, State.UPLOADED, State.EVALUATING, State.EVALUATED,
)  # fmt: skip
"""States of an experiment that a lane has to do with."""


class Halt(Exception):
    """Nobody may or can propose; the run is held with this reason."""


class Offers:
    """Knows who proposes, and what is thought about right now."""

    def __init__(self, store: Store, plan: Callable[[], Plan], recollection: Recollection, proposer: Proposer) -> None:
        self.proposer = proposer
        self.exhausted = ""
        """Why nobody knew of anything to propose."""

        self.era = 0
        """Grows whenever what was thought about until then is of no use any more."""

        self._store, self._plan, self._recollection = store, plan, recollection
        self._playbook = Playbook()
        self._thinking = Thinking()
        self._spare: Proposal | None = None
        self._news = asyncio.Event()
        self._told = ""
        self._failed = self._refused = 0
        """How often in a row nobody proposed, and how often of them all that was said was refused."""

        self._given_up: object = None

    async def next(self, starves: Callable[[], bool]) -> Proposal | None:
        """The proposer's next proposal, or the playbook's in its place; None when nobody knows of anything.

        Raises:
            Dropped: Things are not what they were: look at them, then ask again.
            Halt: Nobody may or can propose until a person does something.
        """
        spare, self._spare = self._spare, None
        if spare:
            return spare
        if self._given_up == self._standing():
            return self._give_up(self.exhausted)
        _, rows = await self._recollection.rows.look()
        training = next((row.train_seconds for row in reversed(rows) if row.train_seconds is not None), None)
        try:
            found = await self._thought(patience(starves, training) if self.proposer.name != PLAYBOOK else never)
        except Unusable as unusable:
            return await self._without(unusable)
        except (Dropped, StoreError, sqlite3.Error):
            raise
        except Exception as error:  # a mistake in whoever proposes costs a proposal, never the night
            return await self._without(await self._mistake(error))
        if found is None:
            return self._give_up(self._why_nothing())
        return found

    def keep(self, proposal: Proposal) -> None:
        """Have a proposal for the next time: somebody else's was put first."""
        self._spare = None if proposal.proposer == PLAYBOOK else proposal

    def was_put(self, proposal: Proposal) -> None:
        """A proposal has become an experiment."""
        self._failed = self._refused = 0
        if proposal.proposer == self.proposer.name:
            self._told = ""

    def change_proposer(self, proposer: Proposer) -> None:
        """Have somebody else propose from now on."""
        self.proposer, self._told = proposer, ""
        self.think_anew()

    def think_anew(self) -> None:
        """Let go of what is thought about: it does not know what is so now."""
        self.era += 1
        self._spare = None
        self._thinking.drop()
        self._news.set()

    async def _thought(self, enough: Callable[[], bool]) -> Proposal | None:
        """What comes of the thought under way, or the playbook's proposal where nobody can wait for that."""
        try:
            return await self._thinking.outcome(self._think, enough)
        except Late:
            stand_in = await self._stand_in(f"{self.proposer.name} is still thinking")
            return stand_in or await self._thinking.outcome(self._think, never)

    async def _without(self, unusable: Unusable) -> Proposal | None:
        """What is proposed where the proposer proposes nothing: the playbook's, where it knows of anything."""
        if unusable.spent and self._plan().agent.over == "pause":
            raise Halt(str(unusable))
        if found := await self._stand_in(str(unusable)):
            return found
        refused = isinstance(unusable, Unacceptable)
        self._failed += 1
        self._refused += refused
        if isinstance(self._plan().space, Space) and (refused or unusable.spent):
            return self._give_up(EXHAUSTED)
        if unusable.spent or isinstance(unusable, Hopeless) or self._refused >= ROUNDS:
            return self._give_up(f"nobody else can propose: {unusable}")
        await self._pause(unusable)
        raise Dropped

    def _give_up(self, why: str) -> None:
        """Propose nothing until something changes that could help.

        Raises:
            Halt: A person has to change it, and nothing is under way.
        """
        self.exhausted, self._given_up = why, self._standing()
        if why != EXHAUSTED and not self._store.read.count(*UNDER_WAY):
            self._given_up, self._refused = None, 0  # whoever lets it go on wants it to be asked
            raise Halt(why)

    def _standing(self) -> object:
        """What has to change before somebody knows of something to propose who knew of nothing."""
        read = self._store.read
        return self._plan(), self.era, read.champion(), read.count(State.CANCELLED)

    def _why_nothing(self) -> str:
        """Why the proposer knows of nothing."""
        if isinstance(self._plan().space, Space):
            return EXHAUSTED
        return "the playbook edits no script: name a language model in agent.model of program.md"

    async def _mistake(self, error: Exception) -> Unusable:
        """Put what should never happen on record."""
        line = f"{self.proposer.name} cannot propose: {' '.join(f'{type(error).__name__}: {error}'.split())}"
        await self._store.do(writes.event, Level.ERROR, "agent", line)
        return Unusable(line)

    async def _pause(self, unusable: Unusable) -> None:
        """Wait before a proposer is asked again: as long as its service is left alone, else longer each time."""
        seconds = unusable.seconds or min(FIRST_SECONDS * 2.0 ** (self._failed - 1), LONGEST_SECONDS)
        await self._tell(f"nobody else can propose, it is asked again in {seconds:.0f} s: {unusable}")
        self._news.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._news.wait()

    async def _think(self) -> Proposal | None:
        """Take stock where that is due, then propose."""
        _, rows = await self._recollection.rows.look()
        zoom_outs = self._store.read.zoom_outs()
        if trigger := due(rows, zoom_outs, self._plan().zoom_out):
            stock = await self.proposer.take_stock(await self._recollection.of(rows), trigger, "")
            await self._store.do(keep_own_stock, trigger, stock, len(zoom_outs))
        memory = await self._recollection.of(rows, self._recollection.base(rows))
        return _from(memory, await self.proposer.propose(memory))

    async def _stand_in(self, why: str) -> Proposal | None:
        """The playbook's proposal; the reason is said once, until the proposer proposes again."""
        _, rows = await self._recollection.rows.look()
        memory = await self._recollection.of(rows, self._recollection.base(rows))
        if proposal := _from(memory, await self._playbook.propose(memory)):
            await self._tell(f"the playbook proposes: {why}")
        return proposal

    async def _tell(self, text: str) -> None:
        """Show why somebody else proposes, or nobody; the same once, until the proposer proposes again."""
        if (reason := _without_numbers(text)) != self._told:
            self._told = reason
            await self._store.do(writes.event, Level.WARNING, "agent", text)


def never() -> bool:
    """Nobody is in a hurry."""
    return False


def _without_numbers(why: str) -> str:
    """A reason without what differs from time to time: seconds, tokens, amounts."""
    return re.sub(r"[0-9]+", "", why)


def _from(memory: Memory, proposal: Proposal | None) -> Proposal | None:
    """A proposal that says what it branches from."""
    return proposal and replace(proposal, base=memory.base)
