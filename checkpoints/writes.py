"""The verbs: every way in which the store changes, each one transaction, to be run by ``Store.do``.

A step of an experiment's life and the record that proves it are one write, so that no kill can separate them.
"""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

import json
import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from checkpoints.records import (
    ENDS,
    REFERENCE,
    Answer,
    FailureKind,
    HypothesisStatus,
    Interval,
    Json,
    Lane,
    Level,
    Metric,
    Outcome,
    Progress,
    Proposal,
    RunState,
    StageState,
    Standing,
    State,
    Step,
    Verdict,
    Vote,
    model_name,
)

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


def create_run(
    db: Database, name: str, goal: str, experiments: int, seed: int, usd_per_hour: float | None = None
) -> None:
    """Begin the run of this store, or bring its name, goal, budget and price up to date with the program."""
    with_run = db.execute("SELECT 1 FROM run").fetchone()
    if with_run:
        db.execute(
            "UPDATE run SET name = ?, goal = ?, experiments = ?, usd_per_hour = ?",
            [name, goal, experiments, usd_per_hour],
        )
        return
    db.table("run").insert(
        {
            "id": 1, "name": name, "goal": goal, "state": RunState.RUNNING, "reason": "", "experiments": experiments,
            "created_at": time.time(), "seed": seed, "usd_per_hour": usd_per_hour,
        }
    )  # fmt: skip
    event(db, Level.INFO, "run", f"the run begins: {goal}")


def set_run(db: Database, state: RunState, reason: str = "") -> None:
    """Say what the loop as a whole does, and why."""
    before = db.execute("SELECT state, reason FROM run").fetchone()
    if before == (state, reason):
        return
    db.execute("UPDATE run SET state = ?, reason = ?", [state, reason])
    level = Level.WARNING if state is RunState.PAUSED else Level.INFO
    event(db, level, "run", f"{state}: {reason}" if reason else str(state))


def read_program(db: Database, text: str, sha256: str, error: str) -> int:
    """Record a revision of ``program.md``; returns its number. The same text twice in a row is one revision."""
    last = db.execute("SELECT revision, sha256 FROM programs ORDER BY revision DESC LIMIT 1").fetchone()
    if last and last[1] == sha256:
        return last[0]
    revision = (last[0] if last else 0) + 1
    db.table("programs").insert(
        {"revision": revision, "sha256": sha256, "text": text, "error": error, "read_at": time.time()}
    )
    if error:
        event(db, Level.ERROR, "program", f"program.md revision {revision} refused, the last good one stays: {error}")
    elif revision > 1:
        event(db, Level.INFO, "program", f"program.md revision {revision} in force from the next proposal")
    return revision


