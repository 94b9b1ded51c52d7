"""What a person does: asked for, done and acknowledged; a step and its acknowledgement are one write."""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

import time
from typing import TYPE_CHECKING

from checkpoints.records import Json, Level, State, Step
from checkpoints.writes.experiment import Conflict, change_champion, state_of
from checkpoints.writes.log import as_json, event

if TYPE_CHECKING:
    from sqlite_utils import Database


def veto(db: Database, number: int, champion: int | None, reason: str) -> None:
    """Take back a keep.

    Args:
        champion: Who reigns instead; None when somebody else reigns and goes on reigning.
    """
    if (state := state_of(db, number)) is not State.KEPT:
        raise Conflict(f"experiment {number} is {state}; only a kept one can be vetoed")
    db.table("experiments").update(number, {"state": State.VETOED, "note": reason})
    event(db, Level.WARNING, "verdict", f"vetoed: {reason}" if reason else "vetoed", number)
    if champion is not None:
        change_champion(db, champion, f"experiment {number} was vetoed")


def intervene(
    db: Database, step: Step, experiment: int | None = None, reason: str = "", detail: Json | None = None
) -> int:
    """Record what a person wants; it is pending until the runner acknowledges it. Returns its number."""
    cursor = db.execute(
        "INSERT INTO interventions (step, experiment, detail, reason, at) VALUES (?, ?, ?, ?, ?)",
        [step, experiment, as_json(detail or {}), reason, time.time()],
    )
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def acknowledge(db: Database, number: int, effect: str, done: Json | None = None) -> None:
    """The runner has done what a person wanted; ``effect`` says what came of it, ``done`` what its undo needs."""
    db.execute(
        "UPDATE interventions SET acknowledged_at = ?, effect = ?, done = ? WHERE number = ?",
        [time.time(), effect, as_json(done or {}), number],
    )
    step, experiment = db.execute("SELECT step, experiment FROM interventions WHERE number = ?", [number]).fetchone()
    if step != Step.VOTE:  # a person votes dozens of times; their votes are counted where votes are
        event(db, Level.INFO, "intervention", f"{step}: {effect}", experiment)
