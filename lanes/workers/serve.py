"""The model server, a worker: ``python -m lanes.workers.serve ORDER.json`` answers OpenAI's chat requests on loopback.

It holds the base model once and adapters by name. ``result.json`` says where it listens, when it is ready. It ends on
SIGTERM, when nobody has asked anything for ``idle_seconds``, and sooner when the run has no owner any more.
"""

from __future__ import annotations

import asyncio
import hmac
import os
import socket
import stat
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import uvicorn
from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from checkpoints.artifacts import write_json
from lanes.connection import Connection, allow_open_files
from lanes.order import LOCK, RESULT, WORKER, ServeOrder, ServeResult
from lanes.workers.api import (
    ChatRequest,
    LoadRequest,
    UnloadRequest,
    chat_answer,
    failed,
    first_problem,
    model_list,
    refused,
)
from lanes.workers.chat import Busy, Refused
from lanes.workers.failures import InputError, classify
from lanes.workers.listening import streamed, whole
from lanes.workers.presence import Owner, introduce, take_lock

if TYPE_CHECKING:
    from lanes.workers.batching import Batcher
    from lanes.workers.generate import Models

BODY_BYTES = 256 * 1024
"""Most bytes of a request."""

OWNERLESS_SECONDS = 60.0
"""Without a request for so long and without an owner of the run, the server ends."""

RETRY_SECONDS = "2"
"""When to ask again, for who finds the server busy."""

LOOK_SECONDS = 2.0
"""How often the server looks whether it is still wanted."""

Handler = Callable[[Request], Awaitable[Response]]


def main(order_file: Path) -> int:
    """Serve until nobody wants it any more; returns the exit status."""
    folder = order_file.parent
    lock = take_lock(folder / LOCK)
    if lock is None:
        print(f"{folder} has a living server already", flush=True)
        return 1
    introduce(folder / WORKER, "lanes.workers.serve")
    try:
        order = ServeOrder.model_validate_json(order_file.read_bytes())
        allow_open_files()
        asyncio.run(_Server(order, folder).serve())
    except Exception as error:
        kind, line = classify(error)
        print(line, flush=True)
        _write_result(folder, ServeResult(status="failed", failure=kind, error=line))
        return 1
    return 0


