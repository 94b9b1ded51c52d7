"""Numbers, times and changes as the report writes them."""

from __future__ import annotations

import time
from collections.abc import Sequence

from checkpoints.records import Interval, Row

LONGEST = 90
"""Characters of a change; the rest of a long list of values is left out."""


def per_cent(share: float) -> str:
    """``58.3``: a share in per cent."""
    return f"{100 * share:.1f}"


def with_half_width(rate: Interval | None) -> str:
    """``58.3 ±1.9``: a rate in per cent with the wider side of its interval."""
    if rate is None:
        return "–"
    return f"{per_cent(rate.estimate)} ±{100 * max(rate.high - rate.estimate, rate.estimate - rate.low):.1f}"


def with_interval(rate: Interval) -> str:
    """``58.3 % (56.4 to 60.2)``."""
    return f"{per_cent(rate.estimate)} % ({ends(rate)})"


def ends(rate: Interval) -> str:
    """``56.4 to 60.2``: an interval in per cent."""
    return f"{per_cent(rate.low)} to {per_cent(rate.high)}"


def points(difference: float) -> str:
    """``+2.3 points``: a difference of two shares."""
    return f"{100 * difference:+.1f} points"


def long(seconds: float) -> str:
    """``6 h 12 min``, ``4 min 10 s`` or ``38 s``."""
    whole = max(0, round(seconds))
    if whole >= 3600:
        return f"{whole // 3600} h {whole % 3600 // 60:02} min"
    return f"{whole // 60} min {whole % 60:02} s" if whole >= 60 else f"{whole} s"


def day_and_time(at: float) -> str:
    """Local date and time of day of a UTC time."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(at))


def time_of_day(at: float) -> str:
    """Local time of day of a UTC time."""
    return time.strftime("%H:%M", time.localtime(at))


def count(number: int, word: str) -> str:
    """``1 keep``, ``3 keeps``, ``2,000 experiments``."""
    return f"{number:,} {word}" if number == 1 else f"{number:,} {word}s"


def named(row: Row) -> str:
    """``#7 data.mix.noisy 0.3 → 0.0``: an experiment by its number and what it altered."""
    return f"#{row.experiment.number} {changed(row)}"


def changed(row: Row) -> str:
    """What an experiment altered."""
    proposal = row.experiment.proposal
    change = proposal.change
    if change and change.edited:
        return f"{shortened(proposal.hypothesis, LONGEST)} ({change})"
    return shortened(str(change) if change else "the program's own recipe", LONGEST)


def shortened(text: str, most: int) -> str:
    """On one line, of at most so many characters."""
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[: most - 1]}…"


def listed(numbers: Sequence[int], most: int = 12) -> str:
    """``#3, #7 and #12``, or the first of them and how many more."""
    shown = [f"#{number}" for number in numbers[:most]]
    if len(numbers) > most:
        return f"{', '.join(shown)} and {len(numbers) - most:,} more"
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)
