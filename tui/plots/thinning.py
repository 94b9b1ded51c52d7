"""What of many values is drawn: means of fixed buckets, dashes, stairs; old places stay where they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from tui.axes import Limits

_DASH = 8
"""Buckets of one dash and the gap after it; a cell is two buckets wide."""

_INK = 4
"""Buckets of a dash that are drawn."""


def smooth(values: Sequence[float], weight: float) -> list[float]:
    """Exponential moving average, corrected for its start as Adam does it."""
    smoothed: list[float] = []
    mean, norm = 0.0, 0.0
    for value in values:
        mean = weight * mean + (1 - weight) * value
        norm = weight * norm + (1 - weight)
        smoothed.append(mean / norm)
    return smoothed


def smoothing(steps: float) -> float:
    """Weight of the average for a training of so many steps: its memory is about a tenth of them, at most 10 steps."""
    return 0.9 if steps >= 100 else 0.7


def thin(xs: Sequence[float], ys: Sequence[float], across: Limits, buckets: int) -> tuple[list[float], list[float]]:
    """At most one point a bucket of the axis: the mean of what falls into it."""
    if len(xs) <= buckets:
        return list(xs), list(ys)
    sums: dict[int, tuple[float, float, int]] = {}
    spread = across.upper - across.lower
    for x, y in zip(xs, ys, strict=True):
        bucket = min(buckets - 1, int(buckets * (x - across.lower) / spread)) if spread > 0 else 0
        before = sums.get(bucket, (0.0, 0.0, 0))
        sums[bucket] = (before[0] + x, before[1] + y, before[2] + 1)
    return [x / n for x, _, n in sums.values()], [y / n for _, y, n in sums.values()]


def dashed(
    xs: Sequence[float], ys: Sequence[float], across: Limits, buckets: int
) -> tuple[list[float], list[float], list[bool]]:
    """A line in dashes that stand still, also between places that are far apart.

    Args:
        xs, ys: Places from left to right.
        across: The axis.
        buckets: Of the axis.

    Returns:
        Places, and for each whether a line leads to it from the one before.
    """
    bucket = (across.upper - across.lower) / buckets
    drawn: list[tuple[float, float, bool]] = []
    for index in range(max(len(xs) - 1, 0)):
        (left, right), (low, high) = xs[index : index + 2], ys[index : index + 2]
        slope = (high - low) / (right - left) if right > left else 0.0
        first = int((left - across.lower) / bucket / _DASH)
        for dash in range(first, int((right - across.lower) / bucket / _DASH) + 1):
            begin, end = across.lower + dash * _DASH * bucket, across.lower + (dash * _DASH + _INK) * bucket
            begin, end = max(begin, left), min(end, right)
            if begin < end:
                drawn += [(begin, low + slope * (begin - left), False), (end, low + slope * (end - left), True)]
    if len(xs) == 1:
        drawn = [(xs[0], ys[0], False)]
    return [x for x, _, _ in drawn], [y for _, y, _ in drawn], [joined for _, _, joined in drawn]


def stairs(
    xs: Sequence[float], ys: Sequence[float], column: Callable[[float], int], row: Callable[[float], int]
) -> Iterator[tuple[int, int, str]]:
    """Cells of a line that holds each value until the next place, as (column, row, sign).

    Args:
        xs, ys: Places from left to right.
        column, row: Of a value.
    """
    if not xs:
        return
    steps: dict[int, int] = {}
    for x, y in zip(xs, ys, strict=True):
        steps[column(x)] = row(y)
    here = row(ys[0])
    for place in range(column(xs[0]), column(xs[-1]) + 1):
        there = steps.get(place, here)
        if there == here:
            yield place, here, "─"
            continue
        up = there > here
        yield place, here, "╯" if up else "╮"
        for between in range(min(here, there) + 1, max(here, there)):
            yield place, between, "│"
        yield place, there, "╭" if up else "╰"
        here = there
