"""The run's log, and how values are written down."""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

import json
import re
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


def event_once(db: Database, level: Level, kind: str, text: str, experiment: int | None = None) -> None:
    """Add a line unless the log has it already, of whichever experiment."""
    if not db.execute("SELECT 1 FROM events WHERE kind = ? AND text = ? LIMIT 1", [kind, text]).fetchone():
        event(db, level, kind, text, experiment)


_HALF = re.compile("[\ud800-\udfff]")


def as_json(value: object) -> str:
    """A value as the store keeps it: JSON without blanks; a number that is none is an error.

    Half a character, which a model can say and no database keeps, becomes U+FFFD.
    """
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace") if _HALF.search(text) else text
