"""The life of an experiment: each step and the record that proves it are one write."""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from checkpoints.clock import later, now
from checkpoints.records import (
    ENDS,
    REFERENCE,
    Change,
    FailureKind,
    Interval,
    Json,
    Lane,
    Level,
    Outcome,
    Proposal,
    StageState,
    Standing,
    State,
    Verdict,
    model_name,
)
from checkpoints.writes.log import as_json, event

if TYPE_CHECKING:
    from sqlite_utils import Database


ENTERED = {Lane.TRAIN: State.TRAINING, Lane.UPLOAD: State.UPLOADING, Lane.EVALUATE: State.EVALUATING}
"""State of an experiment while it is in a lane; analysis has none of its own."""


LEFT = {
    Lane.TRAIN: State.TRAINED,
    Lane.UPLOAD: State.UPLOADED,
    Lane.EVALUATE: State.EVALUATED,
}
"""State of an experiment when a lane is done with it; analysis ends in a verdict."""


WAITING_FOR = {
    Lane.TRAIN: State.PROPOSED,
    Lane.UPLOAD: State.TRAINED,
    Lane.EVALUATE: State.UPLOADED,
    Lane.ANALYZE: State.EVALUATED,
}
"""State in which an experiment waits for a lane."""


OUTCOME_ENDS = {
    Outcome.KEEP: State.KEPT,
    Outcome.DISCARD: State.DISCARDED,
    Outcome.INCONCLUSIVE: State.INCONCLUSIVE,
    Outcome.CRASH: State.CRASHED,
}


class Conflict(Exception):
    """A write that does not fit what the store says by now; the message names both."""


class Dethroned(Conflict):
    """A write that rests on a champion who reigns no longer."""


def propose(db: Database, proposal: Proposal, change_hash: str = "") -> int:
    """Put an experiment before the train lane; returns its number."""
    number: int = db.execute("SELECT coalesce(max(number) + 1, 0) FROM experiments").fetchone()[0]
    change = proposal.change
    db.table("experiments").insert(
        {
            "number": number, "state": State.PROPOSED, "hypothesis": proposal.hypothesis, "category": proposal.category,
            "change": as_json(change_json(change)) if change else None,
            "change_hash": change_hash, "proposer": proposal.proposer, "zoom_out": proposal.zoom_out,
            "proposed_at": now(db), "expected": as_json(asdict(proposal.expected)) if proposal.expected else None,
            "rests_on": as_json(proposal.rests_on), "differs": proposal.differs, "base": proposal.base,
            "belief": proposal.belief,
        }
    )  # fmt: skip
    what = f"{change}: {proposal.hypothesis}" if change else proposal.hypothesis
    event(db, Level.INFO, "proposal", what, number)
    return number


def change_json(change: Change) -> Json:
    """A change as the store keeps it."""
    said: Json = {"field": change.field, "old": change.old, "new": change.new}
    return said | {"also": [change_json(each) for each in change.also]} if change.also else said


def start_stage(
    db: Database,
    number: int,
    lane: Lane,
    order: Json,
    *,
    recipe: Json | None = None,
    parent: int | None = None,
    opponent: int | None = None,
) -> int:
    """An experiment enters a lane, with everything needed to do the work again; returns the attempt, from 1.

    Args:
        number: The experiment.
        lane: The lane it enters.
        order: What the lane needs to do its work, now or after a kill.
        recipe: Train lane: the champion's recipe with the change applied, at this moment.
        parent: Train lane: that champion, or the experiment that it branches from.
        opponent: Evaluate lane: the champion at this moment.

    Raises:
        Conflict: The experiment is not waiting for this lane.
        Dethroned: Somebody else than its parent or opponent reigns.
    """
    state = state_of(db, number)
    if state is not WAITING_FOR[lane]:
        raise Conflict(f"experiment {number} is {state}, so it cannot enter the {lane} lane")
    base = db.execute("SELECT base FROM experiments WHERE number = ?", [number]).fetchone()[0]
    bound_to = parent if parent is not None and parent != base else opponent
    if bound_to is not None and _reigning(db) not in (None, bound_to):
        raise Dethroned(f"experiment {number} was bound to {bound_to}, which is champion no longer")
    attempt: int = db.execute(
        "SELECT coalesce(max(attempt), 0) + 1 FROM stages WHERE experiment = ? AND lane = ?", [number, lane]
    ).fetchone()[0]
    db.table("stages").insert(
        {
            "experiment": number, "lane": lane, "attempt": attempt, "state": StageState.STARTED,
            "order": as_json(order), "started_at": now(db),
        }
    )  # fmt: skip
    if lane is Lane.TRAIN and attempt > 1:  # it begins anew: one curve is of one training
        db.execute("DELETE FROM metrics WHERE experiment = ?", [number])
        db.execute("DELETE FROM measurements WHERE experiment = ?", [number])
    bound = {"recipe": recipe and as_json(recipe), "parent": parent, "opponent": opponent}
    values: dict[str, Any] = {name: value for name, value in bound.items() if value is not None}
    if lane in ENTERED:
        values["state"] = ENTERED[lane]
    if values:
        db.table("experiments").update(number, values)
    return attempt


