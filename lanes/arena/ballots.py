"""The words of the arena as records: a battle that is shown, a ballot that was cast, what became of it, who casts."""

from __future__ import annotations

import hmac
from dataclasses import dataclass, replace
from enum import StrEnum

from checkpoints.records import Choice

DECOY = "attention"
"""Name of the model of an attention check whose answer belongs to another prompt; whoever prefers it has not read."""


class Source(StrEnum):
    """Where a ballot was cast."""

    HELDOUT = "heldout"
    """On the voting page, on a held-out prompt."""

    PRODUCT = "product"
    """In a product, on a prompt of its user."""

    ATTENTION = "attention"
    """On the voting page, on a pair that tests the voter; never a vote on models."""

    REPORT = "report"
    """By a product that had shown the answers itself; no battle was made here."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A battle: two answers to one prompt."""

    id: str
    experiment: int
    test: int
    """Number of the promotion test that it is for; 0 for a verdict."""

    prompt: str
    """Id of the prompt."""

    messages: tuple[dict[str, str], ...]
    """The conversation that was answered, turns of ``role`` and ``content``."""

    model_a: str
    model_b: str
    answer_a: str
    answer_b: str
    source: Source
    consent: bool
    """The user agreed that prompt and answers become training data."""

    simulated: bool
    made_at: float
    closed: bool = False

    def as_shown_to(self, voter: str, secret: bytes) -> Pair:
        """The same pair in the order in which one person sees it, always the same for the same person.

        A product is given its pairs in a random order already, so this is for the voting page alone. What a person
        calls "a" is the first answer of this one.

        Args:
            voter: Their name.
            secret: Of the ledger, without which nobody works out the order.
        """
        digest = hmac.digest(secret, f"order\0{self.id}\0{voter}".encode(), "sha256")
        if digest[0] % 2:
            return self
        return replace(
            self, model_a=self.model_b, model_b=self.model_a, answer_a=self.answer_b, answer_b=self.answer_a
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Ballot:
    """A vote as it came in."""

    key: str
    """Idempotency key: the same vote sent twice is one ballot."""

    battle: str | None
    """None where a product reports a vote on answers that it had shown itself."""

    source: Source
    prompt: str
    model_a: str
    """The model whose answer was shown first."""

    model_b: str
    experiment: int | None
    """None where no open question was about these two models."""

    test: int
    voter: str
    choice: Choice
    comment: str
    seconds: float | None
    """From showing the pair to the vote; None where nobody measured."""

    consent: bool
    simulated: bool
    at: float
    """UTC time at which the vote was cast."""

    seq: int = 0
    """Place in the ledger, from 1; 0 before it is there."""

    def says_the_same(self, other: Ballot) -> bool:
        """Whether two ballots with one key are one vote sent twice."""
        return _content(self) == _content(other)


class Fate(StrEnum):
    """What became of a ballot that was handed in."""

    COUNTED = "counted"
    BEFORE = "counted before"
    CONFLICT = "conflict"
    """Its key, or its voter's place on this pair, is taken by a ballot that says something else."""


@dataclass(frozen=True, slots=True)
class Taken:
    """The ledger's answer to a ballot."""

    seq: int
    """Of the ballot that counts: this one, or the one before."""

    fate: Fate


@dataclass(frozen=True, slots=True)
class Exposure:
    """What users have been given of one model in one experiment's evaluation; all but the names are sums."""

    experiment: int
    model: str
    answers: int = 0
    errors: int = 0
    refusals: int = 0
    characters: int = 0
    seconds: float = 0.0
    """That the answers took."""

    begun: int = 0
    """Answers beside these of which somebody saw the beginning only: they went away, or it broke off."""

    @property
    def shown(self) -> int:
        """Answers that somebody saw, be it in part."""
        return self.answers + self.begun


@dataclass(frozen=True, slots=True)
class VoterFigures:
    """How one voter votes; simulated ballots are not looked at."""

    voter: str
    votes: int
    """Attention checks not among them."""

    first: int
    """Votes for the answer that was shown first."""

    second: int
    median_seconds: float | None
    """None where no vote was timed."""

    fastest_seconds: float | None
    attention_passed: int
    attention_failed: int
    last_at: float

    @property
    def first_share(self) -> float | None:
        """Share of decisive votes for the answer that was shown first; None without any."""
        decisive = self.first + self.second
        return self.first / decisive if decisive else None


def _content(ballot: Ballot) -> tuple[object, ...]:
    shown = (ballot.battle, ballot.prompt, ballot.model_a, ballot.model_b)
    return (*shown, ballot.voter, ballot.choice, ballot.comment, ballot.simulated)
