"""Records of what the agent said and was told: exchanges, refusals, notes, the conversation, what it says right now."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from checkpoints.records import Json


class Purpose(StrEnum):
    """What a language model was asked for."""

    PROPOSE = "propose"
    REPAIR = "repair"
    """The same once more, told what was wrong."""

    ZOOM_OUT = "zoom-out"
    ASK = "ask"
    """A person's question."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One question to a language model and its answer, or why there was none."""

    number: int
    """Counts from 1."""

    at: float
    purpose: Purpose
    model: str
    """litellm model string."""

    form: str
    """How the answer was asked for: ``json_schema``, ``tool``, ``json_mode``, ``fenced`` or ``text``."""

    experiment: int | None
    """The experiment that came of it; None where none did."""

    request: str
    """The messages as they were sent, one after the other, shortened in the middle where they are very long."""

    answer: str
    """As it came, shortened likewise; empty where none did."""

    error: str
    """Why there was no usable answer; empty where there was one."""

    tokens_in: int
    tokens_out: int
    usd: float | None
    """What it cost; None where nobody knows the model's price."""

    seconds: float
    """From the first request to the last word, with what was waited between tries."""


@dataclass(frozen=True, slots=True)
class Spent:
    """What the agent has used so far, over all exchanges."""

    exchanges: int
    tokens: int
    """In and out."""

    usd: float
    """Over those whose price is known."""

    unpriced: int
    """Exchanges whose price nobody knows."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A proposal that the program refused, and why."""

    number: int
    at: float
    proposer: str
    proposal: Json
    """As it was proposed."""

    reason: str
    exchange: int | None
    """The exchange that it came from; None for the playbook."""

    belief: int | None = None
    """The hypothesis that it should have tested, whatever it says itself; None where any would have done."""


@dataclass(frozen=True, slots=True)
class Note:
    """What a person wants the agent to know; outranks what the agent believes."""

    number: int
    text: str
    at: float


@dataclass(frozen=True, slots=True)
class Idea:
    """A belief that came up in a conversation or a zoom-out, and that nobody has tested yet."""

    text: str
    category: str


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of the conversation about the run."""

    number: int
    role: str
    """``person`` or ``agent``."""

    text: str
    ideas: tuple[Idea, ...]
    """What the agent would try; a person may inject each."""

    at: float
    exchange: int | None


@dataclass(frozen=True, slots=True)
class Speech:
    """What the agent says right now, as it comes."""

    purpose: Purpose
    text: str
    """The end of it, at most 2,000 characters; empty before the first word."""

    at: float
    """When it was asked."""
