"""What a person's step does: the consequence of a veto, told before it is done and the same when it is done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from checkpoints.records import BASELINE, ENDS, Championship, Row, State


class Refused(Exception):
    """A step that does not apply; the message says why."""


@dataclass(frozen=True, slots=True)
class Consequence:
    """What a veto would do."""

    vetoed: tuple[int, ...]
    """Keeps that are taken back."""

    champion: int | None
    """Who becomes champion; None when the one who reigns goes on."""

    cancelled: tuple[int, ...]
    """Experiments in flight that are built on what is vetoed."""

    contain: tuple[int, ...]
    """Later keeps that contain it and stay."""


def consequence(rows: Sequence[Row], reigns: Sequence[Championship], number: int, branch: bool = False) -> Consequence:
    """What taking back the keep ``number`` does, or, with ``branch``, taking back every keep that contains it, too.

    Args:
        rows: All experiments of the run.
        reigns: All reigns, the first one first.

    Raises:
        Refused: It is no keep, or it is the baseline.
    """
    by_number = {row.experiment.number: row for row in rows}
    if number not in by_number:
        raise Refused(f"there is no experiment {number}")
    if number == BASELINE:
        raise Refused("the baseline cannot be vetoed: it is what all others are measured against")
    if (state := by_number[number].experiment.state) is not State.KEPT:
        raise Refused(f"experiment {number} is {state}; only a kept one can be vetoed")
    kept = {row.experiment.number for row in rows if row.experiment.state is State.KEPT}
    containing = {row.experiment.number for row in rows if number in row.contains}
    vetoed = {number} | (containing & kept if branch else set[int]())
    in_flight = {row.experiment.number for row in rows if row.experiment.state not in ENDS and vetoed & row.contains}
    return Consequence(
        vetoed=tuple(sorted(vetoed)),
        champion=_next_champion(reigns, kept, vetoed),
        cancelled=tuple(sorted(in_flight)),
        contain=() if branch else tuple(sorted(containing & kept)),
    )


def _next_champion(reigns: Sequence[Championship], kept: set[int], vetoed: set[int]) -> int | None:
    """The last to reign of those that stay; None when the one who reigns is not vetoed."""
    if not reigns or reigns[-1].experiment not in vetoed:
        return None
    for reign in reversed(reigns):
        if reign.experiment not in vetoed and (reign.experiment in kept or reign.experiment == BASELINE):
            return reign.experiment
    return BASELINE
