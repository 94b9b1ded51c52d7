"""How many votes it takes to find the one better candidate of several that are open at once: Thompson sampling of
``lanes.arena.allocation`` against even shares, both with the verdict's own rule at the bar for so many candidates.

Run ``python -m bench.slots`` from the root of the repository; it takes about a minute on two cores.
"""

from __future__ import annotations

import random
import time
from bisect import bisect_left
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from math import sqrt
from statistics import fmean, stdev

from checkpoints.records import Outcome, VoterMeans
from lanes.analyze.verdict import Rule, decide
from lanes.arena.allocation import next_meeting, pick
from lanes.arena.lineup import Arm, Lineup

RUNS = 2_000
"""Simulated contests of each row."""

SAVED = 0.25
"""Share of the votes that Thompson sampling must save."""

BETTER, EVEN = 0.60, 0.50
"""True win rates against the champion."""

CASES = {
    "one at .60 among three": (BETTER, EVEN, EVEN),
    "one at .60 among five": (BETTER, EVEN, EVEN, EVEN, EVEN),
    "three, all even": (EVEN, EVEN, EVEN),
    "five, all even": (EVEN, EVEN, EVEN, EVEN, EVEN),
}


@dataclass(slots=True)
class Counted:
    """An open arm with its votes so far."""

    rate: float
    """True win rate of its candidate."""

    wins: int = 0
    losses: int = 0
    test: int = 0


Pick = Callable[[Sequence[Counted], random.Random], Counted]


@dataclass(frozen=True, slots=True)
class Contest:
    """How one simulated contest ended."""

    votes: int
    """Of all candidates together, one a voter, none a tie."""

    kept: float | None
    """True win rate of the candidate that was kept; None where none was."""


def main() -> None:
    """Print the tables."""
    begun = time.perf_counter()
    rows = [(case, name) for case in CASES for name in PICKS]
    with ProcessPoolExecutor(2) as pool:
        ends = dict(zip(rows, pool.map(play, rows), strict=True))
    print(f"{'':26}{'':10}{'votes':>8}{'± se':>7}{'saved':>8}{'right keeps':>13}{'false keeps':>13}")
    for case, name in rows:
        even = fmean(end.votes for end in ends[case, "even"])
        report(case, name, ends[case, name], even)
    decision()
    print(f"{len(rows) * RUNS:,} contests in {time.perf_counter() - begun:.0f} s; must: {SAVED:.0%} saved at .60")


def even(arms: Sequence[Counted], chance: random.Random) -> Counted:
    """Every open arm alike."""
    return arms[int(chance.random() * len(arms))]


PICKS: dict[str, Pick] = {"even": even, "Thompson": pick}


def play(row: tuple[str, str]) -> list[Contest]:
    """All contests of one row, the same voters' luck at every run of this file."""
    case, name = row
    rates = CASES[case]
    keep, leave = bounds(Rule(arms=len(rates)))
    return [contest(rates, PICKS[name], keep, leave, random.Random(f"{case} {run}")) for run in range(RUNS)]


def contest(
    rates: Sequence[float], choose: Pick, keep: Sequence[int], leave: Sequence[int], chance: random.Random
) -> Contest:
    """Ask for votes until a candidate is kept or all have left."""
    arms = [Counted(rate) for rate in rates]
    votes = 0
    while arms:
        arm = choose(arms, chance)
        votes += 1
        if chance.random() < arm.rate:
            arm.wins += 1
        else:
            arm.losses += 1
        seen = arm.wins + arm.losses
        if arm.wins >= keep[seen]:
            return Contest(votes, arm.rate)
        if arm.wins <= leave[seen]:
            arms = [other for other in arms if other is not arm]
    return Contest(votes, None)


def bounds(rule: Rule) -> tuple[list[int], list[int]]:
    """The rule's own ``decide`` as two tables: by number of votes, fewest wins that keep and most that end without.

    More wins of as many votes never speak less for a candidate, so each bound is found by halving.
    """
    keep, leave = [1], [-1]
    for votes in range(1, rule.max_votes + 1):
        wins = range(votes + 1)
        keep.append(bisect_left(wins, True, key=lambda w: outcome(rule, w, votes) is Outcome.KEEP))
        leave.append(bisect_left(wins, True, key=lambda w: outcome(rule, w, votes) in (None, Outcome.KEEP)) - 1)
    return keep, leave


def outcome(rule: Rule, wins: int, votes: int) -> Outcome | None:
    """What the rule says."""
    return decide(rule, VoterMeans.each(wins, votes - wins))


def report(case: str, name: str, ends: Sequence[Contest], even_votes: float) -> None:
    """Print one row."""
    votes = [end.votes for end in ends]
    saved = 1 - fmean(votes) / even_votes
    right = sum(end.kept is not None and end.kept > EVEN for end in ends) / len(ends)
    wrong = sum(end.kept is not None and end.kept <= EVEN for end in ends) / len(ends)
    error = stdev(votes) / sqrt(len(votes))
    print(f"{case:26}{name:10}{fmean(votes):8.0f}{error:7.1f}{saved:8.1%}{right:13.1%}{wrong:13.1%}")


def decision() -> None:
    """Print what one decision costs."""
    for count in (1, 3, 5, 10):
        arms = tuple(
            Arm(experiment=i, candidate=f"c{i}", opponent="champion", wins=40.5 + i, losses=41) for i in range(count)
        )
        lineup = Lineup(arms=arms, champion="champion", reference="reference", reference_share=0.25)
        chance, calls = random.Random(1), 20_000
        begun = time.perf_counter()
        for _ in range(calls):
            next_meeting(lineup, {}, chance)
        print(f"one decision, {count} open: {1e6 * (time.perf_counter() - begun) / calls:.1f} µs (must: ≤ 50 µs)")


if __name__ == "__main__":
    main()