def finish_stage(
    db: Database, number: int, lane: Lane, attempt: int, result: Json, seconds: float, crown: str = ""
) -> None:
    """A lane is done with an experiment.

    Args:
        crown: Reason to make it champion in the same moment: the baseline, when it has been trained.

    Raises:
        Conflict: That passage is not open (it was cancelled or finished before).
    """
    _close_stage(db, number, lane, attempt, StageState.DONE, seconds, result=as_json(result))
    if lane in LEFT:
        db.execute("UPDATE experiments SET state = ? WHERE number = ?", [LEFT[lane], number])
    if crown:
        change_champion(db, number, crown)


def fail_stage(
    db: Database, number: int, lane: Lane, attempt: int, kind: FailureKind, error: str, seconds: float
) -> None:
    """A passage failed; the experiment waits for the lane again, or for its end (see ``crash``)."""
    _close_stage(db, number, lane, attempt, StageState.FAILED, seconds, failure=kind, error=error)
    db.execute("UPDATE experiments SET state = ? WHERE number = ?", [WAITING_FOR[lane], number])
    event(db, Level.WARNING, lane, f"{kind}: {error}", number)


def conclude(
    db: Database, verdict: Verdict, standings: Sequence[Standing], keep_as_champion: bool, attempt: int, seconds: float
) -> None:
    """Analysis ends in the one verdict of the experiment; a keep is champion in the same moment.

    Raises:
        Conflict: The experiment is no longer evaluated: it was cancelled meanwhile.
        Dethroned: It beat somebody who is champion no longer.
        sqlite3.IntegrityError: It has a verdict already.
    """
    number = verdict.experiment
    if (state := state_of(db, number)) is not State.EVALUATED:
        raise Conflict(f"experiment {number} is {state}, so no verdict can fall")
    if keep_as_champion and verdict.outcome is Outcome.KEEP:
        _check_opponent_reigns(db, number)
    _close_stage(db, number, Lane.ANALYZE, attempt, StageState.DONE, seconds, result="{}")
    _insert_verdict(db, verdict)
    db.table("standings").delete_where()
    db.table("standings").insert_all(
        {
            "model": standing.model, "experiment": standing.experiment, "votes": standing.votes, "elo": standing.elo,
            "reference": interval_text(standing.reference),
        }
        for standing in standings
    )  # fmt: skip
    level = Level.GOOD if verdict.outcome is Outcome.KEEP else Level.INFO
    event(db, level, "verdict", verdict.reason, number)
    if keep_as_champion and verdict.outcome is Outcome.KEEP:
        _crown(db, number)


def repair(db: Database, number: int, recipe: Json, why: str) -> None:
    """What an experiment tries is repaired after a crash; its change stays what was proposed.

    Raises:
        Conflict: It has ended meanwhile.
    """
    if (state := state_of(db, number)) in ENDS:
        raise Conflict(f"experiment {number} is {state}, so it cannot be repaired")
    db.table("experiments").update(number, {"recipe": as_json(recipe)})
    event(db, Level.INFO, Lane.TRAIN, f"repaired after: {why}", number)


def crash(db: Database, number: int, reason: str) -> None:
    """An experiment ends without evidence: its verdict is crash, and why."""
    if (state := state_of(db, number)) in ENDS:
        raise Conflict(f"experiment {number} is {state} already")
    _cancel_open_stages(db, number)
    _insert_verdict(
        db,
        Verdict(number, Outcome.CRASH, 0, 0, 0, None, None, None, None, reason, now(db)),
        note=reason,
    )
    event(db, Level.ERROR, "verdict", f"crashed: {reason}", number)


def cancel(db: Database, number: int, why: str) -> None:
    """End an experiment without a verdict; does nothing when it has ended already."""
    if state_of(db, number) in ENDS:
        return
    _cancel_open_stages(db, number)
    db.table("experiments").update(number, {"state": State.CANCELLED, "ended_at": now(db), "note": why})
    event(db, Level.WARNING, "run", f"cancelled: {why}", number)


