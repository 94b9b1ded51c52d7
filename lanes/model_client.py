"""What a model server is asked, and what becomes of its answers and refusals."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Sequence
from typing import TYPE_CHECKING, Any

from checkpoints.records import FailureKind, Json
from lanes.lane import StageFailed
from lanes.recipe import Deployment as Settings

if TYPE_CHECKING:
    import httpx

ANSWER_SECONDS = 180.0
"""Most time for one answer, and between two pieces of one."""

BUSY_SECONDS = 10.0
"""Most time until a server that is busy is asked again, whatever it says."""

CHAT = "/v1/chat/completions"


class ServerGone(Exception):
    """The server does not answer any more."""


class Unanswerable(Exception):
    """The server refuses this request, whoever asks it again; the text says why."""


class NotServed(Unanswerable):
    """The server has no such model loaded, or is another one by now that has another token."""


class ModelClient:
    """Connections to one model server."""

    def __init__(self, host: str, port: int, token: str) -> None:
        """Connect at the first request.

        Args:
            host, port: Where the server listens.
            token: What it asks for.
        """
        from lanes.loopback import client  # httpx takes a tenth of a second, and only who evaluates needs it

        self._client = client(host, port, token, ANSWER_SECONDS)

    async def close(self) -> None:
        """End the connections."""
        await self._client.aclose()

    async def ask(self, method: str, path: str, body: Json | None = None) -> Any:
        """The response's JSON.

        Raises:
            ServerGone: The server died.
            Unanswerable: It refuses the request.
            StageFailed: It failed, or is busy all the time.
        """
        import httpx

        try:
            response = await self._sent(method, path, body)
            await response.aread()
        except httpx.HTTPError as error:
            raise _gone(error) from error
        if not response.is_success:
            raise _failure(response)
        return response.json()

    async def answer(self, model: str, messages: Sequence[dict[str, str]], settings: Settings, seed: int) -> str:
        """What a model says; raises what ``ask`` raises."""
        found = await self.ask("POST", CHAT, _chat(model, messages, settings, seed))
        return found["choices"][0]["message"]["content"]

    async def stream(
        self, model: str, messages: Sequence[dict[str, str]], settings: Settings, seed: int
    ) -> AsyncGenerator[str]:
        """What a model says, while it says it; closed early, it says no more.

        Yields:
            Pieces that join to what ``answer`` gives.

        Raises:
            ServerGone: The server died, or the answer broke off.
            Unanswerable: It refuses the messages, for example as too long.
            StageFailed: It failed, perhaps in the middle, or is busy all the time.
        """
        import httpx

        try:
            response = await self._sent("POST", CHAT, _chat(model, messages, settings, seed) | {"stream": True})
            try:
                async for piece in _pieces(response):
                    yield piece
            finally:
                await response.aclose()
        except httpx.HTTPError as error:
            raise _gone(error) from error

    async def _sent(self, method: str, path: str, body: Json | None) -> httpx.Response:
        """The response with its body still to be read; a server that is busy is asked again."""
        until = time.monotonic() + ANSWER_SECONDS
        while True:
            request = self._client.build_request(method, path, json=body)
            response = await self._client.send(request, stream=True)
            if response.status_code != 503 or time.monotonic() > until:
                return response
            await response.aclose()
            await asyncio.sleep(_seconds(response))


def _chat(model: str, messages: Sequence[dict[str, str]], settings: Settings, seed: int) -> Json:
    return {
        "model": model, "messages": list(messages), "temperature": settings.temperature, "top_p": settings.top_p,
        "max_tokens": settings.max_new_tokens, "seed": seed,
    }  # fmt: skip


async def _pieces(response: httpx.Response) -> AsyncGenerator[str]:
    if not response.is_success:
        await response.aread()
        raise _failure(response)
    async for line in response.aiter_lines():
        said = line.removeprefix("data: ")
        if said == "[DONE]":
            return
        if not said:
            continue
        event = json.loads(said)
        if "error" in event:
            raise StageFailed(FailureKind.CRASH, f"the model server failed: {event['error']['message']}")
        for choice in event["choices"]:
            if piece := choice["delta"].get("content"):
                yield piece
    raise ServerGone("the answer broke off")


def _gone(error: httpx.HTTPError) -> ServerGone:
    return ServerGone(f"{type(error).__name__}: {error}")


def _failure(response: httpx.Response) -> Exception:
    try:
        line = str(response.json()["error"]["message"])
    except (ValueError, KeyError, TypeError):
        line = f"status {response.status_code}"
    if response.is_server_error:
        return StageFailed(FailureKind.CRASH, f"the model server failed: {line}")
    return NotServed(line) if response.status_code in (401, 404) else Unanswerable(line)


def _seconds(response: httpx.Response) -> float:
    try:
        return min(BUSY_SECONDS, max(0.0, float(response.headers["retry-after"])))
    except (KeyError, ValueError):
        return 1.0
