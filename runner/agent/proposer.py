"""Who proposes: the interface that the playbook and any model share."""

from __future__ import annotations

from typing import Protocol

from checkpoints.records import Proposal
from runner.agent.memory import Memory


class Proposer(Protocol):
    """Proposes one change at a time, and steps outside the frame when asked to."""

    name: str

    async def propose(self, memory: Memory) -> Proposal | None:
        """The next change; None when it knows of nothing more to try."""
        ...

    async def take_stock(self, memory: Memory, trigger: str, steering: str) -> tuple[str, tuple[str, ...]]:
        """What was tried and never tried, as text, and the categories that the next proposals must come from."""
        ...
