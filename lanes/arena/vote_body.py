"""What a vote looks like on its way in, and what is answered: the types that check both."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from lanes.arena.problems import Fault

MOST_VOTES = 100
"""Votes in one request."""

COMMENT = 2000
"""Characters of a comment."""

_SEEN = r"[^\s\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]"
"""At least one character that is there for everybody to see."""

Name = Annotated[str, Field(min_length=1, max_length=200, pattern=_SEEN)]
Id = Annotated[str, Field(min_length=1, max_length=200)]
Key = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[!-~]+$")]
Choice = Literal["a", "tie", "b"]
Seconds = Annotated[float, Field(ge=0, le=86_400, allow_inf_nan=False)]
Time = Annotated[float, Field(ge=0, le=2**33, allow_inf_nan=False)]


class _Vote(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True)

    choice: Choice
    """a: the first answer is better, b: the second, tie: about equal."""

    voter: Name
    """Name of the user in the product; a person with a token of their own may leave it out."""

    key: Key
    """Idempotency key: sent twice, it is one vote. The header ``Idempotency-Key`` may stand for it; in a list, votes
    are told apart by their place."""

    comment: Annotated[str, Field(max_length=COMMENT)] = ""
    consent: bool | None = None
    """False takes back what the battle allowed: this vote becomes no training data. True cannot give what the battle
    did not allow; left out, it is as with the battle."""

    seconds: Seconds | None = None
    """From showing the answers to the vote."""


class BattleVote(_Vote):
    """A vote on a battle that was made here."""

    battle: Id


class ReportedVote(_Vote):
    """A vote on two answers that a product had shown by itself, that of ``model_a`` first."""

    model_a: Id
    model_b: Id
    prompt: Annotated[str, Field(max_length=8000)] | None = None
    """What the user had said; only its hash is kept."""

    prompt_id: Id | None = None
    at: Time | None = None
    """UTC seconds; left out, or still to come, it is now."""


class Counted(BaseModel):
    """The vote is on the disk."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    vote: int
    """Its number."""

    counted: bool
    """False where it was there already."""


class NotCounted(BaseModel):
    """One vote of a list that is not counted; the others are."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    error: Fault


class KnownVote(BaseModel):
    """A vote as the feed tells of it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    vote: int
    key: str
    battle: str | None
    model_a: str
    model_b: str
    choice: Choice
    voter: str
    prompt: str
    """Id of the prompt."""

    comment: str
    simulated: bool
    at: float


class Feed(BaseModel):
    """Votes in the order in which they came."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    votes: tuple[KnownVote, ...]
    next: int
    """What to ask for with ``after`` to hear the rest; the same where there is none yet."""


class FeedQuery(BaseModel):
    """Which votes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    after: Annotated[int, Field(ge=0, lt=2**63)] = 0
    limit: Annotated[int, Field(ge=1, le=500)] = 500


class StandingQuery(BaseModel):
    """Whose standing."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    voter: Name
    """A product names one of its users; a person with a token of their own may leave it out."""


class OwnStanding(BaseModel):
    """What a voter may know before the end: how much they have done, never who is ahead."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    voter: str
    votes: int
    wanted: int | None
    """Votes that a session asks for; None while nothing is open."""


class Health(BaseModel):
    """The service answers; votes are kept where its status is ok."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    status: Literal["ok", "waiting"]
    trouble: str
    """Why the last vote could not be kept, for a person; empty where it was."""

    troubles: int
    """How often votes could not be kept since the service was started."""

    last_trouble: str
    """Why they could not, the last time."""


Vote = BattleVote | ReportedVote
Votes = Vote | Annotated[list[Vote], Field(min_length=1, max_length=MOST_VOTES)]
Results = Counted | list[Counted | NotCounted]
