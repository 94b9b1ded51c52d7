"""Whether a server still answers: one that is stopped, or stuck, lives, holds its port and answers nobody."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

BEAT_SECONDS = 15.0
"""Between two looks."""

ANSWER_SECONDS = 30.0
"""Most time for an answer to a small question, also while it has much to do."""

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

    async def feel(self) -> None:
        """Look once, after a while."""
        await asyncio.sleep(BEAT_SECONDS)
        for _ in range(MISSES):
            where = self._where()
            if where is None or await answers(*where):
                return
        self._complain(f"{self.name} answered nobody for {MISSES * ANSWER_SECONDS:g} s and was ended")
        await self._end()


async def answers(host: str, port: int) -> bool:
    """Whether whoever listens there says anything, a refusal included, in ``ANSWER_SECONDS``."""
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                writer.write(f"GET /health HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
                await reader.read(1)
            finally:
                writer.transport.abort()
    except TimeoutError:
        return False
    except OSError:
        return True  # who has just ended is somebody else's concern
    return True
