"""What follows when a passage fails: another attempt, or the end of the experiment. Each is one write."""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

from typing import TYPE_CHECKING

from checkpoints import writes
from checkpoints.records import BASELINE, FailureKind, Json, Lane, Level, RunState, Stage
from lanes.lane import StageFailed

if TYPE_CHECKING:
    from sqlite_utils import Database


def try_again(db: Database, stage: Stage, failure: StageFailed, seconds: float, order: Json) -> None:
    """The passage failed, and the next attempt has begun under a revised order.

    Raises:
        Conflict: A person's step came first.
    """
    writes.fail_stage(db, stage.experiment, stage.lane, stage.attempt, failure.kind, str(failure), seconds)
    attempt = writes.start_stage(db, stage.experiment, stage.lane, order)
    text = f"tried again, attempt {attempt}{_with(stage.order, order)}"
    writes.event(db, Level.WARNING, stage.lane, text, stage.experiment)


def give_up(db: Database, stage: Stage, failure: StageFailed, seconds: float) -> None:
    """The passage failed and the experiment ends with it; without a baseline the run stands still instead.

    Raises:
        Conflict: A person's step came first.
    """
    writes.fail_stage(db, stage.experiment, stage.lane, stage.attempt, failure.kind, str(failure), seconds)
    _end(db, stage.experiment, stage.lane, failure)


def give_up_before(db: Database, number: int, lane: Lane, failure: StageFailed) -> None:
    """The passage failed before its work began: the lane cannot say what there is to do.

    Raises:
        Conflict: A person's step came first.
    """
    attempt = writes.start_stage(db, number, lane, {})
    writes.fail_stage(db, number, lane, attempt, failure.kind, str(failure), 0.0)
    _end(db, number, lane, failure)


def leave_unjudged(db: Database, stage: Stage, failure: StageFailed, seconds: float) -> None:
    """There is no verdict to be had: the experiment ends with the reason.

    Raises:
        Conflict: A person's step came first.
    """
    number = stage.experiment
    writes.fail_stage(db, number, stage.lane, stage.attempt, FailureKind.CRASH, str(failure), seconds)
    writes.crash(db, number, f"{stage.lane}: {failure}")


def no_baseline(lane: Lane, failure: StageFailed) -> str:
    """Why the run stands still when the first experiment fails, for a person."""
    return f"the baseline failed in the {lane} lane ({failure.kind}): {failure}"


def _with(before: Json, after: Json) -> str:
    """What a revised order has its training do differently, for a person."""
    old, new = _training(before), _training(after)
    changed = [f"{name} {value}" for name, value in new.items() if value != old.get(name)]
    return f", with {' and '.join(changed)}" if changed else ""


def _training(order: Json) -> Json:
    train: Json = order.get("train") or {}
    recipe: Json = train.get("recipe") or {}
    return recipe.get("training") or {}


def _end(db: Database, number: int, lane: Lane, failure: StageFailed) -> None:
    if number == BASELINE:
        writes.set_run(db, RunState.PAUSED, f"{no_baseline(lane, failure)}; mend it, then resume")
    else:
        writes.crash(db, number, f"{lane}: {failure.kind}: {failure}")
