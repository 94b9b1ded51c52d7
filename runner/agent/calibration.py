"""How well effects are foreseen: what was expected of each change beside what came."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import fmean

from checkpoints.records import Interval, Row
from runner.agent.gained import found_effect


@dataclass(frozen=True, slots=True)
class Calibrated:
    """Expected effects against those that were found, over all experiments that have both."""

    experiments: int
    right_sign: int
    """How often what was expected to be better was better, and what was expected to be worse, worse."""

    expected: float
    """Mean of what was expected, in win rate above even or in the metric's unit; 0 where nothing was."""

    found: float
    """Mean of what came, in the same unit."""

    covered: int
    """How often what was expected lies within the 95 % interval of what came."""

    in_votes: bool
    """Whether the unit is win rate."""

    def __str__(self) -> str:
        """One line for a person."""
        if not self.experiments:
            return "no effect that was expected has been measured yet"
        return (
            f"of {self.experiments} expected effects {self.right_sign} had the right sign, {self.covered} lie within"
            f" the 95 % interval of what came; {self._size(self.expected)} expected on average,"
            f" {self._size(self.found)} came"
        )

    def _size(self, effect: float) -> str:
        return f"{100 * effect:+z.1f} points" if self.in_votes else f"{effect:+.4g}"


def calibrated(rows: Iterable[Row]) -> Calibrated:
    """How well the effects were foreseen of which both the expected and the found one are known."""
    both: list[tuple[float, Interval]] = []
    in_votes = True
    for row in rows:
        expected = row.experiment.proposal.expected
        if expected is not None and (found := found_effect(row)):
            both.append((expected.effect, found))
            in_votes = row.verdict is None or row.verdict.effect is None
    return Calibrated(
        experiments=len(both),
        right_sign=sum((expected > 0) == (found.estimate > 0) for expected, found in both),
        expected=fmean(expected for expected, _ in both) if both else 0.0,
        found=fmean(found.estimate for _, found in both) if both else 0.0,
        covered=sum(found.low <= expected <= found.high for expected, found in both),
        in_votes=in_votes,
    )
