"""How often each way of stopping is wrong, and how many votes it asks for: exact, by dynamic programming.

Run ``python -m bench.verdicts`` from the root of the repository; it takes well under a minute.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from checkpoints.records import REFERENCE, Choice, Interval, Outcome, VoterMeans
from lanes.analyze.ranking import fit, tabulate
from lanes.analyze.verdict import Rule, decide
from lanes.analyze.win_rate import anytime, shrunken, wilson

CAP = 1000
WIN_RATES = (0.45, 0.50, 0.52, 0.55, 0.60, 0.66)

Floats = NDArray[np.float64]
Stop = Callable[[int, Floats], tuple[NDArray[np.bool_], NDArray[np.bool_]]]
"""From the number of votes and the possible numbers of wins: which of them keep, and which end without a keep."""


@dataclass(frozen=True, slots=True)
class Ends:
    """Where a way of stopping ends; all arrays are (win rates,) or (stops, win rates)."""

    keeps: Floats
    votes: Floats
    stops: list[tuple[int, int, bool]]
    """Wins, losses and whether it was a keep."""

    chances: Floats


def main() -> None:
    """Print the tables."""
    rules: dict[str, Stop] = {
        "this program's rule": anytime_valid(Rule(max_votes=CAP)),
        "Wilson 95 %, looked at every 10 votes": wilson_at(range(10, CAP + 1, 10)),
        "Wilson 95 % one-sided, at 617 votes": wilson_at([617], confidence=0.90),
        "Wilson 95 %, at 150 votes": wilson_at([150]),
    }
    ends = {name: play(stop) for name, stop in rules.items()}
    table("keeps, %", {name: 100 * end.keeps for name, end in ends.items()}, "{:9.2f}")
    table("votes, mean", {name: end.votes for name, end in ends.items()}, "{:9.0f}")
    shown_at_the_end(ends["this program's rule"])
    speeds()


def play(stop: Stop) -> Ends:
    """Follow the probability of every (wins, losses) to where it stops, for all win rates at once."""
    p = np.array(WIN_RATES)
    alive = np.ones((1, len(p)))
    stops: list[tuple[int, int, bool]] = []
    chances: list[Floats] = []
    for votes in range(1, CAP + 1):
        grown = np.zeros((votes + 1, len(p)))
        grown[1:] += alive * p
        grown[:-1] += alive * (1 - p)
        alive = grown
        reached = np.flatnonzero(alive.any(axis=1))
        keep, leave = stop(votes, reached.astype(np.float64))
        over = keep | leave | (votes == CAP)
        stops += [(int(w), int(votes - w), bool(k)) for w, k in zip(reached[over], keep[over], strict=True)]
        chances += list(alive[reached[over]])
        alive[reached[over]] = 0
    chance = np.array(chances)
    kept = np.array([keep for _, _, keep in stops])
    asked = np.array([wins + losses for wins, losses, _ in stops])
    return Ends(chance[kept].sum(axis=0), asked @ chance, stops, chance)


def anytime_valid(rule: Rule) -> Stop:
    """The program's own ``decide``, asked after every vote."""

    def stop(votes: int, wins: Floats) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        outcomes = [decide(rule, VoterMeans.each(int(w), int(votes - w))) for w in wins]
        keep = np.array([outcome is Outcome.KEEP for outcome in outcomes])
        return keep, np.array([outcome is Outcome.DISCARD for outcome in outcomes])

    return stop


def wilson_at(looks: range | list[int], confidence: float = 0.95) -> Stop:
    """Keep as soon as Wilson's interval lies above even at a look; end when it lies below, or the looks are over."""
    z2 = NormalDist().inv_cdf((1 + confidence) / 2) ** 2

    def stop(votes: int, wins: Floats) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        share = wins / votes
        # The interval leaves out 1/2 exactly when the score test rejects it.
        rejected = (share - 0.5) ** 2 * votes > z2 / 4
        look = votes in looks
        return rejected & (share > 0.5) & look, (rejected & (share < 0.5) & look) | (votes >= looks[-1])

    return stop


def table(title: str, rows: dict[str, Floats], form: str) -> None:
    """Print one line a rule, one column a true win rate."""
    print(f"{title:40}" + "".join(f"{'p=' + format(p, '.2f'):>9}" for p in WIN_RATES))
    for name, values in rows.items():
        print(f"{name:40}" + "".join(form.format(value) for value in values))
    print()


def shown_at_the_end(ends: Ends) -> None:
    """What is shown when the program's rule has stopped: how true is it by then?"""
    kept = np.array([keep for _, _, keep in ends.stops])[:, None] * ends.chances
    raw = np.array([wins / (wins + losses) for wins, losses, _ in ends.stops])
    pulled = np.array([shrunken(wins, losses) for wins, losses, _ in ends.stops])
    rows = {
        "mean win rate of keeps": 100 * raw @ kept / kept.sum(axis=0),
        "mean shrunken win rate of keeps": 100 * pulled @ kept / kept.sum(axis=0),
        "Wilson 95 % holds the truth": 100 * covered(ends, wilson),
        "anytime 95 % holds the truth": 100 * covered(ends, anytime),
    }
    table("shown when it stops, %", rows, "{:9.1f}")


def covered(ends: Ends, interval: Callable[[int, int], Interval | None]) -> Floats:
    """Probability, at each win rate, that the interval at the stop holds it."""
    total = np.zeros(len(WIN_RATES))
    for (wins, losses, _), chance in zip(ends.stops, ends.chances, strict=True):
        found = interval(wins, losses)
        assert found is not None
        total += chance * [found.low <= p <= found.high for p in WIN_RATES]
    return total


def speeds() -> None:
    """Print what one look costs."""
    rule, means = Rule(), VoterMeans.each(520, 478)
    print(f"{'one decision':40}{1e6 * seconds(lambda: decide(rule, means), 2000):9.1f} µs")
    print(f"{'one anytime interval':40}{1e6 * seconds(lambda: anytime(520, 478), 2000):9.1f} µs")
    counted = million_votes(models=100)
    counts = tabulate(counted)
    print(f"{'ranking, 1,000,000 votes counted by pair':40}{1e3 * seconds(lambda: tabulate(counted), 5):9.1f} ms")
    print(f"{'ranking, fit of 100 models':40}{1e3 * seconds(lambda: fit(counts, {}), 5):9.1f} ms")


def million_votes(models: int) -> dict[tuple[str, str, Choice], int]:
    """A million votes, a fifth of them ties, between models of random strength; every two models meet."""
    rng = np.random.default_rng(0)
    names = [REFERENCE, *(f"exp-{number:04d}" for number in range(1, models))]
    strength = rng.normal(0, 0.5, models)
    pairs = [(a, b) for a in range(models) for b in range(a)]
    each = 1_000_000 / len(pairs)
    return {
        (names[a], names[b], choice): int(rng.poisson(each * share))
        for a, b in pairs
        for p in [1 / (1 + np.exp(strength[b] - strength[a]))]
        for choice, share in ((Choice.A, 0.8 * p), (Choice.B, 0.8 * (1 - p)), (Choice.TIE, 0.2))
    }


def seconds(work: Callable[[], object], times: int) -> float:
    """Seconds for one call, the best of three rounds."""
    rounds: list[float] = []
    for _ in range(3):
        begun = time.perf_counter()
        for _ in range(times):
            work()
        rounds.append((time.perf_counter() - begun) / times)
    return min(rounds)


if __name__ == "__main__":
    main()
