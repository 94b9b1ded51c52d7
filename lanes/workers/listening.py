"""Who asked, while the answer is made: waits for all of it or hears it in pieces, and may go away before."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import TypeVar

from starlette.requests import ClientDisconnect, Request
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from lanes.workers.api import ChatRequest
from lanes.workers.chat import Said
from lanes.workers.events import Events
from lanes.workers.reply import Reply

T = TypeVar("T")


async def whole(wanted: ChatRequest, ask: Callable[[Reply], None], request: Request) -> Said:
    """The whole answer.

    Args:
        wanted: What is asked.
        ask: Takes the reply to the models.
        request: Of who asked.

    Raises:
        ClientDisconnect: Who asked went away.
        Exception: There is no answer.
    """
    reply = Reply(wanted.ask())
    ask(reply)
    try:
        return await _while_there(request, asyncio.wrap_future(reply.said))
    finally:
        reply.leave()


async def streamed(wanted: ChatRequest, ask: Callable[[Reply], None], request: Request) -> StreamingResponse:
    """The response, as soon as there is something to say.

    Args:
        wanted: What is asked.
        ask: Takes the reply to the models.
        request: Of who asked.

    Raises:
        ClientDisconnect: Who asked went away.
        Exception: There is not even the beginning of an answer.
    """
    ear = _Ear()
    reply = Reply(wanted.ask(), ear.hear)
    reply.said.add_done_callback(lambda _: ear.hear(None))
    try:
        ask(reply)
        first = await _while_there(request, ear.next())
        if first is None:
            reply.said.result()
    except BaseException:
        reply.leave()
        raise
    return _Stream(reply, _events(Events(wanted), reply, ear, first))


class _Ear:
    """Pieces on their way from the models' thread to the event loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._heard: asyncio.Queue[str | None] = asyncio.Queue()

    def hear(self, piece: str | None) -> None:
        """Take a piece, or None after the last one; from any thread."""
        self._loop.call_soon_threadsafe(self._heard.put_nowait, piece)

    async def next(self) -> str | None:
        """The next piece."""
        return await self._heard.get()


async def _events(events: Events, reply: Reply, ear: _Ear, piece: str | None) -> AsyncGenerator[str]:
    while piece is not None:
        yield events.piece(piece)
        piece = await ear.next()
    error = reply.said.exception()
    yield events.failure(error) if error else events.end(reply.said.result())


class _Stream(StreamingResponse):
    """Events until the answer is whole, or until who asked goes away."""

    def __init__(self, reply: Reply, events: AsyncGenerator[str]) -> None:
        super().__init__(events, media_type="text/event-stream", headers={"cache-control": "no-store"})
        self._reply = reply

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._reply.leave()


async def _while_there(request: Request, coming: Awaitable[T]) -> T:
    """What comes, unless who asked goes away before."""
    gone, coming = asyncio.ensure_future(request.receive()), asyncio.ensure_future(coming)
    try:
        await asyncio.wait((coming, gone), return_when=asyncio.FIRST_COMPLETED)
        if not coming.done():
            raise ClientDisconnect
        return coming.result()
    finally:
        gone.cancel()
        coming.cancel()
