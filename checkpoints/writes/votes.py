"""Votes: counted once, by vote and by voter, and taken out of the count again where a voter is excluded."""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from checkpoints.clock import now
from checkpoints.records import JUDGE, Level, Vote
from checkpoints.writes.experiment import Conflict
from checkpoints.writes.log import event
from checkpoints.writes.sessions import follow_clock

if TYPE_CHECKING:
    from sqlite_utils import Database

_RECOUNT = (
    "DELETE FROM tallies WHERE experiment IN (SELECT experiment FROM votes WHERE voter = :voter)",
    "INSERT INTO tallies SELECT experiment, test, model_a, model_b, choice, count(*) FROM votes"
    " WHERE experiment IN (SELECT experiment FROM votes WHERE voter = :voter)"
    f" AND voter NOT IN (SELECT voter FROM exclusions) AND voter NOT GLOB '{JUDGE}*' GROUP BY 1, 2, 3, 4, 5",
)


def add_votes(db: Database, votes: Iterable[Vote], most: int | None = None) -> int:
    """Count votes; those that were counted before are not counted again. Returns how many were new.

    Args:
        votes: In the order in which they came.
        most: Votes on one pair of answers that count, those of judges and excluded voters aside; None for any number.
    """
    follow_clock(db)
    counted = 0
    for vote in votes:
        cursor = db.conn.execute(
            "INSERT INTO votes (key, experiment, voter, prompt, model_a, model_b, choice, simulated, at, test)"
            " SELECT :key, :experiment, :voter, :prompt, :a, :b, :choice, :simulated, :at, :test"
            " WHERE :most IS NULL OR :most > (SELECT count(*) FROM votes"
            f" WHERE experiment = :experiment AND prompt = :prompt AND test = :test AND voter NOT GLOB '{JUDGE}*'"
            " AND voter NOT IN (SELECT voter FROM exclusions)"
            " AND min(model_a, model_b) = min(:a, :b) AND max(model_a, model_b) = max(:a, :b)) ON CONFLICT DO NOTHING",
            {
                "key": vote.key, "experiment": vote.experiment, "voter": vote.voter, "prompt": vote.prompt,
                "a": vote.model_a, "b": vote.model_b, "choice": vote.choice, "simulated": vote.simulated,
                "at": vote.at, "test": vote.test, "most": most,
            },
        )  # fmt: skip
        counted += cursor.rowcount
    return counted


def exclude(db: Database, voter: str, reason: str) -> int:
    """Count a voter's votes no longer; verdicts that have fallen stay. Returns how many votes that concerns.

    Raises:
        Conflict: They are excluded already.
    """
    cursor = db.conn.execute("INSERT INTO exclusions VALUES (?, ?, ?) ON CONFLICT DO NOTHING", [voter, reason, now(db)])
    if not cursor.rowcount:
        raise Conflict(f"voter {voter} is excluded already")
    for statement in _RECOUNT:
        db.conn.execute(statement, {"voter": voter})
    db.conn.execute("DELETE FROM voter_sessions WHERE voter = ?", [voter])
    votes = _votes(db, voter)
    event(db, Level.WARNING, "votes", f"voter {voter} is excluded ({reason}): {votes} votes count no longer")
    return votes


def readmit(db: Database, voter: str) -> int:
    """Count an excluded voter's votes again, each session as closed now; returns how many votes that concerns.

    Raises:
        Conflict: They are not excluded.
    """
    if not db.conn.execute("DELETE FROM exclusions WHERE voter = ?", [voter]).rowcount:
        raise Conflict(f"voter {voter} is not excluded")
    for statement in _RECOUNT:
        db.conn.execute(statement, {"voter": voter})
    db.conn.execute(
        "INSERT INTO voter_sessions SELECT experiment, test, min(model_a, model_b), max(model_a, model_b), voter,"
        " sum(choice = iif(model_a < model_b, 'a', 'b')), sum(choice = iif(model_a < model_b, 'b', 'a')),"
        " sum(choice = 'tie'), max(at), ? FROM votes WHERE voter = ? GROUP BY 1, 2, 3, 4",
        [now(db), voter],
    )
    votes = _votes(db, voter)
    event(db, Level.INFO, "votes", f"voter {voter} is admitted again: {votes} votes count")
    return votes


def _votes(db: Database, voter: str) -> int:
    return db.conn.execute("SELECT count(*) FROM votes WHERE voter = ?", [voter]).fetchone()[0]
