"""Voters' sessions: closed when a voter is done, and neither ended nor prolonged by somebody who sets the clock."""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from checkpoints.clock import Setting, now, setting
from checkpoints.records import JUDGE
from checkpoints.writes.trust import set_insight

if TYPE_CHECKING:
    from sqlite_utils import Database

CLOCK = "clock"
"""Name of the insight that says how the clock was set when sessions were written to last."""

_STEP_SECONDS = 1.0
"""Smaller steps of the clock matter to no session; they add up."""


def close_sessions(db: Database, experiment: int, test: int, idle_since: float, votes: int) -> int:
    """Close the sessions of voters who are done, so that their means count from now on; returns how many.

    Args:
        experiment: Whose evaluation, or whose promotion test.
        test: Number of the promotion test; 0 for the verdict's votes.
        idle_since: UTC seconds, as the clock is set now; who has not voted since is done.
        votes: Who has cast so many is done, too; but for a judge, whose mean is over all that it judged.
    """
    follow_clock(db)
    cursor = db.conn.execute(
        "UPDATE voter_sessions SET closed_at = ? WHERE experiment = ? AND test = ? AND closed_at IS NULL"
        f" AND (last_at <= ? OR (a_wins + b_wins + ties >= ? AND voter NOT GLOB '{JUDGE}*'))",
        [now(db), experiment, test, idle_since, votes],
    )
    return cursor.rowcount


def close_idle_sessions(db: Database, experiment: int, test: int, seconds: float, votes: int) -> int:
    """The same for voters whose last vote is so many seconds ago, by the clock at the moment of the write."""
    return close_sessions(db, experiment, test, time.time() - seconds, votes)


def follow_clock(db: Database) -> None:
    """Where the clock was set since this was asked last, set the last votes of open sessions with it."""
    is_set, before = setting(), _setting_before(db)
    moved = is_set.ahead - before.ahead if before and before.boot == is_set.boot else None
    if moved is not None and abs(moved) < _STEP_SECONDS:
        return
    set_insight(db, CLOCK, is_set._asdict())
    # What was set back while the machine was off has last votes that are still to come.
    db.conn.execute(
        "UPDATE voter_sessions SET last_at = min(last_at + ?, ?) WHERE closed_at IS NULL", [moved or 0.0, time.time()]
    )


def _setting_before(db: Database) -> Setting | None:
    row = db.conn.execute("SELECT value FROM insights WHERE name = ?", [CLOCK]).fetchone()
    return Setting(**json.loads(row[0])) if row else None
