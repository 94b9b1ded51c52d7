"""What a person does: asked for, done and acknowledged; a step and its acknowledgement are one write."""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

from typing import TYPE_CHECKING

from checkpoints.clock import now
from checkpoints.records import BASELINE, PERSON, Json, Level, Outcome, State, Step
from checkpoints.writes.experiment import OUTCOME_ENDS, Conflict, cancel, state_of
from checkpoints.writes.findings import settle_hypothesis
from checkpoints.writes.log import as_json, event

if TYPE_CHECKING:
    from sqlite_utils import Database


class Moved(Exception):
    """The run has gone on since it was looked at: look again, then decide again."""


def intervene(
    db: Database, step: Step, experiment: int | None = None, reason: str = "", detail: Json | None = None
) -> int:
    """Record what a person wants; it is pending until the runner acknowledges it. Returns its number."""
    cursor = db.execute(
        "INSERT INTO interventions (step, experiment, detail, reason, at) VALUES (?, ?, ?, ?, ?)",
        [step, experiment, as_json(detail or {}), reason, now(db)],
    )
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def acknowledge(db: Database, number: int, effect: str, done: Json | None = None) -> None:
    """The runner has done what a person wanted, in the same write; ``effect`` says what came of it, ``done`` what its
    undo needs. What was acknowledged stays as it was."""
    cursor = db.execute(
        "UPDATE interventions SET acknowledged_at = ?, effect = ?, done = ?"
        " WHERE number = ? AND acknowledged_at IS NULL",
        [now(db), effect, as_json(done or {}), number],
    )
    if cursor.rowcount == 0:
        return
    step, experiment = db.execute("SELECT step, experiment FROM interventions WHERE number = ?", [number]).fetchone()
    if step != Step.VOTE:  # a person votes dozens of times; their votes are counted where votes are
        event(db, Level.INFO, "intervention", f"{step}: {effect}", experiment)


def as_seen(db: Database, mark: int) -> None:
    """Go on only if no experiment was written to since a mark of ``Reader.touched``.

    Raises:
        Moved: One was.
    """
    if db.execute("SELECT coalesce(max(seq), 0) FROM touched").fetchone()[0] != mark:
        raise Moved


def veto(db: Database, number: int, reason: str) -> None:
    """Take back a keep; who reigns instead is a write of its own."""
    if (state := state_of(db, number)) is not State.KEPT:
        raise Conflict(f"experiment {number} is {state}; only a kept one can be vetoed")
    db.table("experiments").update(number, {"state": State.VETOED, "note": reason})
    settle_hypothesis(db, number)
    event(db, Level.WARNING, "verdict", f"vetoed: {reason}" if reason else "vetoed", number)


def keep(db: Database, number: int, note: str) -> None:
    """Make an experiment that was judged a kept one, by a person's word; its verdict stays as it is."""
    if (state := state_of(db, number)) not in (State.DISCARDED, State.INCONCLUSIVE, State.VETOED):
        raise Conflict(f"experiment {number} is {state}; only one that was judged can be kept anyway")
    db.table("experiments").update(number, {"state": State.KEPT, "note": note})
    settle_hypothesis(db, number)
    event(db, Level.GOOD, "verdict", note or "kept again: its veto was undone", number)


def unkeep(db: Database, number: int) -> None:
    """Take a person's word back: the experiment is again what its verdict says."""
    outcome = Outcome(db.execute("SELECT outcome FROM verdicts WHERE experiment = ?", [number]).fetchone()[0])
    db.table("experiments").update(number, {"state": OUTCOME_ENDS[outcome], "note": ""})
    settle_hypothesis(db, number)
    event(db, Level.WARNING, "verdict", f"{OUTCOME_ENDS[outcome]} again: keeping it anyway was undone", number)


def withdraw(db: Database, why: str) -> None:
    """Let prepared proposals go back, but for what a person asked for."""
    waiting = db.execute(
        "SELECT number FROM experiments WHERE state = ? AND proposer <> ? AND number <> ?",
        [State.PROPOSED, PERSON, BASELINE],
    ).fetchall()
    for (number,) in waiting:
        cancel(db, number, why)
