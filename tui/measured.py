"""What repeated trainings measured of one experiment: the metric, its gain, every seed, and the locked hold-out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.text import Text

from checkpoints.measurements import HeldRows, Measurement, Role
from checkpoints.records import Interval, Row
from tui.signs import BRIGHT, GREY, RED
from tui.snapshot import Snapshot
from tui.widgets.lines import said
from tui.words import measured, signed


def numbers(snapshot: Snapshot, row: Row, found: Sequence[Measurement]) -> Iterator[tuple[str, Text]]:
    """Names and what they stand for; nothing where people judge."""
    verdict = row.verdict
    if verdict and verdict.value:
        yield snapshot.metric or "metric", _interval(verdict.value)
    if verdict and verdict.effect:
        text = Text(f"{signed(verdict.effect.estimate)} over its opponent, above 0 is better", BRIGHT)
        yield "gain", text.append(f" [{signed(verdict.effect.low)}, {signed(verdict.effect.high)}]", GREY)
    for name, role in (("screen", Role.SCREEN), ("fresh seeds", Role.FRESH)):
        if chosen := [one for one in found if one.rows is HeldRows.OPEN and one.role is role]:
            yield name, _seeds(chosen)
    if locked := [one for one in found if one.rows is HeldRows.LOCKED]:
        yield "locked", _seeds(locked).append("  on rows that decide nothing", GREY)
    if snapshot.floor and any(one.rows is HeldRows.OPEN for one in found):
        yield "noise", Text(snapshot.floor.words, GREY)


def _interval(value: Interval) -> Text:
    estimate, _ = measured(value)
    decimals = len(estimate.partition(".")[2])
    ends = f"[{value.low:.{decimals}f}, {value.high:.{decimals}f}]"
    return Text(f"{estimate} ", BRIGHT).append(ends, GREY)


def _seeds(found: Sequence[Measurement]) -> Text:
    """Each training's number; of one that has none, why."""
    parts: list[Text] = []
    for one in found:
        if one.value is None:
            parts.append(Text().append(f"seed {one.seed}: ", RED).append_text(said(one.failure, RED)))
        else:
            error = "" if one.standard_error is None else f" ±{one.standard_error:.2g}"
            parts.append(Text(f"{one.value:.6g}").append(error, GREY))
    return Text("   ").join(parts)
