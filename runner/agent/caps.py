"""What the agent may use in a run, held before each question: nothing is asked that would pass a cap."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from checkpoints.records import Level
from checkpoints.thought import Spent
from runner.agent.asking import Unusable

FEWEST_OUT = 500
"""Tokens that an answer is expected to have at least, where nothing is known yet."""


@dataclass(frozen=True, slots=True)
class Guess:
    """What a question will use, before it is asked."""

    tokens: int
    usd: float = 0.0


class Caps:
    """Knows what questions under way will use, too."""

    def __init__(self, spent: Callable[[], Spent], tell: Callable[[Level, str], None]) -> None:
        """Ask nothing yet.

        Args:
            spent: What the run has used, by its store.
            tell: Takes what a person should know, a line each; the same one is told once.
        """
        self._spent, self._tell = spent, tell
        self._under_way: list[Guess] = []
        self._told: set[str] = set()

    def check(self, max_usd: float | None, max_tokens: int | None, guess: Guess) -> None:
        """Refuse a question that would pass a cap.

        Args:
            max_usd: ``agent.max_usd``.
            max_tokens: ``agent.max_tokens``.
            guess: What the question will use.

        Raises:
            Unusable: It would.
        """
        spent = self._spent()
        coming = [*self._under_way, guess]
        tokens = spent.tokens + sum(each.tokens for each in coming)
        usd = spent.usd + sum(each.usd for each in coming)
        if max_tokens is not None and tokens > max_tokens:
            self._refuse(f"{spent.tokens:,} of {max_tokens:,} tokens, agent.max_tokens")
        if max_usd is not None and usd > max_usd:
            self._refuse(f"{spent.usd:.4g} of {max_usd:.4g} USD, agent.max_usd")

    def left(self, max_usd: float | None, max_tokens: int | None) -> tuple[int | None, float | None]:
        """Tokens and USD that nobody has used or will use by a guess; None where there is no cap."""
        spent, coming = self._spent(), self._under_way
        tokens = None if max_tokens is None else max_tokens - spent.tokens - sum(each.tokens for each in coming)
        return tokens, None if max_usd is None else max_usd - spent.usd - sum(each.usd for each in coming)

    def begin(self, guess: Guess) -> None:
        """Count a question that is asked now."""
        self._under_way.append(guess)

    def end(self, guess: Guess) -> None:
        """It has ended; what it used is in the store."""
        self._under_way.remove(guess)

    def _refuse(self, cap: str) -> None:
        line = f"the agent has used {cap}: the next question would pass it"
        if (which := cap.partition(" of ")[2]) not in self._told:
            self._told.add(which)
            self._tell(Level.WARNING, line)
        raise Unusable(line, spent=True)
