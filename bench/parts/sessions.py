"""Voters with several votes each, who agree with themselves, and where a verdict on them ends: simulated."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bench.parts.stopping import Bounds, Drawn, Flags, Floats, Integers
from checkpoints.records import Outcome, VoterMeans
from lanes.analyze.verdict import WEIGHTS, Rule, decide, futility_evidence, keep_evidence

OUTCOMES = (None, Outcome.KEEP, Outcome.DISCARD, Outcome.INCONCLUSIVE)


@dataclass(frozen=True, slots=True)
class Crowd:
    """Beta-binomial voters: each has a win rate of their own, drawn from a beta distribution, and votes by it.

    Two votes of one voter are then correlated by ``1 / (a + b + 1)`` for a beta distribution of parameters a and b.
    """

    rate: float
    """Mean of the voters' win rates."""

    correlation: float
    """Of two votes by one voter, above 0 and below 1."""

    votes: int = 5
    """Of each voter, none a tie."""

    def sessions(self, voters: int, chance: np.random.Generator) -> Flags:
        """Which votes are wins, (voters, votes), in the order in which they were cast."""
        spread = 1 / self.correlation - 1
        own = chance.beta(self.rate * spread, (1 - self.rate) * spread, (voters, 1))
        return chance.random((voters, self.votes)) < own


def found_correlation(crowd: Crowd, voters: int, chance: np.random.Generator) -> float:
    """The correlation of two votes by one voter, as it is in so many of them: the mean over all pairs of votes."""
    between: Floats = np.asarray(np.corrcoef(crowd.sessions(voters, chance), rowvar=False))
    return float(np.mean(between[np.triu_indices(crowd.votes, 1)]))


def by_vote(way: Bounds, crowd: Crowd, times: int, chance: np.random.Generator) -> Drawn:
    """Simulate experiments that take each vote for another voter's and look after every one."""
    kept, asked = np.zeros(times, dtype=np.bool_), np.zeros(times, dtype=np.int64)
    alive, wins = np.arange(times), np.zeros(times, dtype=np.int64)
    cast = np.empty((0, 0), dtype=np.bool_)
    for votes in range(1, len(way.keep)):
        at = (votes - 1) % crowd.votes
        if at == 0:
            cast = crowd.sessions(len(alive), chance)
        wins += cast[:, at]
        keep = wins >= way.keep[votes]
        over = keep | (wins <= way.leave[votes])
        kept[alive[keep]] = True
        asked[alive[over]] = votes
        alive, wins, cast = alive[~over], wins[~over], cast[~over]
    return Drawn(kept, asked)


def by_voter(rule: Rule, crowd: Crowd, times: int, chance: np.random.Generator) -> Drawn:
    """Simulate experiments that count each voter as one, by the mean of their votes, and look after every voter.

    What a voter's mean does to the bets comes from the verdict's own functions, a voter at a time; every end found so
    is put to ``decide`` as well, and the look before it.

    Raises:
        ArithmeticError: ``decide`` says something else.
    """
    means = 2 * np.arange(crowd.votes + 1) / crowd.votes - 1
    steps = np.array([_steps(mean, rule.lift) for mean in means])
    ended, asked = np.zeros(times, dtype=np.int64), np.zeros(times, dtype=np.int64)
    alive, logs = np.arange(times), np.zeros((times, steps.shape[1]))
    counts = np.zeros((times, len(means)), dtype=np.int64)
    last = np.zeros(times, dtype=np.int64)
    for voters in range(1, rule.max_votes + 1):
        wins = crowd.sessions(len(alive), chance).sum(axis=1)
        logs += steps[wins]
        counts[alive, wins] += 1
        last[alive] = wins
        if voters < rule.min_votes:
            continue
        now = _said(rule, logs, voters)
        ended[alive], asked[alive] = now, voters
        alive, logs = alive[now == 0], logs[now == 0]
    _check(rule, means, counts, last, ended)
    return Drawn(ended == OUTCOMES.index(Outcome.KEEP), asked)


def _steps(mean: float, lift: float) -> list[float]:
    """What one voter with this mean adds to the log of each bet for a keep, and to that of the one for futility."""
    one = VoterMeans(((float(mean), 1),))
    return [*(keep_evidence(one, k * lift, (1.0,)) for k in range(1, len(WEIGHTS) + 1)), futility_evidence(one, lift)]


def _said(rule: Rule, logs: Floats, voters: int) -> Integers:
    """What each experiment's bets say, as a place in ``OUTCOMES``."""
    kept = np.logaddexp.reduce(logs[:, :-1] + np.log(WEIGHTS), axis=1) >= rule.keep_boundary
    futile = logs[:, -1] >= -np.log(rule.beta)
    open_, keep, discard, left = range(len(OUTCOMES))
    return np.where(kept, keep, np.where(futile, discard, left if voters >= rule.max_votes else open_))


def _check(rule: Rule, means: Floats, counts: Integers, last: Integers, ended: Integers) -> None:
    one = np.eye(len(means), dtype=np.int64)
    for row, final, end in zip(counts, last, ended, strict=True):
        said = decide(rule, _voter_means(means, row))
        before = decide(rule, _voter_means(means, row - one[final]))
        if said is not OUTCOMES[end] or before is not None:
            raise ArithmeticError(
                f"the simulation ended with {OUTCOMES[end]}, decide says {said}, before that {before}"
            )


def _voter_means(means: Floats, row: Integers) -> VoterMeans:
    return VoterMeans(tuple((mean, count) for mean, count in zip(means.tolist(), row.tolist(), strict=True) if count))
