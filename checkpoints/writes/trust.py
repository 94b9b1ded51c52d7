"""Promotion and what speaks for it: tests on fresh votes, looks, calibrations of judges, and what analysis found."""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

from typing import TYPE_CHECKING

from checkpoints.clock import later, now
from checkpoints.records import Interval, Json, Level, Verdict, model_name
from checkpoints.trust import Calibration
from checkpoints.writes.experiment import Conflict, interval_text
from checkpoints.writes.log import as_json, event

if TYPE_CHECKING:
    from sqlite_utils import Database


def begin_test(db: Database, experiment: int, opponent: int | None, order: Json) -> int:
    """Begin a promotion test; returns its number, from 1.

    Args:
        experiment: The champion.
        opponent: What the run began with, or the model that was promoted last; None for the reference.
        order: Everything that is needed to do it.

    Raises:
        Conflict: Another one goes on.
    """
    if going := db.execute("SELECT number FROM promotion_tests WHERE ended_at IS NULL").fetchone():
        raise Conflict(f"promotion test {going[0]} goes on")
    cursor = db.execute(
        'INSERT INTO promotion_tests (experiment, opponent, "order", began_at) VALUES (?, ?, ?, ?)',
        [experiment, opponent, as_json(order), now(db)],
    )
    number = cursor.lastrowid
    assert number is not None
    against = "the reference" if opponent is None else model_name(opponent)
    event(db, Level.INFO, "promotion", f"test {number} on fresh votes: {model_name(experiment)} against {against}")
    return number


def end_test(db: Database, number: int, verdict: Verdict) -> None:
    """A promotion test has its outcome.

    Raises:
        Conflict: It has ended before.
    """
    cursor = db.execute(
        "UPDATE promotion_tests SET ended_at = ?, outcome = ?, wins = ?, losses = ?, ties = ?, voters = ?,"
        " win_rate = ?, anytime = ?, shrunken = ?, reason = ? WHERE number = ? AND ended_at IS NULL",
        [
            later(db, verdict.decided_at), verdict.outcome, verdict.wins, verdict.losses, verdict.ties, verdict.voters,
            interval_text(verdict.win_rate), interval_text(verdict.anytime), verdict.shrunken, verdict.reason, number,
        ],
    )  # fmt: skip
    if not cursor.rowcount:
        raise Conflict(f"promotion test {number} has ended")
    event(db, Level.INFO, "promotion", f"test {number}: {verdict.reason}", verdict.experiment)


def call_off_test(db: Database, number: int, reason: str) -> None:
    """End a promotion test without an outcome; does nothing where it has ended."""
    cursor = db.execute(
        "UPDATE promotion_tests SET ended_at = ?, reason = ? WHERE number = ? AND ended_at IS NULL",
        [now(db), reason, number],
    )
    if cursor.rowcount:
        event(db, Level.WARNING, "promotion", f"test {number} was called off: {reason}")


def reopen_test(db: Database, number: int) -> None:
    """Go on with a promotion test that was called off: its votes, its looks and what was ordered are what they were.

    Raises:
        Conflict: It was not called off, or another one goes on.
    """
    if going := db.execute("SELECT number FROM promotion_tests WHERE ended_at IS NULL").fetchone():
        raise Conflict(f"promotion test {going[0]} goes on")
    cursor = db.execute(
        "UPDATE promotion_tests SET ended_at = NULL, reason = '' WHERE number = ? AND outcome IS NULL", [number]
    )
    if not cursor.rowcount:
        raise Conflict(f"promotion test {number} was not called off")
    event(db, Level.INFO, "promotion", f"test {number} goes on with the votes that it has")


def add_look(db: Database, model: str, voters: int, test: int) -> None:
    """Keep which model the votes of a promotion test recommend at this look at them, and how many voters there are."""
    db.execute("INSERT INTO looks (test, model, voters, at) VALUES (?, ?, ?, ?)", [test, model, voters, now(db)])


def forget_looks(db: Database, test: int) -> None:
    """Forget the looks at a promotion test: they come anew, as other voters' votes count by now."""
    db.execute("DELETE FROM looks WHERE test = ?", [test])


def promote(
    db: Database, experiment: int, test: int | None, hypothesis: str, lift: Interval | None, reason: str
) -> None:
    """Have a model served for good; the one before it is no longer.

    Args:
        experiment: That trained it.
        test: The test on fresh votes that it passed; None for a rollback.
        hypothesis, lift, reason: The record: what was believed, by how much it won, why it is promoted.

    Raises:
        Conflict: It is the promoted one already, or, with a test, the champion no longer.
    """
    if (before := _promoted(db)) == experiment:
        raise Conflict(f"{model_name(experiment)} is promoted already")
    reign = db.execute("SELECT experiment FROM championships WHERE until IS NULL").fetchone()
    if test is not None and reign != (experiment,):
        raise Conflict(f"{model_name(experiment)} was tested and is champion no longer")
    at = now(db)
    db.execute("UPDATE promotions SET until = ? WHERE until IS NULL", [at])
    db.execute(
        "INSERT INTO promotions (experiment, since, test, hypothesis, lift, reason) VALUES (?, ?, ?, ?, ?, ?)",
        [experiment, at, test, hypothesis, interval_text(lift), reason],
    )
    instead = "" if before is None else f", instead of {model_name(before)}"
    event(db, Level.GOOD, "promotion", f"{model_name(experiment)} is promoted{instead}: {reason}", experiment)


def demote(db: Database, reason: str) -> int:
    """End the promotion that stands, with nothing in its place; returns its experiment.

    Raises:
        Conflict: Nothing is promoted.
    """
    if (experiment := _promoted(db)) is None:
        raise Conflict("nothing is promoted")
    db.execute("UPDATE promotions SET until = ? WHERE until IS NULL", [now(db)])
    event(db, Level.WARNING, "promotion", f"{model_name(experiment)} is demoted: {reason}", experiment)
    return experiment


def add_calibration(db: Database, calibration: Calibration) -> int:
    """Keep what a judge was found to be worth; returns its number, from 1 (that of the record does not matter)."""
    found = calibration
    cursor = db.execute(
        "INSERT INTO calibrations (judge, labels, agreement, consistency, passed, reason, at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        [found.judge, found.labels, found.agreement, found.consistency, found.passed, found.reason, found.at],
    )
    level = Level.GOOD if found.passed else Level.WARNING
    event(db, level, "judge", f"{found.judge} was calibrated on {found.labels} labels: {found.reason}")
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def set_insight(db: Database, name: str, value: Json) -> None:
    """Keep what analysis found of the run as a whole, under its name; the last one stays."""
    db.execute(
        "INSERT INTO insights VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value, at = excluded.at",
        [name, as_json(value), now(db)],
    )


def _promoted(db: Database) -> int | None:
    row = db.execute("SELECT experiment FROM promotions WHERE until IS NULL").fetchone()
    return row and row[0]
