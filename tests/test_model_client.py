"""A model server's client, against a server on loopback whose answers are scripted."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

import pytest
import pytest_asyncio
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from lanes.lane import StageFailed
from lanes.model_client import ModelClient, ServerGone, Unanswerable
from lanes.recipe import Deployment as Settings
from lanes.workers.api import ChatRequest, failed, refused
from lanes.workers.chat import Said, Unknown
from lanes.workers.failures import NotFiniteError
from lanes.workers.listening import streamed
from lanes.workers.reply import Reply

QUESTION = [{"role": "user", "content": "How is bread made?"}]


class Server:
    """Tells its client what the script says, from a thread as the models do."""

    def __init__(self) -> None:
        self.replies: list[Reply] = []
        self.busy = 0
        self.whole = ""
        self.script: Callable[[Reply], None] = lambda _: None

    async def chat(self, request: Request) -> Response:
        if self.busy:
            self.busy -= 1
            return failed(503, "too many", "overloaded_error", headers={"retry-after": "0"})
        if self.whole:
            return Response(self.whole, media_type="text/event-stream")
        wanted = ChatRequest.model_validate_json(await request.body())
        try:
            return await streamed(wanted, self._ask, request)
        except Unknown as error:
            return refused(error, "model")

    def _ask(self, reply: Reply) -> None:
        self.replies.append(reply)
        assert reply.begin()
        asyncio.get_running_loop().run_in_executor(None, self.script, reply)


@pytest.fixture
def server() -> Server:
    return Server()


@pytest_asyncio.fixture
async def client(server: Server) -> AsyncGenerator[ModelClient]:
    app = Starlette(routes=[Route("/v1/chat/completions", server.chat, methods=["POST"])])
    with socket.create_server(("127.0.0.1", 0)) as listening:
        running = uvicorn.Server(uvicorn.Config(app, log_level="critical", timeout_graceful_shutdown=1))
        serving = asyncio.create_task(running.serve(sockets=[listening]))
        client = ModelClient("127.0.0.1", listening.getsockname()[1], "a token")
        yield client
        await client.close()
        running.should_exit = True
        await serving


async def pieces(client: ModelClient) -> AsyncGenerator[str]:
    async with aclosing(client.stream("exp-0001", QUESTION, Settings(), 7)) as said:
        async for piece in said:
            yield piece


def say(reply: Reply) -> None:
    for text in ("Mix", "Mix flour\u2028and", "Mix flour\u2028and salt"):
        reply.tell(text)
    reply.finish(Said("Mix flour\u2028and salt.", 4, 5, "stop"))


async def test_pieces_come_as_they_are_said_and_join_to_the_answer(server: Server, client: ModelClient) -> None:
    server.script = say
    assert [piece async for piece in pieces(client)] == ["Mix", " flour\u2028and", " salt", "."]


async def test_a_server_that_is_busy_is_asked_again(server: Server, client: ModelClient) -> None:
    server.busy, server.script = 2, say
    assert len([piece async for piece in pieces(client)]) == 4
    assert len(server.replies) == 1


async def test_a_failure_in_the_middle_is_raised_after_the_pieces_before_it(
    server: Server, client: ModelClient
) -> None:
    def fail(reply: Reply) -> None:
        reply.tell("Mix")
        reply.fail(NotFiniteError("the weights are broken"))

    server.script = fail
    heard: list[str] = []
    with pytest.raises(StageFailed, match="the weights are broken"):
        async for piece in pieces(client):
            heard.append(piece)
    assert heard == ["Mix"]


async def test_a_refusal_before_the_first_piece_is_no_stream(server: Server, client: ModelClient) -> None:
    server.script = lambda reply: reply.fail(Unknown("model 'exp-0001' is not loaded"))
    with pytest.raises(Unanswerable, match="not loaded"):
        await anext(pieces(client))


async def test_a_stream_that_breaks_off_is_a_server_that_is_gone(client: ModelClient, server: Server) -> None:
    server.whole = 'data: {"choices": [{"delta": {"content": "Mix"}}]}\n\n'
    with pytest.raises(ServerGone):
        _ = [piece async for piece in pieces(client)]


async def test_who_stops_listening_leaves_the_reply(server: Server, client: ModelClient) -> None:
    server.script = lambda reply: reply.tell("Mix")
    async with aclosing(pieces(client)) as said:
        assert await anext(said) == "Mix"
    async with asyncio.timeout(10):
        while not server.replies[0].left:
            await asyncio.sleep(0.01)
