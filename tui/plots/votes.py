"""Voters on one experiment as they came: the win rate with the interval that holds however often one looks."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from pathlib import Path

from checkpoints.records import REFERENCE, Experiment, Interval, model_name
from lanes.analyze.win_rate import anytime
from runner.figures import BLUE, EVEN, SKY, Band, Figure, Line, Rule

_FIRST = 10
"""Voters before whom the win rate jumps too much for an axis to follow it."""


@dataclass(frozen=True, slots=True)
class Ballots:
    """The voters on one experiment against its opponent, in the order in which their sessions closed."""

    experiment: int
    opponent: int | None
    """None for the reference."""

    mark: float = 0.0
    """Up to which they were read."""

    wins: tuple[float, ...] = ()
    """For each voter how many were for it by then, each by the share of their decisive votes, that one included."""

    @property
    def over(self) -> str:
        """The opponent's name."""
        return REFERENCE if self.opponent is None else f"#{self.opponent}"


def read_ballots(folder: Path, experiment: Experiment, before: Ballots | None) -> Ballots:
    """Read what came since, with a connection of its own, so that this may happen in any thread."""
    from checkpoints.reader import Reader

    own, opponent = experiment.model, experiment.opponent
    if before is None or (before.experiment, before.opponent) != (experiment.number, opponent):
        before = Ballots(experiment.number, opponent)
    rival = REFERENCE if opponent is None else model_name(opponent)
    with closing(Reader(folder)) as reader:
        if reader.count_closed(experiment.number, own, rival, before.mark) != len(before.wins):
            before = Ballots(experiment.number, opponent)
        mark, means = reader.closed_means(experiment.number, own, rival, before.mark)
    wins = accumulate(((1 + mean) / 2 for mean in means), initial=before.wins[-1] if before.wins else 0.0)
    next(wins)
    return Ballots(experiment.number, opponent, mark, before.wins + tuple(wins))


def votes(ballots: Ballots, right: int, places: int, simulated: bool) -> Figure:
    """Win rate by number of voters, each counted as one, per cent.

    Args:
        ballots: At least one.
        right: Last voter on the axis.
        places: How many of them are shown, at even distances: the interval takes time to compute.
        simulated: Whether the voters are.
    """
    every = max(1, right // places)
    first = min(_FIRST, len(ballots.wins))
    shown = sorted({first, *(vote for vote in range(0, len(ballots.wins), every) if vote > first), len(ballots.wins)})
    found = [_at(ballots.wins[vote - 1], vote) for vote in shown]
    xs, last = tuple(float(vote) for vote in shown), found[-1]
    voters = ", simulated voters" if simulated else ""
    return Figure(
        title=f"Votes on #{ballots.experiment} over {ballots.over}",
        x_label="voters",
        y_label=f"win rate, %{voters}",
        rules=(Rule(EVEN, "even"),),
        bands=(
            Band(
                f"95 % at any time {last.low:.1f}–{last.high:.1f}", SKY, xs, tuple(one.low for one in found),
                tuple(one.high for one in found),
            ),
        ),
        lines=(Line(f"won {last.estimate:.1f} % of {shown[-1]}", BLUE, xs, tuple(one.estimate for one in found)),),
    )  # fmt: skip


def seen(ballots: Ballots) -> list[float]:
    """Rates, per cent, that the axis must have: the last with its interval, and the others past the first few."""
    last = _at(ballots.wins[-1], len(ballots.wins))
    held = [100 * won / vote for vote, won in enumerate(ballots.wins, 1) if vote > 2 * _FIRST]
    return [last.low, last.high, *([min(held), max(held)] if held else [])]


@lru_cache(maxsize=4096)
def _at(wins: float, votes: int) -> Interval:
    """The interval after so many voters, per cent."""
    interval = anytime(wins, votes - wins)
    assert interval is not None
    return Interval(100 * interval.estimate, 100 * interval.low, 100 * interval.high)
