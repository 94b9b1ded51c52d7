"""Whether a server still answers, and what it tells of its troubles.

One that is stopped, or stuck, lives, holds its port and answers nobody.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable

from checkpoints.text import clean

BEAT_SECONDS = 15.0
"""Between two looks."""

ANSWER_SECONDS = 30.0
"""Most time for an answer to a small question, also while it has much to do."""

LONGEST = 64 * 1024
"""Bytes of an answer that are waited for."""

MISSES = 2
"""So often in a row it must be silent: where this process stood still, too, the first answer comes too late."""


class Pulse:
    """Looks after one server, and ends it where it answers nobody; whoever keeps it up starts another."""

    def __init__(
        self, name: str, where: Callable[[], tuple[str, int] | None], end: Callable[[], Awaitable[None]],
        complain: Callable[[str], None],
    ) -> None:  # fmt: skip
        """Ask nobody yet.

        Args:
            name: For a person.
            where: Host and port; None while there is nobody to be asked.
            end: Ends it.
            complain: Called with a line for a person.
        """
        self.name = name
        self._where, self._end, self._complain = where, end, complain
        self._troubles = 0
        """Those of the server that were told."""

    async def feel(self) -> None:
        """Look once, after a while."""
        await asyncio.sleep(BEAT_SECONDS)
        for _ in range(MISSES):
            where = self._where()
            if where is None or await self._answers(*where):
                return
        self._complain(f"{self.name} answered nobody for {MISSES * ANSWER_SECONDS:g} s and was ended")
        await self._end()

    async def _answers(self, host: str, port: int) -> bool:
        """Whether it says anything, a refusal included; its troubles are told as they come."""
        try:
            said = await health(host, port)
        except TimeoutError:
            return False
        except OSError:
            return True  # who has just ended is somebody else's concern
        times, line = _troubles(said)
        if times and times != self._troubles:
            self._complain(f"{self.name}: {line}")
        self._troubles = times
        return True


async def health(host: str, port: int) -> bytes:
    """What whoever listens there says of its health, with the head of the answer.

    Raises:
        TimeoutError: Nothing in ``ANSWER_SECONDS``.
        OSError: Nobody listens.
    """
    async with asyncio.timeout(ANSWER_SECONDS):
        reader, writer = await asyncio.open_connection(host, port)
        try:
            writer.write(f"GET /health HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            said = b""
            while len(said) < LONGEST and (more := await reader.read(LONGEST)):
                said += more
            return said
        finally:
            writer.transport.abort()


def _troubles(answer: bytes) -> tuple[int, str]:
    """How often something went wrong since the server was started, and what it was the last time."""
    try:
        told = json.loads(answer.partition(b"\r\n\r\n")[2])
        return int(told["troubles"]), " ".join(clean(str(told["last_trouble"])).split())
    except (ValueError, TypeError, KeyError):
        return 0, ""
