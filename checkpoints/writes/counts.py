"""Counts of votes that are kept beside them, made anew from the votes themselves."""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

from typing import TYPE_CHECKING

from checkpoints.records import JUDGE

if TYPE_CHECKING:
    from sqlite_utils import Database


def recount(db: Database) -> None:
    """Count all votes again that count; nothing else is changed, and no verdict."""
    db.conn.execute("DELETE FROM tallies")
    db.conn.execute(
        "INSERT INTO tallies SELECT experiment, test, model_a, model_b, choice, count(*) FROM votes"
        f" WHERE voter NOT IN (SELECT voter FROM exclusions) AND voter NOT GLOB '{JUDGE}*' GROUP BY 1, 2, 3, 4, 5"
    )