def propose(db: Database, proposal: Proposal, change_hash: str = "") -> int:
    """Put an experiment before the train lane; returns its number."""
    number: int = db.execute("SELECT coalesce(max(number) + 1, 0) FROM experiments").fetchone()[0]
    change = proposal.change
    db.table("experiments").insert(
        {
            "number": number, "state": State.PROPOSED, "hypothesis": proposal.hypothesis, "category": proposal.category,
            "change": _json({"field": change.field, "old": change.old, "new": change.new}) if change else None,
            "change_hash": change_hash, "proposer": proposal.proposer, "zoom_out": proposal.zoom_out,
            "proposed_at": time.time(),
        }
    )  # fmt: skip
    what = f"{change}: {proposal.hypothesis}" if change else proposal.hypothesis
    event(db, Level.INFO, "proposal", what, number)
    return number


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
        parent: Train lane: that champion.
        opponent: Evaluate lane: the champion at this moment.

    Raises:
        Conflict: The experiment is not waiting for this lane.
    """
    state = _state(db, number)
    if state is not WAITING_FOR[lane]:
        raise Conflict(f"experiment {number} is {state}, so it cannot enter the {lane} lane")
    attempt: int = db.execute(
        "SELECT coalesce(max(attempt), 0) + 1 FROM stages WHERE experiment = ? AND lane = ?", [number, lane]
    ).fetchone()[0]
    db.table("stages").insert(
        {
            "experiment": number, "lane": lane, "attempt": attempt, "state": StageState.STARTED, "order": _json(order),
            "started_at": time.time(),
        }
    )  # fmt: skip
    bound = {"recipe": recipe and _json(recipe), "parent": parent, "opponent": opponent}
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
    _close_stage(db, number, lane, attempt, StageState.DONE, seconds, result=_json(result))
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
        sqlite3.IntegrityError: It has a verdict already.
    """
    number = verdict.experiment
    if (state := _state(db, number)) is not State.EVALUATED:
        raise Conflict(f"experiment {number} is {state}, so no verdict can fall")
    if keep_as_champion and verdict.outcome is Outcome.KEEP:
        _check_opponent_reigns(db, number)
    _close_stage(db, number, Lane.ANALYZE, attempt, StageState.DONE, seconds, result="{}")
    _insert_verdict(db, verdict)
    db.table("standings").delete_where()
    db.table("standings").insert_all(
        {
            "model": standing.model, "experiment": standing.experiment, "votes": standing.votes, "elo": standing.elo,
            "reference": _interval(standing.reference),
        }
        for standing in standings
    )  # fmt: skip
    level = Level.GOOD if verdict.outcome is Outcome.KEEP else Level.INFO
    event(db, level, "verdict", verdict.reason, number)
    if keep_as_champion and verdict.outcome is Outcome.KEEP:
        _crown(db, number)


def crash(db: Database, number: int, reason: str) -> None:
    """An experiment ends without evidence: its verdict is crash, and why."""
    if (state := _state(db, number)) in ENDS:
        raise Conflict(f"experiment {number} is {state} already")
    _cancel_open_stages(db, number)
    _insert_verdict(
        db,
        Verdict(number, Outcome.CRASH, 0, 0, 0, None, None, None, None, reason, time.time()),
        note=reason,
    )
    event(db, Level.ERROR, "verdict", f"crashed: {reason}", number)


def cancel(db: Database, number: int, why: str) -> None:
    """End an experiment without a verdict; does nothing when it has ended already."""
    if _state(db, number) in ENDS:
        return
    _cancel_open_stages(db, number)
    db.table("experiments").update(number, {"state": State.CANCELLED, "ended_at": time.time(), "note": why})
    event(db, Level.WARNING, "run", f"cancelled: {why}", number)


def veto(db: Database, number: int, champion: int | None, reason: str) -> None:
    """Take back a keep.

    Args:
        champion: Who reigns instead; None when somebody else reigns and goes on reigning.
    """
    if (state := _state(db, number)) is not State.KEPT:
        raise Conflict(f"experiment {number} is {state}; only a kept one can be vetoed")
    db.table("experiments").update(number, {"state": State.VETOED, "note": reason})
    event(db, Level.WARNING, "verdict", f"vetoed: {reason}" if reason else "vetoed", number)
    if champion is not None:
        change_champion(db, champion, f"experiment {number} was vetoed")


def evaluate_again(db: Database, number: int, why: str) -> None:
    """Put an experiment back before the evaluate lane: the opponent that it was judged against is gone.

    The votes stay for the ranking; the next evaluation counts those against its own opponent.
    """
    db.execute(
        "UPDATE stages SET state = ?, finished_at = coalesce(finished_at, ?) WHERE experiment = ?"
        " AND (lane = ? AND state IN ('started', 'done') OR lane = ? AND state = 'started')",
        [StageState.CANCELLED, time.time(), number, Lane.EVALUATE, Lane.ANALYZE],
    )
    db.execute("UPDATE experiments SET state = ?, opponent = NULL WHERE number = ?", [State.UPLOADED, number])
    event(db, Level.WARNING, Lane.EVALUATE, f"evaluated again: {why}", number)


