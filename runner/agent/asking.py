"""What a language model is asked and what comes back: the border between the agent and the process that asks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from checkpoints.records import Json
from checkpoints.thought import Purpose


@dataclass(frozen=True, slots=True)
class Question:
    """One request to a language model."""

    purpose: Purpose
    messages: tuple[Mapping[str, str], ...]
    """``role`` (system, user, assistant) and ``content`` of each."""

    schema: Json | None = None
    """JSON schema that the answer has to fit; None asks for text."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a language model answered."""

    text: str
    value: Json | None
    """What fits the schema; None where text was asked for."""

    exchange: int
    """Its number in the store."""


class Unreadable(Exception):
    """An answer came that is not what was asked for; the message says what is wrong with it, for whoever answered."""

    def __init__(self, why: str, text: str, exchange: int) -> None:
        super().__init__(why)
        self.text = text
        self.exchange = exchange


class Unusable(Exception):
    """Nobody can be asked now: no key, no answer, a cap of the program reached. The message is a line for a person."""

    def __init__(self, why: str, spent: bool = False, seconds: float = 0.0) -> None:
        super().__init__(why)
        self.spent = spent
        """Whether a cap of the program is the reason."""

        self.seconds = seconds
        """How long its service is left alone; 0 where nobody knows."""


class Hopeless(Unusable):
    """Nobody can be asked until a person does something: there is no key, or no such model."""


class Unacceptable(Unusable):
    """All that was said was refused."""


class LanguageModel(Protocol):
    """A model that can be asked."""

    @property
    def name(self) -> str:
        """Its litellm model string."""
        ...

    async def ask(self, question: Question) -> Answer:
        """Ask, and keep the exchange in the store; what comes is shown as it comes.

        Raises:
            Unreadable: What came is not what was asked for; asking again with that said may help.
            Unusable: It cannot be asked, now or at all.
        """
        ...

    async def close(self) -> None:
        """End what it runs in."""
        ...
