"""How long rankings take with a million votes over a hundred models, and how often their intervals hold the truth.

Run ``python -m bench.ranking`` from the root of the repository; it takes about a minute.
"""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from checkpoints.records import REFERENCE, Choice, VoterMeans
from lanes.analyze.analysis import analyse
from lanes.analyze.bootstrap import draw
from lanes.analyze.clustered import clustered
from lanes.analyze.ranking import fit, tabulate
from lanes.analyze.running import RunningRanking
from lanes.analyze.simulation import Columns, World, simulated
from lanes.analyze.verdict import Rule, decide
from lanes.analyze.vote_csv import read_votes, write_votes
from lanes.analyze.vote_table import VoteTable, of_columns

MODELS, VOTES, VOTERS = 100, 1_000_000, 100_000

SETS = 400
"""Sets of votes that the intervals are tried on."""


def main() -> None:
    """Print each figure beside its bound."""
    names = [REFERENCE, *(f"exp-{number:04d}" for number in range(1, MODELS))]
    world = World(
        {name: math.exp(0.5 * math.sin(at)) for at, name in enumerate(names)}, VOTES, VOTERS, 1000, ties=0.2, first=0.53
    )
    print(f"{VOTES:,} votes by {VOTERS:,} voters on {MODELS} models")
    columns = simulated(world)
    speeds(columns)
    whole_file(columns)
    print()
    print(f"95 % intervals that hold the truth, {SETS} sets of 5 votes by each of 60 voters")
    for correlation in (0.0, 0.3):
        coverage(correlation)


def speeds(columns: Columns) -> None:
    """The ranking from scratch, after one more vote, with resampled voters; and one decision."""
    table = of_columns(columns.model_a, columns.model_b, columns.choice, columns.voter, columns.prompt)
    said("ranking from scratch, from columns of names", seconds(lambda: from_scratch(columns), 1), 1.0)
    running = RunningRanking({}, so_far=table)
    running.ranking()
    said("ranking after one more vote", seconds(lambda: after_one_more(running), 20), 0.05)
    said("one decision", seconds(lambda: decide(Rule(), VoterMeans.each(520, 478)), 2000), 50e-6)
    begun = time.perf_counter()
    draws = draw(table, 0)
    said(f"intervals, {draws.resamples} resamples of the voters", time.perf_counter() - begun, None)
    begun = time.perf_counter()
    analyse(table)
    said("all of votes analyze", time.perf_counter() - begun, None)


def from_scratch(columns: Columns) -> None:
    """Names to numbers, numbers to counts, counts to a ranking."""
    cells = of_columns(columns.model_a, columns.model_b, columns.choice)
    RunningRanking({}, so_far=cells).ranking()


def after_one_more(running: RunningRanking) -> None:
    """Count a vote, and rank."""
    running.add("exp-0007", "exp-0008", Choice.A)
    running.ranking()


def whole_file(columns: Columns) -> None:
    """Read the same votes from a file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "votes.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            write_votes(columns, file)
        said("reading a file of them", seconds(lambda: read_votes(path), 1), None)


def coverage(correlation: float) -> None:
    """How often the interval of the win rate against the reference holds the true one, with each way of counting."""
    truth, held = 1.3 / 2.3, [0, 0]
    for seed in range(SETS):
        drawn = simulated(World({REFERENCE: 1.0, "exp-0001": 1.3}, 300, 60, 1, correlation=correlation, seed=seed))
        table = of_columns(drawn.model_a, drawn.model_b, drawn.choice, drawn.voter)
        for at, rates in enumerate((by_voter(table), by_vote(drawn))):
            held[at] += rates[0] <= truth <= rates[1]
    by_voters, by_votes = (100 * times / SETS for times in held)
    print(f"  correlation {correlation:.1f} within a voter: {by_voters:5.1f} % by voter, {by_votes:5.1f} % by vote")


def by_voter(table: VoteTable) -> tuple[float, float]:
    """The interval from resampled voters."""
    rate = next(one.reference for one in clustered(table, {})[0].standings if one.model != REFERENCE)
    return rate.low, rate.high


def by_vote(drawn: Columns) -> tuple[float, float]:
    """The interval that takes each vote for another voter's."""
    counted: dict[tuple[str, str, Choice], int] = {}
    for a, b, choice in zip(drawn.model_a, drawn.model_b, drawn.choice, strict=True):
        counted[a, b, Choice(choice)] = counted.get((a, b, Choice(choice)), 0) + 1
    rate = next(one.reference for one in fit(tabulate(counted), {}).standings if one.model != REFERENCE)
    return rate.low, rate.high


def seconds(work: Callable[[], object], times: int) -> float:
    """Seconds for one call, the best of three rounds."""
    rounds: list[float] = []
    for _ in range(3):
        begun = time.perf_counter()
        for _ in range(times):
            work()
        rounds.append((time.perf_counter() - begun) / times)
    return min(rounds)


def said(what: str, took: float, bound: float | None) -> None:
    """Print a time beside its bound."""
    limit = f"(bound {_time(bound)})" if bound is not None else ""
    print(f"  {what:44}{_time(took):>10}  {limit}")


def _time(took: float) -> str:
    if took >= 1:
        return f"{took:.1f} s"
    return f"{1e3 * took:.1f} ms" if took >= 1e-3 else f"{1e6 * took:.1f} µs"


if __name__ == "__main__":
    main()
