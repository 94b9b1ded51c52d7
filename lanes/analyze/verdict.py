"""When the votes are enough, and what they then say: keep, discard or inconclusive.

The votes are looked at after each one, so the rule is built on e-values, which stay honest under continuous looking.
A voter's votes agree with each other more than with other voters', so that each voter counts as one, by their mean.
Nothing here but the standard library, because the dashboard imports it.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from checkpoints.records import Interval, Json, Outcome, Tally, Verdict, VoterMeans, model_name
from lanes.analyze.win_rate import anytime, shrunken, wilson

WEIGHTS = (0.5, 0.25, 0.25)
"""How the bet against "no better than even" is spread over win rates of 1/2 + 1, 2 and 3 lifts."""

Votes: TypeAlias = Literal["votes", "simulated votes", "partly simulated votes"]
"""Whose votes: people's, those of simulated voters, or of both."""


@dataclass(frozen=True, slots=True)
class Rule:
    """When to stop asking for votes.

    Raises:
        ValueError: a field out of its range, with the field, its value and what is allowed.
    """

    alpha: float = 0.05
    """Probability of ever keeping a candidate that is no better than even, 0 to 1."""

    beta: float = 0.2
    """Probability of ever discarding as futile a candidate that has the lift, 0 to 1."""

    lift: float = 0.05
    """Smallest gain in win rate over one half that is worth having, 0 to 1/6 (0.05 is 5 points)."""

    min_votes: int = 20
    """Voters before any verdict, at least 1; who votes once is one vote."""

    max_votes: int = 1000
    """Voters after whom the question is left open, at least ``min_votes``."""

    arms: int = 1
    """Candidates that are judged side by side, at least 1; ``alpha`` is shared among them."""

    def __post_init__(self) -> None:
        if not 0 < self.alpha < 1:
            raise ValueError(f"alpha is {self.alpha}: it must lie between 0 and 1")
        if not 0 < self.beta < 1:
            raise ValueError(f"beta is {self.beta}: it must lie between 0 and 1")
        _check_lift(self.lift, len(WEIGHTS))
        if self.min_votes < 1:
            raise ValueError(f"min_votes is {self.min_votes}: it must be at least 1")
        if self.max_votes < self.min_votes:
            raise ValueError(f"max_votes is {self.max_votes}: it must be at least min_votes, {self.min_votes}")
        if self.arms < 1:
            raise ValueError(f"arms is {self.arms}: it must be at least 1")

    @property
    def keep_boundary(self) -> float:
        """Natural log of the e-value from which a candidate is kept: by Bonferroni over arms, log(arms / alpha)."""
        return math.log(self.arms) - math.log(self.alpha)

    def ordered(self) -> Json:
        """What an order keeps of it, so that nobody chooses it by the votes that came."""
        return {
            "alpha": self.alpha, "beta": self.beta, "lift": self.lift,
            "min_votes": self.min_votes, "max_votes": self.max_votes,
        }  # fmt: skip

    def as_ordered(self, order: Json) -> Rule:
        """The rule as when an evaluation was ordered, whatever the program says by now.

        Args:
            order: of an evaluation or a promotion test; this rule where it is of a time before orders kept it.
        """
        return replace(self, arms=order.get("arms", 1), **order.get("rule", {}))


def decide(rule: Rule, means: VoterMeans) -> Outcome | None:
    """What the votes say by now; None means go on asking."""
    voters = means.voters
    if voters < rule.min_votes:
        return None
    if keep_evidence(means, rule.lift) >= rule.keep_boundary:
        return Outcome.KEEP
    if futility_evidence(means, rule.lift) >= -math.log(rule.beta):
        return Outcome.DISCARD
    return Outcome.INCONCLUSIVE if voters >= rule.max_votes else None


def progress(rule: Rule, means: VoterMeans) -> float:
    """How near the nearest end is, 0 to 1: keep, discard or the cap. It is 1 exactly when ``decide`` has an answer."""
    if decide(rule, means) is not None:
        return 1.0
    voters = means.voters
    nearest = max(
        keep_evidence(means, rule.lift) / rule.keep_boundary,
        futility_evidence(means, rule.lift) / -math.log(rule.beta),
        voters / rule.max_votes,
    )
    # Evidence may fall short of its boundary by less than a float tells, or lie past it before min_votes.
    return min(nearest, voters / rule.min_votes, math.nextafter(1.0, 0.0))


