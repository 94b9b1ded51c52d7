"""The conversation about a run: what a person asks is answered from the memory, with what the agent would try."""

from __future__ import annotations

from dataclasses import dataclass

from checkpoints.thought import Idea


@dataclass(frozen=True, slots=True)
class Reply:
    """What is said to a person's question."""

    text: str
    ideas: tuple[Idea, ...] = ()
    """What the agent would try; a person may inject each."""

    exchange: int | None = None
    """The exchange with a language model that it came from."""
