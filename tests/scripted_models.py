"""A model server on loopback whose models do what a test says: answer, fail, hang, break off."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from lanes.order import RESULT, ServeResult

TOKEN = "a-token-of-scripted-models"


@contextlib.asynccontextmanager
async def listening(app: ASGIApp, **settings: Any) -> AsyncGenerator[int]:
    """The app served in this loop; gives its port."""
    with socket.create_server(("127.0.0.1", 0)) as place:
        config = uvicorn.Config(app, log_level="critical", timeout_graceful_shutdown=1, lifespan="off", **settings)
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve(sockets=[place]))
        try:
            yield place.getsockname()[1]
        finally:
            server.should_exit = True
            await serving


class Models:
    """Scripts by model; one without a script says its own name and what was asked last."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.scripts: dict[str, str] = {}
        self.asked: list[dict[str, Any]] = []
        self.left: list[str] = []
        """Models whose client went away before they were done."""

        self.app = Starlette(routes=[Route("/v1/chat/completions", self._chat, methods=["POST"])])

    def listens_at(self, port: int) -> None:
        """Say so where the arena looks."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "token").write_text(TOKEN)
        result = ServeResult(status="ready", host="127.0.0.1", port=port)
        (self.folder / "result.new").write_text(result.model_dump_json())
        (self.folder / "result.new").replace(self.folder / RESULT)

    async def _chat(self, request: Request) -> Response:
        assert request.headers["authorization"] == f"Bearer {TOKEN}"
        body = await request.json()
        self.asked.append(body)
        model = body["model"]
        script = self.scripts.get(model, "answers")
        text = f"{model} on {body['messages'][-1]['content']}"
        match script:
            case "fails":
                return _error(500, "CUDA has had enough")
            case "refuses":
                return _error(400, "900 tokens do not fit into 512")
            case "is not loaded":
                return _error(404, f"there is no model {model}")
            case "babbles":
                return Response("<html>")
            case "thinks first":
                await asyncio.sleep(0.15)
            case "is empty":
                text = " \n"
            case "rings the bell":
                text = "\x1b[31mding\a\n"
            case "is huge":
                text = "x" * 300_000
            case "hangs" if not body.get("stream"):
                await self._wait(request, model)
        if body.get("stream"):
            return StreamingResponse(self._stream(request, model, script, text), media_type="text/event-stream")
        return JSONResponse(_whole(model, text))

    async def _stream(self, request: Request, model: str, script: str, text: str) -> AsyncGenerator[str]:
        half = len(text) // 2
        yield _chunk(model, text[:half])
        if script == "hangs":
            await self._wait(request, model)
        if script == "breaks off":
            return
        yield _chunk(model, text[half:])
        yield "data: [DONE]\n\n"

    async def _wait(self, request: Request, model: str) -> None:
        try:
            while not await request.is_disconnected():
                await asyncio.sleep(0.01)
        finally:
            self.left.append(model)


def _whole(model: str, text: str) -> dict[str, object]:
    return {
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": model,
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
    }  # fmt: skip


def _chunk(model: str, text: str) -> str:
    chunk = {"model": model, "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}]}
    return f"data: {json.dumps(chunk)}\n\n"


def _error(status: int, message: str) -> Response:
    return JSONResponse({"error": {"message": message}}, status)