def to_go(rule: Rule, means: VoterMeans) -> int | None:
    """Further voters until the nearest end, if they vote as those before did; 0 when decided, None before the first."""
    if decide(rule, means) is not None:
        return 0
    voters = means.voters
    if not voters:
        return None
    low, high = voters, max(rule.max_votes, voters)
    while low < high:
        middle = (low + high) // 2
        if _decided_by(rule, means, middle):
            high = middle
        else:
            low = middle + 1
    return low - voters


def keep_evidence(means: VoterMeans, lift: float, weights: Sequence[float] = WEIGHTS) -> float:
    """Log of the e-value against "the candidate is no better than even".

    A mixture of simple bets, ``Σ_k W_k Π_i (1 + 2kδ·m_i)`` over voters' means m for k = 1, 2, …: for a voter with one
    vote the likelihood ratio of win rate 1/2 + kδ. Under the null no mean is above 0 on average, so it is a
    supermartingale that starts at 1 and ever reaches 1/α with probability at most α (Ville 1939), however often the
    votes are looked at.

    Args:
        means: voters whose session has closed; ties never move it.
        lift: δ, the smallest gain in win rate worth having, 0 < lift < 1/6 with three weights.
        weights: share of the bet on each alternative; positive, together 1.

    Returns:
        Natural log; compare with ``-log(alpha)``.
    """
    _check_lift(lift, len(weights))
    logs = [math.log(weight) + _bet(means.counts, 2 * k * lift) for k, weight in enumerate(weights, start=1)]
    top = max(logs)
    return top + math.log(sum(math.exp(each - top) for each in logs))


def futility_evidence(means: VoterMeans, lift: float) -> float:
    """Log of the e-value against "the candidate has the lift worth having": ``Π_i 1 / (1 + 2δ·m_i)``.

    Convex in a voter's mean, so its expectation is at most 1 wherever that mean is 2δ or more on average.

    Args:
        means: voters whose session has closed; ties never move it.
        lift: δ, the smallest gain in win rate worth having, 0 < lift < 1/2.

    Returns:
        Natural log; compare with ``-log(beta)``.
    """
    _check_lift(lift, 1)
    return -_bet(means.counts, 2 * lift)


def conclude(
    rule: Rule,
    experiment: int,
    candidate: str,
    opponent: str,
    tally: Tally,
    means: VoterMeans,
    reference: Interval | None,
    at: float,
    parent: int | None,
    opponent_number: int | None,
    judges: Votes = "votes",
) -> Verdict:
    """The whole verdict on votes that have ended, because the rule said so or because there are no more to come.

    Args:
        rule: when to stop.
        experiment: number of the experiment whose candidate was judged.
        candidate, opponent: model names, for the sentence.
        tally: all votes of the candidate against the opponent.
        means: the same with each voter counted as one.
        reference: win rate against the reference from the ranking; None when unknown.
        at: UTC seconds since the epoch.
        parent: champion whose recipe the change was applied to; None when there was none.
        opponent_number: experiment of the opponent; None for the reference.
        judges: what was counted, for the sentence.
    """
    outcome = decide(rule, means) or Outcome.INCONCLUSIVE
    return Verdict(
        experiment=experiment,
        outcome=outcome,
        wins=tally.wins,
        losses=tally.losses,
        ties=tally.ties,
        win_rate=wilson(tally.wins, tally.losses),
        anytime=anytime(means.wins, means.losses, rule.alpha),
        shrunken=shrunken(means.wins, means.losses) if means.voters else None,
        reference=reference,
        reason=_with_parent(reason(rule, tally, means, outcome, candidate, opponent, judges), parent, opponent_number),
        decided_at=at,
        voters=means.voters,
    )


def reason(
    rule: Rule,
    tally: Tally,
    means: VoterMeans,
    outcome: Outcome,
    candidate: str,
    opponent: str,
    judges: Votes = "votes",
) -> str:
    """One sentence for a person: the evidence in numbers, then the conclusion.

    Raises:
        ValueError: the outcome is a crash, which no votes decide.
    """
    if outcome is Outcome.CRASH:
        raise ValueError(f"{candidate} crashed: no count of votes is the reason for that")
    facts = f"{_count(tally.wins, 'win')} to {_count(tally.losses, 'loss')}"
    if tally.ties:
        facts += f" ({tally.ties:,} about equal)"
    facts += f" against {opponent}"
    if judges in ("simulated votes", "partly simulated votes"):
        facts += f" in {judges}"
    rate = wilson(tally.wins, tally.losses)
    if rate is None:
        return f"{facts}: nobody preferred either, so {candidate} is inconclusive and {opponent} stays."
    shown = per_cent(rate)
    if means.voters != tally.decisive:
        shown += f", by {_count(means.voters, 'voter')} counted as one each {_share(means)}"
    return f"{facts}: {shown}, {_conclusion(rule, means, outcome, candidate, opponent, judges)}."