def evaluate_again(db: Database, number: int, why: str) -> None:
    """Put an experiment back before the evaluate lane: the opponent that it was judged against is gone.

    The votes stay for the ranking; the next evaluation counts those against its own opponent.

    Raises:
        Conflict: It is not being judged.
    """
    if (state := state_of(db, number)) not in (State.EVALUATING, State.EVALUATED):
        raise Conflict(f"experiment {number} is {state}: it is not being judged")
    db.execute(
        "UPDATE stages SET state = ?, finished_at = coalesce(finished_at, ?) WHERE experiment = ?"
        " AND (lane = ? AND state IN ('started', 'done') OR lane = ? AND state = 'started')",
        [StageState.CANCELLED, now(db), number, Lane.EVALUATE, Lane.ANALYZE],
    )
    db.execute("UPDATE experiments SET state = ?, opponent = NULL WHERE number = ?", [State.UPLOADED, number])
    event(db, Level.WARNING, Lane.EVALUATE, f"evaluated again: {why}", number)


def change_champion(db: Database, number: int, reason: str, pinned: bool = False) -> None:
    """End the reign and begin the next, in one moment; ``pinned`` says whether a person holds the new one there."""
    at = now(db)
    db.execute("UPDATE championships SET until = ? WHERE until IS NULL", [at])
    db.table("championships").insert(
        {"experiment": number, "since": at, "until": None, "reason": reason, "pinned": pinned}
    )
    event(db, Level.GOOD, "champion", f"{model_name(number)} is champion: {reason}", number)


def state_of(db: Database, number: int) -> State:
    row = db.execute("SELECT state FROM experiments WHERE number = ?", [number]).fetchone()
    if row is None:
        raise Conflict(f"there is no experiment {number}")
    return State(row[0])


def _name_of_opponent(db: Database, number: int) -> str:
    opponent = db.execute("SELECT opponent FROM experiments WHERE number = ?", [number]).fetchone()[0]
    return REFERENCE if opponent is None else model_name(opponent)


def _crown(db: Database, number: int) -> None:
    beaten = _name_of_opponent(db, number)
    if db.execute("SELECT pinned FROM championships WHERE until IS NULL").fetchone()[0]:
        event(db, Level.INFO, "champion", f"it beat {beaten}, which is pinned and goes on reigning", number)
        return
    change_champion(db, number, f"it beat {beaten}")
    for beside in db.execute(
        "SELECT number FROM experiments WHERE state = ? AND opponent IS NOT NULL AND opponent <> ? ORDER BY number",
        [State.EVALUATING, number],
    ).fetchall():
        evaluate_again(db, beside[0], f"{model_name(number)} beat {beaten}, its opponent, and reigns")


def _check_opponent_reigns(db: Database, number: int) -> None:
    opponent = db.execute("SELECT opponent FROM experiments WHERE number = ?", [number]).fetchone()[0]
    if (reigning := _reigning(db)) is None or reigning != opponent:
        raise Dethroned(f"experiment {number} was judged against {opponent}, which is champion no longer")


def _reigning(db: Database) -> int | None:
    row = db.execute("SELECT experiment FROM championships WHERE until IS NULL").fetchone()
    return row and row[0]


def _close_stage(
    db: Database, number: int, lane: Lane, attempt: int, state: StageState, seconds: float, **values: Any
) -> None:
    names = "".join(f", {name} = ?" for name in values)
    cursor = db.execute(
        f"UPDATE stages SET state = ?, finished_at = ?, seconds = ?{names}"
        " WHERE experiment = ? AND lane = ? AND attempt = ? AND state = 'started'",
        [state, now(db), seconds, *values.values(), number, lane, attempt],
    )
    if cursor.rowcount != 1:
        raise Conflict(f"attempt {attempt} of experiment {number} in the {lane} lane is not open")


def _cancel_open_stages(db: Database, number: int) -> None:
    db.execute(
        "UPDATE stages SET state = ?, finished_at = ? WHERE experiment = ? AND state = 'started'",
        [StageState.CANCELLED, now(db), number],
    )


def _insert_verdict(db: Database, verdict: Verdict, note: str = "") -> None:
    at = later(db, verdict.decided_at)
    db.table("verdicts").insert(
        {
            "experiment": verdict.experiment, "outcome": verdict.outcome, "wins": verdict.wins,
            "losses": verdict.losses, "ties": verdict.ties, "win_rate": interval_text(verdict.win_rate),
            "anytime": interval_text(verdict.anytime), "shrunken": verdict.shrunken,
            "reference": interval_text(verdict.reference), "reason": verdict.reason, "decided_at": at,
            "voters": verdict.voters, "value": interval_text(verdict.value), "effect": interval_text(verdict.effect),
        }
    )  # fmt: skip
    db.table("experiments").update(
        verdict.experiment,
        {"state": OUTCOME_ENDS[verdict.outcome], "ended_at": at, "note": note},
    )


def interval_text(interval: Interval | None) -> str | None:
    """An interval as the store keeps it."""
    return as_json([interval.estimate, interval.low, interval.high]) if interval else None
