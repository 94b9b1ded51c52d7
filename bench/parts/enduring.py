"""What an event loop goes through while its database cannot be written: ticks that come late, records that are kept.

Nothing but the standard library is imported: each program that is compared measures itself in its own environment.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field

TICK_SECONDS = 0.005
WRITE_SECONDS = 0.01
"""Between the acknowledgement of a record and the next one."""

LAST_SECONDS = 30.0
"""Longest time that the last write may take."""


@dataclass
class Endured:
    """What came of it."""

    late: list[float] = field(default_factory=list)
    """Seconds by which ticks came after they were due: one that is a second late makes two hundred after it late."""

    acknowledged: list[float] = field(default_factory=list)
    """When each record was, monotonic; they are numbered from 0."""

    failed: str = ""
    """What a write raised; there is none after it."""

    missing: int = 0
    """Records that were acknowledged and are not in the database."""

    said: list[str] = field(default_factory=list)
    """What the program said for a person meanwhile."""

    def tell(self) -> None:
        """To whom measures."""
        print(json.dumps(asdict(self)), flush=True)


async def endure(write: Callable[[int], Awaitable[object]], seconds: float) -> Endured:
    """Write record after record and tick meanwhile; ``ready`` is said when the first record is written.

    Args:
        write: One record; it returns when it is acknowledged.
        seconds: For so long.
    """
    found = Endured()
    await write(0)
    found.acknowledged.append(time.monotonic())
    print("ready", flush=True)
    until = time.monotonic() + seconds
    writing = asyncio.create_task(_write(write, until, found))
    due = time.monotonic()
    while due < until:
        due += TICK_SECONDS
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        found.late.append(time.monotonic() - due)
    await asyncio.wait([writing], timeout=LAST_SECONDS)
    return found


async def _write(write: Callable[[int], Awaitable[object]], until: float, found: Endured) -> None:
    while time.monotonic() < until:
        try:
            await write(len(found.acknowledged))
        except Exception as error:
            found.failed = f"{type(error).__name__}: {str(error).splitlines()[0]}"
            return
        found.acknowledged.append(time.monotonic())
        await asyncio.sleep(WRITE_SECONDS)