def votes_of(voters: Collection[bool]) -> Votes:
    """The votes by their name, which never lets simulated ones pass for people's.

    Args:
        voters: True where simulated voters are among them, False where people are.
    """
    if True not in voters:
        return "votes"
    return "partly simulated votes" if False in voters else "simulated votes"


def per_cent(rate: Interval) -> str:
    """A win rate with its interval as a person reads it."""
    return f"{100 * rate.estimate:.1f} % [{100 * rate.low:.1f}, {100 * rate.high:.1f}]"


def _conclusion(rule: Rule, means: VoterMeans, outcome: Outcome, candidate: str, opponent: str, judges: Votes) -> str:
    needed = _e_value(rule.keep_boundary)
    beside = f", {rule.arms} candidates side by side" if rule.arms > 1 else ""
    kept = _e_value(keep_evidence(means, rule.lift))
    if outcome is Outcome.KEEP:
        shrunk = f"{100 * shrunken(means.wins, means.losses):.1f} % allowing for luck"
        return f"{shrunk}, e-value {kept} ≥ {needed}{beside}, so {candidate} is kept"
    if outcome is Outcome.DISCARD:
        futile = _e_value(futility_evidence(means, rule.lift))
        return (
            f"e-value {futile} ≥ {_e_value(-math.log(rule.beta))} that it is not better by {100 * rule.lift:g} points, "
            f"so {candidate} is discarded"
        )
    so = f"so {candidate} is inconclusive and {opponent} stays"
    if means.voters < rule.min_votes:
        there = f"{means.voters:,} of the {rule.min_votes:,} voters needed"
        return f"{there} at the end of the {judges}, {so}"
    end = f"the cap of {rule.max_votes:,} voters" if means.voters >= rule.max_votes else f"the end of the {judges}"
    return f"e-value {kept} of the {needed} needed{beside} at {end}, {so}"


def _decided_by(rule: Rule, means: VoterMeans, voters: int) -> bool:
    """Whether so many voters, with means in the present proportions, would be enough."""
    share = voters / means.voters
    scaled = [(mean, share * count) for mean, count in means.counts]
    kept = [math.log(w) + _bet(scaled, 2 * k * rule.lift) for k, w in enumerate(WEIGHTS, start=1)]
    return voters >= rule.min_votes and (
        voters >= rule.max_votes
        or max(kept) >= rule.keep_boundary
        or -_bet(scaled, 2 * rule.lift) >= -math.log(rule.beta)
    )


def _bet(counts: Iterable[tuple[float, float]], stake: float) -> float:
    """Log of what a bet of this stake on each voter has made: ``Σ n·log(1 + stake·m)``."""
    return sum(voters * math.log1p(stake * mean) for mean, voters in counts)


def _share(means: VoterMeans) -> str:
    return f"{100 * means.wins / means.voters:.1f} %" if means.voters else "unknown"


def _with_parent(sentence: str, parent: int | None, opponent: int | None) -> str:
    if parent is None or opponent is None or parent == opponent:
        return sentence
    change = f"its change was made to the recipe of {model_name(parent)}"
    return f"{sentence.removesuffix('.')}; {change}, while {model_name(opponent)} was champion when it was judged."


def _count(number: int, word: str) -> str:
    if number == 1:
        return f"1 {word}"
    return f"{number:,} {word}{'es' if word.endswith('s') else 's'}"


def _e_value(log: float) -> str:
    """An e-value as a person reads it, cut and not rounded: what is written as 20 has reached 20."""
    # The nudge gives back what exp and log lost of a value that is a whole number, such as 1/0.05.
    log += 1e-12
    if log >= math.log(1e6) or log < math.log(0.1):
        return f"10^{math.floor(log / math.log(10))}"
    value = math.exp(log)
    return f"{math.floor(value):,}" if value >= 100 else f"{math.floor(value * 10) / 10:g}"


def _check_lift(lift: float, steps: int) -> None:
    if not 0 < 2 * steps * lift < 1:
        raise ValueError(f"lift is {lift}: it must lie between 0 and 1/{2 * steps} (0.05 is 5 points of win rate)")
