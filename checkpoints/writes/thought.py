"""What the agent said, was told and was refused; and what repeated trainings measured."""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from checkpoints.clock import now
from checkpoints.measurements import Measurement
from checkpoints.records import Json
from checkpoints.thought import Exchange, Idea, Purpose
from checkpoints.writes.experiment import Conflict
from checkpoints.writes.log import as_json

if TYPE_CHECKING:
    from sqlite_utils import Database

LONGEST_TEXT = 100_000
"""Characters of a request or an answer that are kept; what is longer is shortened in its middle."""

SPOKEN = 2000
"""Characters of what the agent says right now that are kept."""


def add_exchange(db: Database, exchange: Exchange) -> int:
    """Keep a question to a language model with its answer; its number is given here and returned."""
    row = asdict(replace(exchange, request=_shortened(exchange.request), answer=_shortened(exchange.answer)))
    del row["number"]
    cursor = db.execute(
        f"INSERT INTO exchanges ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})", list(row.values())
    )
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def led_to(db: Database, exchanges: Iterable[int], experiment: int) -> None:
    """Say which experiment came of some exchanges."""
    db.conn.executemany(
        "UPDATE exchanges SET experiment = ? WHERE number = ?", [(experiment, number) for number in exchanges]
    )


def add_refusal(
    db: Database, proposer: str, proposal: Json, reason: str, exchange: int | None = None, belief: int | None = None
) -> int:
    """Keep a proposal that the program refused, with the person's hypothesis that it should have tested; returns its
    number."""
    cursor = db.execute(
        "INSERT INTO refusals (at, proposer, proposal, reason, exchange, belief) VALUES (?, ?, ?, ?, ?, ?)",
        [now(db), proposer, as_json(proposal), reason, exchange, belief],
    )
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def add_note(db: Database, text: str) -> int:
    """Keep what a person wants the agent to know; returns its number."""
    cursor = db.execute("INSERT INTO notes (text, at) VALUES (?, ?)", [text, now(db)])
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def change_note(db: Database, number: int, text: str) -> None:
    """Put another text in a note's place.

    Raises:
        Conflict: There is no such note.
    """
    _one_note(db, "UPDATE notes SET text = ?, at = ? WHERE number = ? AND removed_at IS NULL", text, number)


def remove_note(db: Database, number: int) -> None:
    """Take a note back; it stays in the store, for the record.

    Raises:
        Conflict: There is no such note.
    """
    _one_note(db, "UPDATE notes SET removed_at = ? WHERE number = ? AND removed_at IS NULL", None, number)


def restore_note(db: Database, number: int) -> None:
    """Let a note that was taken back stand again.

    Raises:
        Conflict: No note of this number was taken back.
    """
    cursor = db.execute("UPDATE notes SET removed_at = NULL WHERE number = ? AND removed_at IS NOT NULL", [number])
    if cursor.rowcount != 1:
        raise Conflict(f"note {number} was not taken back")


def add_message(
    db: Database, role: str, text: str, ideas: Sequence[Idea] = (), exchange: int | None = None, at: float | None = None
) -> int:
    """Keep one turn of the conversation about the run; returns its number.

    Args:
        role: Whose words they are, ``person`` or ``agent``.
        text: The words.
        ideas: What the agent would try.
        exchange: The exchange with a language model that it came from.
        at: When it was said, in seconds since the epoch; None is now.
    """
    cursor = db.execute(
        "INSERT INTO messages (role, text, ideas, at, exchange) VALUES (?, ?, ?, ?, ?)",
        [role, text, as_json([asdict(idea) for idea in ideas]), now(db) if at is None else at, exchange],
    )
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def speak(db: Database, purpose: Purpose, text: str, at: float) -> None:
    """Show what the agent says right now."""
    db.execute(
        "INSERT INTO speech VALUES (1, ?, ?, ?)"
        " ON CONFLICT DO UPDATE SET purpose = excluded.purpose, text = excluded.text, at = excluded.at",
        [purpose, text[-SPOKEN:], at],
    )


def fall_silent(db: Database) -> None:
    """The agent has ended what it said."""
    db.execute("DELETE FROM speech")


def add_measurements(db: Database, measurements: Iterable[Measurement]) -> None:
    """Keep what trainings measured; the same one reported twice is one."""
    db.conn.executemany(
        "INSERT INTO measurements (experiment, seed, role, rows, value, standard_error, failure, asked_by, at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        [
            (
                one.experiment, one.seed, one.role, one.rows, one.value, one.standard_error, one.failure, one.asked_by,
                one.at,
            )
            for one in measurements
        ],
    )  # fmt: skip


def _one_note(db: Database, statement: str, text: str | None, number: int) -> None:
    values = [now(db), number] if text is None else [text, now(db), number]
    if db.execute(statement, values).rowcount != 1:
        raise Conflict(f"there is no note {number}")


def _shortened(text: str) -> str:
    if len(text) <= LONGEST_TEXT:
        return text
    half = LONGEST_TEXT // 2
    return f"{text[:half]}\n… {len(text) - 2 * half:,} characters left out …\n{text[-half:]}"
