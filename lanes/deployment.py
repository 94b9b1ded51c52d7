"""The candidate's deployment: the life of the model server's process, and which models it serves."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Any

from checkpoints import strokes
from checkpoints.artifacts import write_json
from checkpoints.records import REFERENCE, FailureKind, Json
from lanes.lane import StageFailed
from lanes.launch import Launcher
from lanes.model_client import ModelClient, ServerGone, Unanswerable
from lanes.oom import oom_kills
from lanes.order import ORDER, ServeOrder, ServeResult
from lanes.recipe import Deployment as Settings
from lanes.worker import Worker, WorkerError

PROGRAM = "lanes.workers.serve"

START_SECONDS = 600.0
"""Most time until a server is ready; the base model may have to be fetched."""

TOKEN = "token"


class Deployment:
    """A model server in a folder of the run: one that lives is taken up, one that died is started again."""

    def __init__(self, folder: Path, order: ServeOrder, launcher: Launcher, owner: Path) -> None:
        """Say what to serve and where.

        Args:
            folder: Of the server's files.
            order: What to serve; its token file is replaced by one in ``folder``.
            launcher: Where the process starts.
            owner: Lock file of the run.
        """
        self._order = order.model_copy(update={"token_file": folder.absolute() / TOKEN})
        self._launcher, self._owner = launcher, owner
        self._worker = Worker(folder)
        self._client: ModelClient | None = None
        self._oom_kills = oom_kills()
        self.port = 0
        """Where it listens; 0 while it does not."""

    @property
    def alive(self) -> bool:
        """Whether the process lives."""
        return self._worker.alive

    @property
    def where(self) -> tuple[str, int] | None:
        """Host and port where it listens; None while it does not."""
        return (self._order.host, self.port) if self.port and self.alive else None

    def serves(self, order: ServeOrder) -> bool:
        """Whether it is a deployment of this order, whatever the token file."""
        return order.model_copy(update={"token_file": self._order.token_file}) == self._order

    def last_words(self) -> str:
        """What ended the server, as far as anybody knows: want of memory, else the last line of its log."""
        if not self.alive and self._worker.ended_by in (None, signal.SIGKILL) and oom_kills() > self._oom_kills:
            return "the kernel ended it for want of memory; leave it more, or lower deployment.max_new_tokens"
        return self._worker.last_words()

    async def up(self) -> bool:
        """Have a server that answers: the one that is there, or a new one.

        Returns:
            Whether it was started anew, with no model loaded but the base.

        Raises:
            StageFailed: It does not come up.
        """
        await self._disconnect()
        if self._worker.alive and await self._fits() and await self._is_healthy():
            return False
        try:
            await self._worker.kill()
            self._oom_kills = oom_kills()
            _write_token(self._order.token_file)
            await asyncio.to_thread(write_json, self._worker.folder / ORDER, self._order.model_dump(mode="json"))
            await self._worker.start(PROGRAM, self._launcher, self._owner)
        except WorkerError as error:
            raise StageFailed(FailureKind.CRASH, str(error)) from error
        except OSError as error:
            line = f"{self._worker.folder} cannot be written ({error.strerror}): make room, or change its permissions"
            raise StageFailed(FailureKind.CRASH, line) from error
        if not await self._is_healthy():
            words = self.last_words() or "it said nothing"
            raise StageFailed(FailureKind.CRASH, f"the model server does not come up: {words}")
        return True

    async def down(self) -> None:
        """End the server and forget its token."""
        await self._disconnect()
        with contextlib.suppress(WorkerError):
            await self._worker.kill()
        strokes.take(self._order.token_file)

    async def end(self) -> None:
        """End a server that does not answer; who waits for an answer hears that it is gone.

        Raises:
            WorkerError: It does not end.
        """
        await self._worker.kill(grace=0)

    async def leave(self) -> None:
        """Let the server live and let go of it."""
        await self._disconnect()

    async def is_awake(self) -> None:
        """Ask for something, so that the server does not end as idle.

        Raises:
            ServerGone: The server died.
        """
        await self._ask("GET", "/v1/models")

    async def serve_only(self, folders: dict[str, Path]) -> None:
        """Have exactly these models served, beside the reference.

        Args:
            folders: Of adapters or whole models, by name.

        Raises:
            ServerGone: The server died.
            Unanswerable: A folder is no model for this base.
        """
        loaded = {model["id"] for model in (await self._ask("GET", "/v1/models"))["data"]} - {REFERENCE}
        for name in sorted(loaded - folders.keys()):
            await self._ask("POST", "/v1/unload_lora_adapter", {"lora_name": name})
        for name in sorted(folders.keys() - loaded):
            body = {"lora_name": name, "lora_path": str(folders[name].absolute())}
            await self._ask("POST", "/v1/load_lora_adapter", body)

    async def answer(self, model: str, messages: Sequence[dict[str, str]], settings: Settings, seed: int) -> str:
        """What a model says.

        Raises:
            ServerGone: The server died.
            Unanswerable: It refuses the messages, for example as too long.
        """
        return await self._connected().answer(model, messages, settings, seed)

    async def stream(
        self, model: str, messages: Sequence[dict[str, str]], settings: Settings, seed: int
    ) -> AsyncGenerator[str]:
        """What a model says, in pieces while it says it; closed early, it says no more.

        Raises:
            ServerGone: The server died, perhaps in the middle.
            Unanswerable: It refuses the messages, for example as too long.
            StageFailed: It failed, perhaps in the middle.
        """
        async with contextlib.aclosing(self._connected().stream(model, messages, settings, seed)) as pieces:
            async for piece in pieces:
                yield piece

    async def _fits(self) -> bool:
        """Whether the server that lives was given the order that we would give."""
        try:
            text = await asyncio.to_thread((self._worker.folder / ORDER).read_bytes)
            return ServeOrder.model_validate_json(text) == self._order
        except (OSError, ValueError):
            return False

    async def _is_healthy(self) -> bool:
        """Wait until the server is ready and connect to it; False when it is gone, StageFailed when it says why."""
        found = await self._worker.result_within(START_SECONDS)
        if found is None:
            return False
        result = ServeResult.model_validate(found)
        if result.status == "failed":
            raise StageFailed(result.failure or FailureKind.CRASH, result.error)
        self._connect(result)
        try:
            await self._ask("GET", "/health")
            await self._ask("GET", "/v1/models")
        except (ServerGone, Unanswerable):
            await self._disconnect()
            return False
        return True

    def _connect(self, result: ServeResult) -> None:
        token = self._order.token_file.read_text(encoding="utf-8").strip()
        self._client = ModelClient(result.host, result.port, token)
        self.port = result.port

    async def _disconnect(self) -> None:
        client, self._client, self.port = self._client, None, 0
        if client:
            await client.close()

    def _connected(self) -> ModelClient:
        if self._client is None:
            raise ServerGone("there is no connection to the model server")
        return self._client

    async def _ask(self, method: str, path: str, body: Json | None = None) -> Any:
        return await self._connected().ask(method, path, body)


def _write_token(file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    strokes.take(file)
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as writer:
        writer.write(secrets.token_urlsafe(32))
