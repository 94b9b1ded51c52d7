"""The next proposal, from whoever proposes; the playbook's in its place where that one cannot be asked or is late."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Callable
from dataclasses import replace

from checkpoints import writes
from checkpoints.records import Level, Proposal, State
from checkpoints.store import Store
from runner.agent.asking import Unusable
from runner.agent.memory import Memory
from runner.agent.playbook import PLAYBOOK, Playbook
from runner.agent.proposer import Proposer
from runner.agent.stock import keep_stock
from runner.agent.zoom_out import due
from runner.plan import Plan
from runner.recollection import Recollection
from runner.space import Space
from runner.thinking import Dropped, Late, Thinking, patience

ASK_AGAIN_SECONDS, ASKED_AGAIN = 30.0, 20
"""Where nobody else can propose: how long until a proposer that cannot be asked is asked again, and how often."""

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

        self._store, self._plan, self._recollection = store, plan, recollection
        self._playbook = Playbook()
        self._thinking = Thinking()
        self._spare: Proposal | None = None
        self._news = asyncio.Event()
        self._told = ""

    async def next(self, starves: Callable[[], bool]) -> Proposal | None:
        """The proposer's next proposal, or the playbook's in its place; None when nobody knows of anything."""
        spare, self._spare = self._spare, None
        if spare:
            return spare
        _, rows = await self._recollection.rows.look()
        training = next((row.train_seconds for row in reversed(rows) if row.train_seconds is not None), None)
        enough = patience(starves, training) if self.proposer.name != PLAYBOOK else never
        why = ""
        for _ in range(ASKED_AGAIN):
            try:
                found = await self._thinking.outcome(self._think, enough)
            except Late:
                if found := await self._stand_in(f"{self.proposer.name} is still thinking"):
                    return found
                enough = never
                continue
            except Unusable as unusable:
                if unusable.spent and self._plan().agent.over == "pause":
                    raise Halt(str(unusable)) from None
                why = str(unusable)
                if found := await self._stand_in(why):
                    return found
                await self._pause_for_news(why)
                continue
            if found is None:
                self.exhausted = self._why_nothing()
            return found
        raise Halt(f"nobody else can propose: {why}")

    def keep(self, proposal: Proposal) -> None:
        """Have a proposal for the next time: somebody else's was put first."""
        self._spare = None if proposal.proposer == PLAYBOOK else proposal

    def was_put(self, proposal: Proposal) -> None:
        """A proposal has become an experiment."""
        if proposal.proposer == self.proposer.name:
            self._told = ""

    def change_proposer(self, proposer: Proposer) -> None:
        """Have somebody else propose from now on."""
        self.proposer, self._told = proposer, ""
        self.think_anew()

    def think_anew(self) -> None:
        """Let go of what is thought about: it does not know what is so now."""
        self._spare = None
        self._thinking.drop()
        self._news.set()

    def _why_nothing(self) -> str:
        """Why the proposer knows of nothing.

        Raises:
            Halt: It never will, and the baseline is through.
        """
        if isinstance(self._plan().space, Space):
            return "everything that the space opens was tried"
        why = "the playbook edits no script: name a language model in agent.model of program.md"
        if self.proposer.name == PLAYBOOK and not self._store.read.count(*UNDER_WAY):
            raise Halt(why)
        return why

    async def _pause_for_news(self, why: str) -> None:
        """Wait a while before a proposer that cannot be asked is asked again."""
        await self._tell(f"nobody else can propose, it is asked again in {ASK_AGAIN_SECONDS:g} s: {why}")
        self._news.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ASK_AGAIN_SECONDS):
                await self._news.wait()
                raise Dropped

    async def _think(self) -> Proposal | None:
        """Take stock where that is due, then propose."""
        _, rows = await self._recollection.rows.look()
        if trigger := due(rows, self._store.read.zoom_outs(), self._plan().zoom_out):
            stock = await self.proposer.take_stock(await self._recollection.of(rows), trigger, "")
            await self._store.do(keep_stock, trigger, "", stock)
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
