"""Nights in which nothing works: how many end with a false keep, and how many with a false promotion. Simulated."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bench.parts.stopping import Bounds, Flags, drawn

EVEN = 0.5
"""True win rate of every model against every other."""


@dataclass(frozen=True, slots=True)
class Nights:
    """What came of nights; arrays are (nights,)."""

    kept: Flags
    """Something was kept, which was no better."""

    promoted: Flags
    """And passed the test on fresh votes against the model that the night began with."""

    ticked: Flags
    """Or would have met a checklist in place of the test."""


def worthless_nights(
    night: Bounds, test: Bounds, nights: int, experiments: int, looks: int, voters: int, chance: np.random.Generator
) -> Nights:
    """Simulate nights of experiments against the champion of the moment, then one test where the champion is a new one.

    Args:
        night: When a verdict falls on an experiment.
        test: When the test on fresh votes ends.
        nights: How many.
        experiments: Of each night.
        looks: In a row at which the checklist wants the champion ahead.
        voters: Behind each of them.
        chance: Of the votes.
    """
    kept: Flags = np.any(drawn(night, EVEN, nights * experiments, chance).kept.reshape(nights, experiments), axis=1)
    promoted, ticked = np.zeros_like(kept), np.zeros_like(kept)
    new = int(kept.sum())
    promoted[kept] = drawn(test, EVEN, new, chance).kept
    ticked[kept] = leading(new, len(test.keep) - 1, looks, voters, chance)
    return Nights(kept, promoted, ticked)


def leading(times: int, most: int, looks: int, voters: int, chance: np.random.Generator) -> Flags:
    """Which of so many equal models lead at ``looks`` looks in a row, with at least so many ``voters`` behind each.

    There is a look after every voter, up to ``most``.
    """
    steady = np.zeros(times, dtype=np.bool_)
    wins, row = np.zeros(times, dtype=np.int64), np.zeros(times, dtype=np.int64)
    for votes in range(1, most + 1):
        wins += chance.random(times) < EVEN
        row = np.where((2 * wins > votes) & (votes >= voters), row + 1, 0)
        steady |= row >= looks
    return steady