def change_champion(db: Database, number: int, reason: str, pinned: bool = False) -> None:
    """End the reign and begin the next, in one moment; ``pinned`` says whether a person holds the new one there."""
    now = time.time()
    db.execute("UPDATE championships SET until = ? WHERE until IS NULL", [now])
    db.table("championships").insert(
        {"experiment": number, "since": now, "until": None, "reason": reason, "pinned": pinned}
    )
    event(db, Level.GOOD, "champion", f"{model_name(number)} is champion: {reason}", number)


def add_votes(db: Database, votes: Iterable[Vote]) -> int:
    """Count votes; those that were counted before are not counted again. Returns how many were new."""
    counted = 0
    for vote in votes:
        cursor = db.conn.execute(
            "INSERT INTO votes (key, experiment, voter, prompt, model_a, model_b, choice, simulated, at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            [
                vote.key, vote.experiment, vote.voter, vote.prompt, vote.model_a, vote.model_b, vote.choice,
                vote.simulated, vote.at,
            ],
        )  # fmt: skip
        counted += cursor.rowcount
    return counted


def add_answers(db: Database, answers: Iterable[Answer]) -> None:
    """Keep what models said; the first answer of a model to a prompt stays."""
    db.conn.executemany(
        "INSERT INTO answers VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
        [(answer.experiment, answer.prompt, answer.model, answer.text) for answer in answers],
    )


def add_prompts(db: Database, prompts: Iterable[tuple[str, str]]) -> None:
    """Keep what the models were asked, as (id, text), for whoever reads their answers."""
    db.conn.executemany("INSERT INTO prompts VALUES (?, ?) ON CONFLICT DO UPDATE SET text = excluded.text", prompts)


def add_metrics(db: Database, metrics: Iterable[Metric]) -> None:
    """Keep what a trainer logged; a step that was done again replaces what it said the first time."""
    db.conn.executemany(
        'INSERT INTO metrics VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET "values" = excluded."values"',
        [(metric.experiment, metric.phase, metric.step, _json(dict(metric.values))) for metric in metrics],
    )


def set_progress(db: Database, progress: Progress) -> None:
    """Show how far a lane is."""
    db.conn.execute(
        "INSERT OR REPLACE INTO progress VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [
            progress.lane, progress.experiment, progress.doing, progress.done, progress.total, progress.detail,
            progress.eta, progress.at,
        ],
    )  # fmt: skip


def start_waiting(db: Database, lane: Lane, what: str) -> None:
    """A lane stands still; waiting for something else ends the wait before."""
    now = time.time()
    current = db.execute("SELECT what FROM waits WHERE lane = ? AND until IS NULL", [lane]).fetchone()
    if current == (what,):
        return
    stop_waiting(db, lane)
    db.execute("INSERT INTO waits (lane, what, since) VALUES (?, ?, ?)", [lane, what, now])
    set_progress(db, Progress(lane, None, what, 0, 0, "", None, now))


def stop_waiting(db: Database, lane: Lane) -> None:
    """A lane goes on."""
    db.execute("UPDATE waits SET until = ? WHERE lane = ? AND until IS NULL", [time.time(), lane])


def end_waits(db: Database) -> None:
    """A runner begins: waits that were cut short with the one before end where the run was last heard of."""
    db.execute("UPDATE waits SET until = max(since, (SELECT max(at) FROM events)) WHERE until IS NULL")


def add_hypothesis(db: Database, text: str, category: str, experiment: int) -> None:
    """Write a belief down with the experiment that tests it."""
    db.execute(
        "INSERT INTO hypotheses (text, category, status, experiments) VALUES (?, ?, ?, ?)",
        [text, category, HypothesisStatus.OPEN, _json([experiment])],
    )


def settle_hypothesis(db: Database, experiment: int, status: HypothesisStatus) -> None:
    """What the verdict of an experiment says of the belief that it tested."""
    db.execute(
        "UPDATE hypotheses SET status = ? WHERE EXISTS (SELECT 1 FROM json_each(experiments) WHERE value = ?)",
        [status, experiment],
    )


