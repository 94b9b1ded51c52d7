"""What voters are shown, and where their votes come from: pairs of answers go in blind, votes come out."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import AsyncGenerator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Protocol

from checkpoints.records import Choice, Vote
from checkpoints.text import clean
from lanes.prompts import display
from lanes.rows import Conversation


@dataclass(frozen=True, slots=True)
class Battle:
    """Two answers to one prompt, as they are shown."""

    experiment: int
    prompt: str
    """Id of the prompt."""

    messages: Conversation
    """The conversation that was answered."""

    model_a: str
    model_b: str
    answer_a: str
    answer_b: str
    wanted: int
    """Votes that are asked for, those that came already included."""

    voted: AbstractSet[str]
    """Voters that have voted already, wherever; others may come while the battle is open."""

    test: int = 0
    """Number of the promotion test that asks for it; 0 where a verdict does."""

    @property
    def question(self) -> str:
        """What the user said, as voters read it."""
        return clean(display(self.messages))

    @property
    def id(self) -> str:
        """Name of the battle; who knows the experiment can work out from it which models are compared."""
        return hashlib.sha256(self.key("").encode()).hexdigest()[:16]

    def blind_id(self, secret: bytes) -> str:
        """Name under which people are shown the battle: it tells the models to nobody without the secret."""
        # The test is left out, as in the key: a vote on this pair is one, whichever question asked for it.
        return hmac.digest(secret, f"battle\0{self.key('')}".encode(), "sha256").hex()[:32]

    def key(self, voter: str) -> str:
        """Idempotency key of a voter's vote, whatever the display order."""
        pair = "~".join(sorted((self.model_a, self.model_b)))
        return f"{self.experiment}:{pair}:{self.prompt}:{voter}"

    def vote(self, voter: str, choice: Choice, simulated: bool) -> Vote:
        """A voter's vote on it."""
        return Vote(
            self.experiment, self.key(voter), voter, self.prompt, self.model_a, self.model_b, choice, simulated,
            time.time(), self.test,
        )  # fmt: skip


class VoteSource(Protocol):
    """Where votes come from."""

    simulated: bool
    """Whether no people vote."""

    def cast(self, battles: Sequence[Battle], last: bool) -> AsyncGenerator[Vote | None]:
        """Show battles, and give votes as they come, until it is time for further battles.

        Gives None after each look for votes; those that do not come through here are in the store by then.

        Args:
            battles: Of one question.
            last: No further battles follow: go on until all wanted votes are there.
        """
        ...