class _Server:
    """One order being served."""

    def __init__(self, order: ServeOrder, folder: Path) -> None:
        self._order, self._folder = order, folder
        self._token = _read_token(order.token_file)
        self._asked_at = time.monotonic()
        self._batcher = _load(order)
        self._socket = _listen(order.host, order.port)
        self._uvicorn = uvicorn.Server(
            uvicorn.Config(
                self._app(), http=Connection, ws="none", access_log=False, log_level="warning", server_header=False,
                proxy_headers=False, timeout_graceful_shutdown=5, timeout_keep_alive=30,
            )
        )  # fmt: skip

    async def serve(self) -> None:
        """Answer until the end."""
        await self._uvicorn.serve(sockets=[self._socket])

    def _app(self) -> Starlette:
        routes = [
            Route("/health", self._health),
            Route("/v1/models", self._guarded(self._models)),
            Route("/v1/chat/completions", self._guarded(self._chat), methods=["POST"]),
            Route("/v1/load_lora_adapter", self._guarded(self._load), methods=["POST"]),
            Route("/v1/unload_lora_adapter", self._guarded(self._unload), methods=["POST"]),
        ]
        hosts = Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost", self._order.host])
        return Starlette(routes=routes, middleware=[hosts], lifespan=self._lifespan)

    @asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncGenerator[None]:
        host, port = self._socket.getsockname()[:2]
        _write_result(self._folder, ServeResult(status="ready", host=host, port=port))
        print(f"serving on http://{host}:{port}", flush=True)
        watch = asyncio.create_task(self._end_when_unwanted())
        yield
        watch.cancel()
        with suppress(asyncio.CancelledError):
            await watch

    async def _end_when_unwanted(self) -> None:
        owner = Owner()
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if self._batcher.is_busy:
                self._asked_at = time.monotonic()
            idle = time.monotonic() - self._asked_at
            ownerless = owner.is_gone() and idle > OWNERLESS_SECONDS
            if ownerless or idle > self._order.idle_seconds:
                print(f"nobody has asked for {idle:.0f} s: the server ends", flush=True)
                self._uvicorn.should_exit = True

    def _guarded(self, handler: Handler) -> Handler:
        """Let in who has the token, and no browser page; say every failure in OpenAI's format."""

        async def guarded(request: Request) -> Response:
            offered = request.headers.get("authorization", "")
            if not hmac.compare_digest(offered.encode(), f"Bearer {self._token}".encode()):
                return failed(401, "the bearer token is missing or wrong", "authentication_error")
            if "origin" in request.headers:
                return failed(403, "requests from a web page are not answered", "permission_error")
            self._asked_at = time.monotonic()
            try:
                return await handler(request)
            except ValidationError as error:
                return failed(400, *first_problem(error))
            except _TooLarge:
                return failed(413, f"the request is longer than {BODY_BYTES // 1024} KB")
            except ClientDisconnect:
                return failed(400, "the client went away")
            except Exception as error:
                return failed(500, classify(error)[1], "server_error")
            finally:
                self._asked_at = time.monotonic()

        return guarded

    async def _health(self, _: Request) -> Response:
        return JSONResponse({"status": "ok"} | self._batcher.troubles.told())

    async def _models(self, _: Request) -> Response:
        return model_list(self._batcher.names)

    async def _chat(self, request: Request) -> Response:
        wanted = ChatRequest.model_validate_json(await _body(request))
        try:
            if wanted.stream:
                return await streamed(wanted, self._batcher.ask, request)
            return chat_answer(wanted, await whole(wanted, self._batcher.ask, request))
        except Refused as error:
            return refused(error, "model")
        except Busy as error:
            return failed(503, str(error), "overloaded_error", headers={"retry-after": RETRY_SECONDS})

    async def _load(self, request: Request) -> Response:
        wanted = LoadRequest.model_validate_json(await _body(request))
        return await self._changed(
            wanted.lora_name, lambda models: models.load(wanted.lora_name, Path(wanted.lora_path))
        )

    async def _unload(self, request: Request) -> Response:
        wanted = UnloadRequest.model_validate_json(await _body(request))
        return await self._changed(wanted.lora_name, lambda models: models.unload(wanted.lora_name))

    async def _changed(self, model: str, change: Callable[[Models], None]) -> Response:
        try:
            await asyncio.wrap_future(self._batcher.change(model, change))
        except Refused as error:
            return refused(error, "lora_name")
        return JSONResponse({"status": "ok"})


class _TooLarge(Exception):
    """A request's body is longer than allowed."""


async def _body(request: Request) -> bytes:
    """The whole body, read no further than its bound."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_BYTES:
            raise _TooLarge
    return bytes(body)


def _load(order: ServeOrder) -> Batcher:
    """Torch and the base model, the slow part."""
    import torch
    from transformers.utils import logging

    from lanes.workers.batching import Batcher
    from lanes.workers.generate import Models
    from lanes.workers.model import choose_device

    logging.disable_progress_bar()
    torch.set_num_threads(order.threads)
    device = choose_device(order.device)
    low = torch.bfloat16 if device.type == "cuda" and torch.cuda.is_bf16_supported() else torch.float16
    dtype = torch.float32 if device.type == "cpu" else low
    return Batcher(Models(order.model, order.revision, order.trust_remote_code, device, dtype), order.batch_size)


def _read_token(file: Path) -> str:
    try:
        open_to_others = stat.S_IMODE(file.stat().st_mode) & 0o077
        token = file.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise InputError(f"Token file {file} cannot be read ({error.strerror}): write a token there") from error
    if open_to_others:
        raise InputError(f"Token file {file} can be read by others: chmod 600 it")
    if len(token) < 16:
        raise InputError(f"Token file {file} holds {len(token)} characters: a token has at least 16")
    return token


def _listen(host: str, port: int) -> socket.socket:
    """A listening socket on the port, or on a free one where the port is taken."""
    try:
        return socket.create_server((host, port), backlog=512)
    except OSError as error:
        if port == 0:
            raise InputError(f"Cannot listen on {host} ({error.strerror}): use 127.0.0.1") from error
        print(f"Port {port} is taken ({error.strerror}): a free one is used instead", flush=True)
        return _listen(host, 0)


def _write_result(folder: Path, result: ServeResult) -> None:
    write_json(folder / RESULT, result.model_dump(mode="json"))


if __name__ == "__main__":
    os.umask(0o077)
    sys.exit(main(Path(sys.argv[1])))
