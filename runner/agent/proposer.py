"""Who proposes: the interface that the playbook and any model share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from checkpoints.records import Proposal
from checkpoints.thought import Message
from runner.agent.memory import Memory
from runner.agent.stock import Stock
from runner.agent.talk import Reply


class Proposer(Protocol):
    """Proposes one change at a time, steps outside the frame when asked to, and answers a person's questions."""

    @property
    def name(self) -> str:
        """``playbook``, or a model's."""
        ...

    async def propose(self, memory: Memory) -> Proposal | None:
        """The next change; None when it knows of nothing more to try.

        Raises:
            Unusable: It cannot be asked now, or said nothing acceptable.
        """
        ...

    async def take_stock(self, memory: Memory, trigger: str, steering: str) -> Stock:
        """What was tried and never tried, and the categories that the next proposals must come from."""
        ...

    async def answer(self, memory: Memory, turns: Sequence[Message], question: str) -> Reply:
        """What it says to a question about the run, after the conversation so far."""
        ...
