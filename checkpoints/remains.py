"""What an empty database would hide: a run that was there, and that a new one would begin on top of."""

from __future__ import annotations

from pathlib import Path

_OF_A_RUN = {"artifacts": "*", "copies": "*", "published": "*", "work": "exp-*"}
"""What in these folders is made when a run has begun, never before its database has been; judges and the doctor work
before that."""


def remains(database: Path) -> list[str]:
    """What a run has left beside a database that is empty or not there; nothing beside one that has something in it."""
    if database.exists() and database.stat().st_size:
        return []
    lasting = [_log(database).name] if has_log(database) else []
    return lasting + [name for name, what in _OF_A_RUN.items() if any(database.with_name(name).glob(what))]


def has_log(database: Path) -> bool:
    """Whether something was committed that is not in the database's own file yet."""
    log = _log(database)
    return log.exists() and log.stat().st_size > 0


def _log(database: Path) -> Path:
    return database.with_name(f"{database.name}-wal")
