"""Sends requests that mean no good to a server on loopback, from many addresses at once, and reads what comes back."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from hostile_votes import Hostile

PATIENCE = 12.0
"""Seconds until a connection that neither answers nor ends counts as hanging."""


@dataclass(frozen=True)
class Answer:
    """One answer."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass
class Met:
    """What a request met with."""

    sent: Hostile
    raw: bytes
    hung: bool
    answers: list[Answer] = field(default_factory=list[Answer])


async def attack(port: int, requests: Iterable[Hostile], at_once: int = 64) -> list[Met]:
    """Send all of them, each on a connection of its own; an address of one attacker asks a hundred times at most."""
    waiting, met = iter(enumerate(requests)), list[Met]()

    async def attacker() -> None:
        for number, each in waiting:
            met.append(await _converse(port, _address(number // 100), each))

    async with asyncio.TaskGroup() as group:
        for _ in range(at_once):
            group.create_task(attacker())
    return met


def _address(number: int) -> str:
    """All of 127.0.0.0/8 is this machine; the service counts by address how often strangers ask."""
    return f"127.0.{1 + number // 250}.{1 + number % 250}"


async def _converse(port: int, address: str, each: Hostile) -> Met:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(address, 0))
    raw, hung = bytearray(), False
    try:
        async with asyncio.timeout(PATIENCE):
            writer.write(each.sent)
            while piece := await reader.read(65536):
                raw += piece
    except TimeoutError:
        hung = True
    except ConnectionError:
        pass  # the service ended the connection while more was sent
    finally:
        writer.transport.abort()
    return Met(each, bytes(raw), hung, list(answers(bytes(raw), each.asked)))


def answers(raw: bytes, method: bytes) -> Iterable[Answer]:
    """The answers one after the other; the first one's method says whether it has a body."""
    for place in itertools.count():
        head, there, rest = raw.partition(b"\r\n\r\n")
        if not there:
            return
        first, *lines = head.decode("latin-1").split("\r\n")
        pairs = (line.partition(":") for line in lines)
        headers = {name.lower(): value.strip() for name, _, value in pairs}
        if headers.get("transfer-encoding") == "chunked":
            body, raw = _streamed(rest)
        else:
            length = 0 if method == b"HEAD" and place == 0 else int(headers.get("content-length", 0))
            body, raw = rest[:length], rest[length:]
        yield Answer(int(first.split(" ")[1]), headers, body)


def _streamed(rest: bytes) -> tuple[bytes, bytes]:
    """What came in pieces, perhaps without an end, and what came after it."""
    body = bytearray()
    while rest:
        said, _, rest = rest.partition(b"\r\n")
        length = int(said, 16)
        if not length:
            return bytes(body), rest.removeprefix(b"\r\n")
        body += rest[:length]
        rest = rest[length + 2 :]
    return bytes(body), b""


def resident(pid: int) -> int:
    """Bytes of a process in memory."""
    return 4096 * int(Path(f"/proc/{pid}/statm").read_text().split()[1])


def open_files(pid: int) -> int:
    """File descriptors of a process."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))