def add_zoom_out(db: Database, trigger: str, steering: str, text: str, categories: Sequence[str]) -> int:
    """Keep the text of a step outside the frame; returns its number."""
    cursor = db.execute(
        'INSERT INTO zoom_outs ("trigger", steering, text, categories, at) VALUES (?, ?, ?, ?, ?)',
        [trigger, steering, text, _json(list(categories)), time.time()],
    )
    number = cursor.lastrowid
    assert number is not None
    event(db, Level.INFO, "zoom-out", f"zoom-out {number} ({trigger}): {', '.join(categories) or 'nothing left'}")
    return number


def intervene(
    db: Database, step: Step, experiment: int | None = None, reason: str = "", detail: Json | None = None
) -> int:
    """Record what a person wants; it is pending until the runner acknowledges it. Returns its number."""
    cursor = db.execute(
        "INSERT INTO interventions (step, experiment, detail, reason, at) VALUES (?, ?, ?, ?, ?)",
        [step, experiment, _json(detail or {}), reason, time.time()],
    )
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def acknowledge(db: Database, number: int, effect: str, done: Json | None = None) -> None:
    """The runner has done what a person wanted; ``effect`` says what came of it, ``done`` what its undo needs."""
    db.execute(
        "UPDATE interventions SET acknowledged_at = ?, effect = ?, done = ? WHERE number = ?",
        [time.time(), effect, _json(done or {}), number],
    )
    step, experiment = db.execute("SELECT step, experiment FROM interventions WHERE number = ?", [number]).fetchone()
    if step != Step.VOTE:  # a person votes dozens of times; their votes are counted where votes are
        event(db, Level.INFO, "intervention", f"{step}: {effect}", experiment)


def event(db: Database, level: Level, kind: str, text: str, experiment: int | None = None) -> None:
    """Add a line to the run's log."""
    db.execute(
        "INSERT INTO events (at, level, kind, experiment, text) VALUES (?, ?, ?, ?, ?)",
        [time.time(), level, kind, experiment, text],
    )


def _state(db: Database, number: int) -> State:
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


def _check_opponent_reigns(db: Database, number: int) -> None:
    opponent = db.execute("SELECT opponent FROM experiments WHERE number = ?", [number]).fetchone()[0]
    reigning = db.execute("SELECT experiment FROM championships WHERE until IS NULL").fetchone()
    if reigning is None or reigning[0] != opponent:
        raise Conflict(f"experiment {number} was judged against {opponent}, which is champion no longer")


def _close_stage(
    db: Database, number: int, lane: Lane, attempt: int, state: StageState, seconds: float, **values: Any
) -> None:
    names = "".join(f", {name} = ?" for name in values)
    cursor = db.execute(
        f"UPDATE stages SET state = ?, finished_at = ?, seconds = ?{names}"
        " WHERE experiment = ? AND lane = ? AND attempt = ? AND state = 'started'",
        [state, time.time(), seconds, *values.values(), number, lane, attempt],
    )
    if cursor.rowcount != 1:
        raise Conflict(f"attempt {attempt} of experiment {number} in the {lane} lane is not open")


def _cancel_open_stages(db: Database, number: int) -> None:
    db.execute(
        "UPDATE stages SET state = ?, finished_at = ? WHERE experiment = ? AND state = 'started'",
        [StageState.CANCELLED, time.time(), number],
    )


def _insert_verdict(db: Database, verdict: Verdict, note: str = "") -> None:
    db.table("verdicts").insert(
        {
            "experiment": verdict.experiment, "outcome": verdict.outcome, "wins": verdict.wins,
            "losses": verdict.losses, "ties": verdict.ties, "win_rate": _interval(verdict.win_rate),
            "anytime": _interval(verdict.anytime), "shrunken": verdict.shrunken,
            "reference": _interval(verdict.reference), "reason": verdict.reason, "decided_at": verdict.decided_at,
        }
    )  # fmt: skip
    db.table("experiments").update(
        verdict.experiment,
        {"state": OUTCOME_ENDS[verdict.outcome], "ended_at": verdict.decided_at, "note": note},
    )


def _interval(interval: Interval | None) -> str | None:
    return _json([interval.estimate, interval.low, interval.high]) if interval else None


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
