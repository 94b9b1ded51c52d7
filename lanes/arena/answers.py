"""Asks the deployed models, wherever their server is by now: it may have been started again in between."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx  # here, so that the first request does not wait for the import

from checkpoints.records import Json
from lanes.arena.lineup import Lineup
from lanes.deployment import TOKEN
from lanes.lane import StageFailed
from lanes.model_client import CHAT, ModelClient, NotServed, ServerGone, Unanswerable
from lanes.order import RESULT, ServeResult
from lanes.recipe import Deployment

_Place = tuple[Path, int, int]
"""Folder of a server, and which result file of it: inode and time of change in nanoseconds."""


@dataclass(frozen=True, slots=True)
class Question:
    """What one model is asked."""

    model: str
    messages: Sequence[dict[str, str]]
    settings: Deployment
    seed: int


def question(lineup: Lineup, model: str, messages: Sequence[dict[str, str]], seed: int) -> Question:
    """A question to a model that is served as it was when it was judged."""
    return Question(model, messages, Deployment.model_validate(lineup.deployments.get(model, {})), seed)


class NoAnswer(Exception):
    """A model gives no answer; the text is one line that says why."""

    def __init__(self, line: str, refused: bool = False, absent: bool = False) -> None:
        """Say why.

        Args:
            line: For a person.
            refused: No model of this server takes these messages, whenever it is asked: they are too long, for example.
            absent: The model is not served right now, which is no fault of its own.
        """
        super().__init__(line)
        self.refused, self.absent = refused, absent


class _NobodyThere(Exception):
    """The model server is not up."""


class Answers:
    """The models of the lineup; connects when it is asked, and again where the server has moved."""

    def __init__(self) -> None:
        """Connect to nobody yet."""
        self._client: ModelClient | None = None
        self._place: _Place | None = None

    async def whole(self, server: Path, asked: Question) -> AsyncGenerator[str]:
        """What a model says, in one piece; cheaper than in pieces.

        Args:
            server: Folder of the model server's process.
            asked: Whom, and what.

        Raises:
            NoAnswer: It fails, refuses, or nobody is there.
        """
        with _said_plainly():
            client = await self._connected(server)
            yield await client.answer(asked.model, asked.messages, asked.settings, asked.seed)

    async def pieces(self, server: Path, asked: Question) -> AsyncGenerator[str]:
        """What a model says, while it says it; closed early, it says no more.

        Args and Raises: As ``whole``; it may break off in the middle, too.
        """
        with _said_plainly():
            client = await self._connected(server)
            said = client.stream(asked.model, asked.messages, asked.settings, asked.seed)
            async with contextlib.aclosing(said):
                async for piece in said:
                    yield piece

    async def completion(self, server: Path, asked: Question) -> Json:
        """The model server's whole answer in OpenAI's form.

        Args and Raises: As ``whole``.
        """
        body = {
            "model": asked.model, "messages": list(asked.messages), "temperature": asked.settings.temperature,
            "top_p": asked.settings.top_p, "max_tokens": asked.settings.max_new_tokens, "seed": asked.seed,
        }  # fmt: skip
        with _said_plainly():
            return await (await self._connected(server)).ask("POST", CHAT, body)

    async def close(self) -> None:
        """End the connections."""
        client, self._client, self._place = self._client, None, None
        if client:
            await client.close()

    async def _connected(self, server: Path) -> ModelClient:
        place = _place(server)
        if self._client is None or place != self._place:
            client, self._client, self._place = self._client, _connect(server), place
            if client:
                await client.close()
        return self._client


@contextlib.contextmanager
def _said_plainly() -> Generator[None]:
    """Whatever a server does to us is a model that gives no answer."""
    try:
        yield
    except (NotServed, _NobodyThere) as error:
        raise NoAnswer(str(error), absent=True) from error
    except Unanswerable as error:
        raise NoAnswer(str(error), refused=True) from error
    except (ServerGone, StageFailed, httpx.HTTPError) as error:
        raise NoAnswer(str(error)) from error
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise NoAnswer(f"the model server said what cannot be read ({type(error).__name__})") from error


def _place(server: Path) -> _Place:
    try:
        found = (server / RESULT).stat()
    except OSError:
        raise _NobodyThere("the model server is being started") from None
    return server, found.st_ino, found.st_mtime_ns


def _connect(server: Path) -> ModelClient:
    try:
        result = ServeResult.model_validate_json((server / RESULT).read_bytes())
        token = (server / TOKEN).read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        raise _NobodyThere("the model server is being started") from None
    if result.status != "ready":
        raise _NobodyThere(f"the model server did not start: {result.error}")
    return ModelClient(result.host, result.port, token)
