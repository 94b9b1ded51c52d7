"""Times as the store keeps them: UTC, and in the order in which things happened, wherever the machine's clock is set.

So whatever is put in order by its time is in the order of its writes, also after somebody has set the clock back.
"""

from __future__ import annotations

import time
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from uuid import uuid4
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from sqlite_utils import Database

_STEP = 1e-6
"""Seconds between two moments, at least."""

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")

_latest: WeakKeyDictionary[Database, float] = WeakKeyDictionary()


def now(db: Database) -> float:
    """The time, UTC seconds; later than each that was given out before, here or to an earlier owner of the store."""
    return later(db, time.time())


def later(db: Database, at: float) -> float:
    """A time that somebody else took, or the next moment where the store has a later one already."""
    before = _latest[db] if db in _latest else _last_event(db)
    found = _latest[db] = max(at, before + _STEP)
    return found


class Setting(NamedTuple):
    """How somebody has set the clock."""

    boot: str
    """Of the machine: what is ahead of a clock that began with it compares with the same boot's alone."""

    ahead: float
    """Seconds that the time is ahead of the monotonic clock; changes where the clock is set, and while a machine
    sleeps."""


def setting() -> Setting:
    """How the clock is set now."""
    return Setting(_boot(), time.time() - time.monotonic())


def boot_id() -> str:
    """Id of this boot of the machine; empty where the system gives none."""
    try:
        return BOOT_ID.read_text(encoding="utf-8").strip()
    except OSError:
        return ""


@cache
def _boot() -> str:
    """Where the system does not tell one boot from another, nothing is known beyond this process."""
    return boot_id() or uuid4().hex


def _last_event(db: Database) -> float:
    row = db.conn.execute("SELECT at FROM events ORDER BY seq DESC LIMIT 1").fetchone()
    return row[0] if row else 0.0
