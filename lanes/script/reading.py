"""Numbers that a script prints: its metric by name or pattern, and whatever else it names."""

from __future__ import annotations

import math
import re

NUMBER = r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?|[-+]?(?:[nN]a[nN]|[iI]nf(?:inity)?)"
"""A number as Python prints it; one that is not finite is read, so that it can be said."""

_NAMED = re.compile(rf"^METRIC[ \t]+([A-Za-z_µ][\w./µ-]*)[ \t]*=[ \t]*({NUMBER})[ \t]*$", re.MULTILINE)
_SUMMED_UP = re.compile(rf"^([A-Za-z_][\w./-]*):[ \t]+({NUMBER})[ \t]*$", re.MULTILINE)

MOST_NAMES = 200

LARGEST = 1e100
"""A metric further from 0 is none: its square, and what statistics make of it, would be no number any more."""


def metric(output: str, name: str, pattern: str | None = None) -> float | None:
    """The metric, by its last match; None where nothing matches."""
    found = metrics(output, name, pattern)
    return found[-1] if found else None


def metrics(output: str, name: str, pattern: str | None = None) -> list[float]:
    """All that the output gives as the metric, in its order.

    Args:
        output: All that was printed, as ``Screen`` keeps it: one state of each line.
        name: Of the metric: ``name: number`` and ``METRIC name=number`` are understood.
        pattern: A regular expression with one group, in its place.

    Returns:
        The numbers; not a number where a match is none.
    """
    if pattern is None:
        word = re.escape(name)
        pattern = rf"^(?:{word}:|METRIC[ \t]+{word}[ \t]*=)[ \t]*({NUMBER})[ \t]*$"
    return [_number(match.group(1)) for match in re.finditer(pattern, output, re.MULTILINE)]


def is_measurement(value: float | None) -> bool:
    """Whether a metric counts: nothing, not a number and what is past all numbers are a crash and never a best."""
    return value is not None and abs(value) <= LARGEST


def named(output: str) -> dict[str, float]:
    """All finite numbers that the output names, the last of each name: ``name: number`` and ``METRIC name=number``."""
    found: dict[str, float] = {}
    for pattern in (_SUMMED_UP, _NAMED):
        for match in pattern.finditer(output):
            value = _number(match.group(2))
            if math.isfinite(value) and (match.group(1) in found or len(found) < MOST_NAMES):
                found[match.group(1)] = value
    return found


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
