"""The run as a whole: its program, its state, what its lanes wait for and how far they are."""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

from typing import TYPE_CHECKING

from checkpoints.clock import now
from checkpoints.records import Lane, Level, Progress, RunState
from checkpoints.writes.log import event

if TYPE_CHECKING:
    from sqlite_utils import Database


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
            "created_at": now(db), "seed": seed, "usd_per_hour": usd_per_hour,
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
        {"revision": revision, "sha256": sha256, "text": text, "error": error, "read_at": now(db)}
    )
    if error:
        event(db, Level.ERROR, "program", f"program.md revision {revision} refused, the last good one stays: {error}")
    elif revision > 1:
        event(db, Level.INFO, "program", f"program.md revision {revision} in force from the next proposal")
    return revision


def start_waiting(db: Database, lane: Lane, what: str) -> None:
    """A lane stands still; waiting for something else ends the wait before."""
    at = now(db)
    current = db.execute("SELECT what FROM waits WHERE lane = ? AND until IS NULL", [lane]).fetchone()
    if current == (what,):
        return
    stop_waiting(db, lane)
    db.execute("INSERT INTO waits (lane, what, since) VALUES (?, ?, ?)", [lane, what, at])
    set_progress(db, Progress(lane, None, what, 0, 0, "", None, at))


def stop_waiting(db: Database, lane: Lane) -> None:
    """A lane goes on."""
    db.execute("UPDATE waits SET until = ? WHERE lane = ? AND until IS NULL", [now(db), lane])


def end_waits(db: Database) -> None:
    """A runner begins: waits that were cut short with the one before end where the run was last heard of."""
    db.execute("UPDATE waits SET until = max(since, (SELECT max(at) FROM events)) WHERE until IS NULL")


def set_progress(db: Database, progress: Progress) -> None:
    """Show how far a lane is with an experiment, beside others that it has in hand; or what it waits for."""
    db.conn.execute(
        "DELETE FROM progress WHERE lane = ? AND (? IS NULL OR experiment IS NULL"
        " OR experiment NOT IN (SELECT experiment FROM stages WHERE lane = progress.lane AND state = 'started'))",
        [progress.lane, progress.experiment],
    )
    db.conn.execute(
        "INSERT OR REPLACE INTO progress VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [
            progress.lane, progress.experiment, progress.doing, progress.done, progress.total, progress.detail,
            progress.eta, progress.at,
        ],
    )  # fmt: skip
