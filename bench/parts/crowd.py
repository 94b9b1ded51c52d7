"""Many voters of one product, in a process of their own: ``python -m bench.parts.crowd PORT TOKEN JSON``.

Each connection sends the next vote when it is due and its last one is acknowledged. Latency is counted from when a vote
was due, so that a service that stalls is not measured only while it is well. The JSON has the fields of ``Wish``; one
line of JSON comes back, as ``Found``.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import deque
from dataclasses import asdict, dataclass
from typing import cast

import uvloop


@dataclass(frozen=True)
class Wish:
    """What to send."""

    votes: int
    first: int
    """Number of the first vote; no two votes have one number."""

    battles: int
    """Battles there are; votes go to them in turn."""

    connections: int
    rate: float = 0.0
    """Votes a second; 0 for as many as are acknowledged."""

    batch: int = 1
    """Votes in one request."""


@dataclass(frozen=True)
class Found:
    """What came of it."""

    seconds: float
    acknowledged: int
    p50: float
    p99: float
    worst: float
    """Milliseconds from when a request was due to its acknowledgement."""


class Voter(asyncio.Protocol):
    """One connection, kept."""

    def __init__(self, crowd: Crowd) -> None:
        self._crowd = crowd
        self._buffer = b""
        self._due = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._crowd.give_next(self)

    def send(self, due: float, request: bytes) -> None:
        """Hand in what was due."""
        self._due = due
        self._transport.write(request)

    def leave(self) -> None:
        """Close the connection."""
        self._transport.close()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, body = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        if len(body) < length:
            return
        self._buffer = b""
        self._crowd.hear(self, self._due, head.split(b" ", 2)[1] == b"200", body.count(b'"counted":true'))


class Crowd:
    """All connections together."""

    def __init__(self, wish: Wish, token: str) -> None:
        self._wish, self._token = wish, token
        self._loop = asyncio.get_running_loop()
        self._asked = 0
        self._took: list[float] = []
        self._acknowledged = 0
        self._idle: deque[Voter] = deque()
        self._began = time.perf_counter()
        self.done: asyncio.Future[None] = self._loop.create_future()
        if wish.rate:
            self._loop.call_soon(self._tick)

    def give_next(self, voter: Voter) -> None:
        """Have a connection send the next votes, at once or when they are due."""
        if self._asked >= self._wish.votes:
            return
        due, now = self._due(), time.perf_counter()
        if due <= now:
            voter.send(due, self._request())
        else:
            self._idle.append(voter)

    def hear(self, voter: Voter, due: float, is_well: bool, counted: int) -> None:
        """A request has been answered."""
        if not is_well:
            self.done.set_exception(RuntimeError("a vote was refused"))
            return
        self._took.append(time.perf_counter() - due)
        self._acknowledged += counted
        if len(self._took) * self._wish.batch >= self._wish.votes and not self.done.done():
            self.done.set_result(None)
        self.give_next(voter)

    def _tick(self) -> None:
        """Send all that is due now; what finds no connection free is sent late, and its lateness is counted."""
        while self._idle and self._asked < self._wish.votes and self._due() <= time.perf_counter():
            self.give_next(self._idle.popleft())
        if self._asked < self._wish.votes:
            self._loop.call_later(0.001, self._tick)

    def _due(self) -> float:
        """When the next request is."""
        return self._began + self._asked / self._wish.rate if self._wish.rate else time.perf_counter()

    def _request(self) -> bytes:
        first = self._wish.first + self._asked
        self._asked += self._wish.batch
        rows = [
            {"battle": f"product-{n % self._wish.battles}", "choice": ("a", "tie", "b")[n % 3], "voter": f"user-{n}",
             "key": f"{n:032x}"}
            for n in range(first, first + self._wish.batch)
        ]  # fmt: skip
        body = json.dumps(rows if self._wish.batch > 1 else rows[0]).encode()
        head = (
            f"POST /v1/votes HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {self._token}\r\n"
            f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body

    def found(self) -> Found:
        """What came of it."""
        took = sorted(1e3 * each for each in self._took)
        at = [took[int(share * (len(took) - 1))] for share in (0.5, 0.99, 1)]
        return Found(time.perf_counter() - self._began, self._acknowledged, *at)


async def vote(port: int, token: str, wish: Wish) -> Found:
    """Have a crowd vote."""
    crowd = Crowd(wish, token)
    loop = asyncio.get_running_loop()
    opened = [await loop.create_connection(lambda: Voter(crowd), "127.0.0.1", port) for _ in range(wish.connections)]
    await crowd.done
    for _, voter in opened:
        voter.leave()
    return crowd.found()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(json.dumps(asdict(runner.run(vote(int(sys.argv[1]), sys.argv[2], Wish(**json.loads(sys.argv[3])))))))
