"""The record of a loop as it was found in a file: one entry a run, and a line for what could not be read."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum


class Fate(StrEnum):
    """What the record says became of a run."""

    KEEP = "keep"
    DISCARD = "discard"
    CRASH = "crash"
    UNKNOWN = "unknown"
    """The record does not say, or in a word that is not known."""


_FATES = {
    "keep": Fate.KEEP, "kept": Fate.KEEP, "accept": Fate.KEEP, "accepted": Fate.KEEP, "baseline": Fate.KEEP,
    "improved": Fate.KEEP, "discard": Fate.DISCARD, "discarded": Fate.DISCARD, "reject": Fate.DISCARD,
    "rejected": Fate.DISCARD, "revert": Fate.DISCARD, "reverted": Fate.DISCARD, "inconclusive": Fate.DISCARD,
    "vetoed": Fate.DISCARD, "crash": Fate.CRASH, "crashed": Fate.CRASH, "failed": Fate.CRASH, "fail": Fate.CRASH,
    "error": Fate.CRASH, "timeout": Fate.CRASH, "checks_failed": Fate.CRASH, "tampering": Fate.CRASH,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Entry:
    """One run of the record."""

    row: int
    """Counts from 1 over the runs of the file, the unreadable ones among them."""

    line: int
    """Line of the file where it begins, from 1."""

    segment: int
    """Counts from 0; values of two segments are not compared."""

    value: float | None
    """None where there is no number: it crashed, or the column is empty there."""

    fate: Fate
    description: str
    commit: str
    category: str = ""
    """Of its change, where the record says it."""


@dataclass(frozen=True, slots=True)
class History:
    """A record, whole: what could not be read has its line in ``complaints``."""

    metric: str
    higher_is_better: bool
    entries: tuple[Entry, ...]
    complaints: tuple[str, ...]
    """One line each, for a person, in the order of the file."""

    has_status: bool
    """Whether the record says what was kept."""

    sd: float | None = None
    """Standard deviation of a single run, where the record says it, as ours does; the newest one."""


class NoHistory(Exception):
    """The file is no record that can be judged; the message is one line for a person."""


def fate_of(word: str) -> Fate:
    """What a record's word for a run's end means; a word that is not known is UNKNOWN."""
    return _FATES.get(re.sub(r"[\s-]+", "_", word.strip().lower()), Fate.UNKNOWN)


def number(text: str) -> float | None:
    """A finite number, or None."""
    try:
        value = float(text.strip().replace(",", ""))
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def by_record(entries: Sequence[Entry], higher_is_better: bool) -> tuple[Entry, ...]:
    """The entries of a record that does not say what was kept: what beats all before it in its segment is a keep."""
    best: dict[int, float] = {}
    judged: list[Entry] = []
    for one in entries:
        if one.value is None:
            fate = Fate.CRASH
        else:
            before = best.get(one.segment)
            better = before is None or (one.value > before if higher_is_better else one.value < before)
            fate = Fate.KEEP if better else Fate.DISCARD
            best[one.segment] = one.value if better or before is None else before
        judged.append(replace(one, fate=fate))
    return tuple(judged)
