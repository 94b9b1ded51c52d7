"""The laws by their names, and a breach of one."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Law(StrEnum):
    """What must not come about, whatever is killed."""

    LOST = "lost"
    JUDGED = "judged twice"
    VOTES = "votes counted twice"
    HANGS = "left hanging"
    AGAIN = "trained again though finished"
    CHAMPION = "wrong champion"
    SLOTS = "too many side by side"


class Breach(NamedTuple):
    """One thing that is not as it must be."""

    law: Law
    what: str
