"""Numbers and times as a person reads them."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from typing import cast

from checkpoints.records import Interval, Row


def duration(seconds: float) -> str:
    """``4:10`` or ``6:12:05``; above a minute in steps of five seconds, so that it does not tick for its own sake."""
    whole = max(0, round(seconds))
    if whole > 60:
        whole = round(whole / 5) * 5
    hours, rest = divmod(whole, 3600)
    minutes, seconds_left = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{seconds_left:02}" if hours else f"{minutes}:{seconds_left:02}"


def hours(seconds: float) -> str:
    """``6:12``: hours and minutes."""
    minutes = max(0, int(seconds // 60))
    return f"{minutes // 60}:{minutes % 60:02}"


def clock(at: float) -> str:
    """Local time of day of a UTC time."""
    return time.strftime("%H:%M:%S", time.localtime(at))


def count(number: float) -> str:
    """Without a fraction that says nothing."""
    return f"{number:.0f}" if number == int(number) else f"{number:.1f}"


def tokens(number: int) -> str:
    """``840 tokens``, ``12.3k tokens``, ``4.1M tokens``."""
    for size, letter in ((1_000_000, "M"), (1_000, "k")):
        if number >= size:
            return f"{number / size:.1f}{letter} tokens"
    return f"{number} token{'' if number == 1 else 's'}"


def money(usd: float | None) -> str:
    """``$0.42``, of less than a cent ``$0.0042``; ``no price`` where nobody knows it."""
    if usd is None:
        return "no price"
    return f"${usd:.2f}" if usd >= 0.01 or usd == 0 else f"${usd:.2g}"


def measured(interval: Interval) -> tuple[str, str]:
    """``0.9980`` and ``±.0006``: a metric in its own unit with the wider side of its interval, to two digits."""
    half = max(interval.high - interval.estimate, interval.estimate - interval.low)
    if not (math.isfinite(half) and half > 0):
        return f"{interval.estimate:.5g}", "—"
    decimals = max(0, min(6, 1 - math.floor(math.log10(half))))
    return f"{interval.estimate:.{decimals}f}", f"±{half:.{decimals}f}".replace("±0.", "±.")


def outcome(row: Row) -> tuple[str, str]:
    """What an experiment came to and how sure that is: its metric, or its win rate against its opponent in per cent."""
    verdict = row.verdict
    if verdict and verdict.value:
        return measured(verdict.value)
    rate = verdict.win_rate if verdict else None
    return (per_cent(rate.estimate), plus_minus(rate)) if rate else ("—", "—")


def signed(value: float) -> str:
    """``+0.0042``: a difference in a metric's own unit, of four digits at most."""
    return f"{value:+.4g}" if value else "0"


def per_cent(share: float) -> str:
    """``58.3``: a share in per cent, one decimal."""
    return f"{100 * share:.1f}"


def plus_minus(interval: Interval) -> str:
    """``±4.9``: the wider side of an interval of shares, in per cent."""
    return f"±{100 * max(interval.high - interval.estimate, interval.estimate - interval.low):.1f}"


def subject(row: Row) -> str:
    """What an experiment alters, without the parts of a path where the field's name says enough; else its belief."""
    change = row.experiment.proposal.change
    if change is None:
        return row.experiment.proposal.hypothesis
    if change.edited:
        return f"{row.experiment.proposal.hypothesis} ({change})"
    rest = change.field.partition(".")[2].removeprefix("filters.")
    return f"{rest if len(rest) > 2 else change.field} {_said(change.old)} → {_said(change.new)}"


def loss_difference(parent: Row | None, row: Row) -> float | None:
    """Final training loss less that of the experiment it was built on; None where one has none."""
    if row.final_loss is None or parent is None or parent.final_loss is None:
        return None
    return row.final_loss - parent.final_loss


def _said(value: object) -> str:
    """A value of a recipe without the marks of a programming language."""
    if isinstance(value, list | tuple):
        return "+".join(map(str, cast(Iterable[object], value)))
    return {None: "none", True: "yes", False: "no"}[value] if value is None or isinstance(value, bool) else str(value)


def numbers(experiments: tuple[int, ...]) -> str:
    """``#3, #7``."""
    return ", ".join(f"#{number}" for number in experiments)
