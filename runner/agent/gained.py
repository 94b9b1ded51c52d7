"""What an experiment gained over its opponent, above 0 where it is better, whether people or a metric judged."""

from __future__ import annotations

from checkpoints.records import Interval, Row

EVEN = 0.5
"""Win rate of two models that are the same."""


def gained(win_rate: Interval | None, effect: Interval | None) -> Interval | None:
    """The gain with its 95 % interval; None where nobody judged.

    Args:
        win_rate: Against the opponent, where people voted.
        effect: In the metric's unit, where one judged.

    Returns:
        In win rate above even, or in the metric's unit.
    """
    if effect or not win_rate:
        return effect
    return Interval(win_rate.estimate - EVEN, win_rate.low - EVEN, win_rate.high - EVEN)


def found_effect(row: Row) -> Interval | None:
    """The same of an experiment that a verdict fell on; None where none did."""
    return gained(row.verdict.win_rate, row.verdict.effect) if row.verdict else None
