"""Records of what makes a verdict believable: promotion tests, promotions, excluded voters, judges' calibrations."""

from __future__ import annotations

from dataclasses import dataclass

from checkpoints.records import Interval, Json, Outcome


@dataclass(frozen=True, slots=True)
class PromotionTest:
    """One test on fresh votes: the run's champion against the model that it began with, or that was promoted last."""

    number: int
    """Counts from 1; the ``test`` of its votes."""

    experiment: int
    """The champion that is tested."""

    opponent: int | None
    """Experiment of the model that it is tested against; None for the reference."""

    order: Json
    """Everything that is needed to do or go on with the test."""

    began_at: float
    ended_at: float | None
    outcome: Outcome | None
    """None while it goes on, and where it was called off."""

    wins: int
    losses: int
    ties: int
    voters: int
    win_rate: Interval | None
    """Ties excluded, Wilson 95 %."""

    anytime: Interval | None
    shrunken: float | None
    reason: str
    """One sentence for a person; empty while it goes on."""


@dataclass(frozen=True, slots=True)
class Look:
    """Which model the votes recommended at one look at them, and how many voters stood behind that."""

    number: int
    test: int
    """Number of the promotion test."""

    model: str
    voters: int
    at: float


@dataclass(frozen=True, slots=True)
class Promotion:
    """A champion that is served to users for good; at most one has no end."""

    experiment: int
    since: float
    until: float | None
    test: int | None
    """The test on fresh votes that it passed; None where a rollback put it back."""

    hypothesis: str
    lift: Interval | None
    """Win rate over the model before it, on fresh votes."""

    reason: str


@dataclass(frozen=True, slots=True)
class Exclusion:
    """A voter whose votes are not counted."""

    voter: str
    reason: str
    at: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """What a language model as judge was found to be worth on labels of people's hands."""

    number: int
    judge: str
    """Its model string."""

    labels: int
    agreement: float
    """Share of the labels that it met, 0 to 1, asked in both display orders."""

    consistency: float
    """Share of the pairs on which both display orders got the same answer, 0 to 1."""

    passed: bool
    reason: str
    at: float
