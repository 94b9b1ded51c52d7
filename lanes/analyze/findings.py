"""What the analysis of votes found, as plain numbers for a screen, a file or a sentence.

Nothing here but the standard library, because the dashboard imports it.
"""

from __future__ import annotations

from dataclasses import dataclass

from checkpoints.records import Interval


@dataclass(frozen=True, slots=True)
class Pair:
    """The votes on two models, whoever of them was shown first."""

    model_a: str
    model_b: str
    wins_a: int
    ties: int
    wins_b: int
    win_rate_a: Interval | None
    """Ties set aside, with Wilson's 95 % interval; None without a decisive vote."""


@dataclass(frozen=True, slots=True)
class Strength:
    """One model's place among all that votes were cast on; an end is ±∞ (of a strength ∞ or 0) where it is open."""

    model: str
    votes: int
    elo: Interval
    strength: Interval
    """Bradley–Terry strength π = exp(θ); over the models that are known the mean is 1."""

    reference: Interval | None
    """Win rate against the reference; None where there is none."""

    corrected: float | None
    """Elo without the advantage of being shown first; None where that is not known."""


@dataclass(frozen=True, slots=True)
class Position:
    """What being shown first is worth."""

    first: Interval | None
    """Share of even matches that the answer shown first wins; None where the votes do not tell."""

    shift: float
    """The most that any model moves without it, in Elo points."""

    matters: bool
    """The interval leaves out one half."""

    sentence: str


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far voters agree, beyond chance, on the same question about the same two models."""

    fleiss: Interval | None
    """Fleiss' kappa; None where no two voters were shown the same."""

    items: int
    """Questions that several voters were shown."""

    cohen: float | None
    """Cohen's kappa, the mean over pairs of voters; None where no two voters share enough questions."""

    pairs: int
    """Pairs of voters that share enough."""

    sentence: str


@dataclass(frozen=True, slots=True)
class Correlation:
    """How one order of the models goes with another, −1 to 1."""

    interval: Interval
    """As other voters of the same kind might have had it."""

    p: float
    """Two-sided: how often chance alone orders the models at least as much alike, or opposite."""

    permutations: int
    """Orders that p was counted over."""

    exact: bool
    """All orders there are, and not a sample of them."""


@dataclass(frozen=True, slots=True)
class TrustPoint:
    """One model by the metric and by the people."""

    model: str
    value: float
    elo: Interval


@dataclass(frozen=True, slots=True)
class Disagreement:
    """Two models that the metric orders one way and the people the other."""

    by_metric: str
    """The better one by the metric."""

    by_people: str
    sure: float
    """How sure the people are: share of resamples of the voters that say so, too; 0.5 to 1, as a rule."""


@dataclass(frozen=True, slots=True)
class Trust:
    """Whether a metric orders the models as people do."""

    metric: str
    higher_is_better: bool
    points: tuple[TrustPoint, ...]
    """Best by the people first."""

    spearman: Correlation | None
    """None with fewer than three models, or where all have the same value; above 0 is agreement."""

    kendall: Correlation | None
    disagreements: tuple[Disagreement, ...]
    """Surest first."""

    left_out: tuple[str, ...]
    """Models with only a value or only votes."""

    sentence: str
    more: int = 0
    """Pairs in opposite orders that are not among the disagreements, as there are too many to keep."""
