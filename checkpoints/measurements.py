"""Records of a metric's repeated measurements: one training of one recipe with one seed, and the number that it got."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What a training was for."""

    SCREEN = "screen"
    """The single run that decides whether fresh seeds are worth it; no part of the test."""

    FRESH = "fresh"
    """A seed of its own, for the test and for the noise floor."""


class HeldRows(StrEnum):
    """Which held-out rows were looked at."""

    OPEN = "open"
    """Those that decide."""

    LOCKED = "locked"
    """Those that are looked at for keeps only, and decide nothing."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """What one training of an experiment's recipe measured."""

    experiment: int
    """Whose recipe was trained."""

    seed: int
    role: Role
    rows: HeldRows
    value: float | None
    """In the metric's own unit; None where the training crashed, ran out of time or got no finite number."""

    standard_error: float | None
    """Of the value, from the held-out rows alone; None where the metric does not say."""

    failure: str
    """Why there is no value, in one line; empty where there is one."""

    asked_by: int
    """The experiment in whose passage it was trained: fresh seeds of a champion are asked for by its challengers."""

    at: float
