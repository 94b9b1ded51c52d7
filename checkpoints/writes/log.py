"""The run's log, and how values are written down."""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

import json
from typing import TYPE_CHECKING

from checkpoints.clock import now
from checkpoints.records import Level

if TYPE_CHECKING:
    from sqlite_utils import Database


def event(db: Database, level: Level, kind: str, text: str, experiment: int | None = None) -> None:
    """Add a line to the run's log."""
    db.execute(
        "INSERT INTO events (at, level, kind, experiment, text) VALUES (?, ?, ?, ?, ?)",
        [now(db), level, kind, experiment, text],
    )


def as_json(value: object) -> str:
    """A value as the store keeps it: JSON without blanks; a number that is none is an error."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
