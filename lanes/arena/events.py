"""Answers to a client that may go away: Server-Sent Events while something is said, and no work on when it has gone."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

T = TypeVar("T")

Say = Callable[[str], None]
"""Sends a piece of the stream; never waits."""


def event(name: str, data: object) -> str:
    """One event with its name."""
    return f"event: {name}\n{unnamed(data)}"


def unnamed(data: object) -> str:
    """One event as OpenAI's clients take it."""
    # ASCII, as some clients take U+2028 and its like for the end of a line.
    return f"data: {json.dumps(data)}\n\n"


async def while_there(receive: Receive, work: Coroutine[Any, Any, T]) -> T:
    """What comes of some work, which ends when the client goes away.

    Raises:
        ClientDisconnect: It went away.
        Exception: What the work raises.
    """
    working, gone = asyncio.create_task(work), asyncio.create_task(_gone(receive))
    try:
        await asyncio.wait((working, gone), return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientDisconnect
        return working.result()
    finally:
        await _end(working)
        await _end(gone)


class Events(Response):
    """A stream of events that begins when the first is said, so that a failure before it has a status of its own."""

    media_type = "text/event-stream"

    def __init__(self, work: Callable[[Say], Awaitable[None]]) -> None:
        """Say nothing yet.

        Args:
            work: Says events until it returns.
        """
        super().__init__()
        self._work = work
        self._said: asyncio.Queue[str | None] = asyncio.Queue()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        with suppress(ClientDisconnect):
            await while_there(receive, self._run(send))

    async def _run(self, send: Send) -> None:
        # What is said waits here: a client that reads slowly must not make a model look slow.
        working = asyncio.create_task(self._speak())
        try:
            first = await self._said.get()
            if first is not None:
                await self._send(send, first)
            await working
        finally:
            await _end(working)

    async def _send(self, send: Send, piece: str | None) -> None:
        headers = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"x-accel-buffering", b"no")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        while piece is not None:
            await send({"type": "http.response.body", "body": piece.encode(), "more_body": True})
            piece = await self._said.get()
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _speak(self) -> None:
        try:
            await self._work(self._said.put_nowait)
        finally:
            self._said.put_nowait(None)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _end(task: asyncio.Task[Any]) -> None:
    """Cancel a task and wait until it has let go of what it held."""
    task.cancel()
    await asyncio.wait((task,))
