"""Where a product's votes are fetched from: an HTTP endpoint, a JSONL file or a table, a page at a time by a cursor."""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Protocol, Self, cast

from pydantic import BaseModel, ConfigDict, Field, model_validator

from lanes.lines import Lines

if TYPE_CHECKING:
    from lanes.pull_table import TableFeed

SQLITE = "sqlite:///"
"""What a URL of SQLite begins with; a fourth stroke begins an absolute path."""

HTTP_SECONDS = 20.0
"""Most time for a page over HTTP."""

MOST_BYTES = 8 * 2**20
"""Largest page over HTTP."""


class Pull(BaseModel):
    """Where votes are fetched from: one of ``url``, ``path`` and ``sql``."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={"allowed": "{url, token_env}, {path} or {sql, query}"},
    )

    url: Annotated[str, Field(pattern=r"^https?://\S+$")] | None = None
    """Endpoint; asked with ``?after=`` the last cursor, it answers with a list of votes, or ``{votes, next}``."""

    token_env: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")] | None = None
    """Environment variable with the endpoint's bearer token."""

    path: Annotated[str, Field(min_length=1)] | None = None
    """JSONL file that votes are added to."""

    sql: Annotated[str, Field(pattern=r"^\w[\w+.-]*://")] | None = None
    """Database URL, for example ``sqlite:///votes.db``."""

    query: Annotated[str, Field(pattern=r"(?s):after\b")] | None = None
    """``SELECT … WHERE id > :after ORDER BY id``."""

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if sum(place is not None for place in (self.url, self.path, self.sql)) != 1:
            raise ValueError("name one of url, path and sql")
        if (self.sql is None) != (self.query is None):
            raise ValueError("sql and query go together")
        if self.token_env is not None and self.url is None:
            raise ValueError("token_env goes with url")
        return self

    @property
    def name(self) -> str:
        """What it is called in a message: the place, without a password."""
        if self.sql is not None:
            scheme, _, rest = self.sql.partition("://")
            return f"{scheme}://{rest.rpartition('@')[2]}"
        return (self.url or "").partition("?")[0] or self.path or ""


class SourceDown(Exception):
    """The source gives no votes now; the text is one line for a person: what, where, what to do."""


@dataclass(frozen=True, slots=True)
class Page:
    """Rows as they came, and the cursor after the last of them."""

    rows: tuple[tuple[str, object], ...]
    """Where each is, and what it says; None in place of what cannot be decoded."""

    cursor: str


class Feed(Protocol):
    """A source of votes; it keeps no place of its own, so that who reads it decides what was read."""

    async def read(self, cursor: str) -> Page:
        """The next rows after a cursor; empty is the beginning.

        Raises:
            SourceDown: It gives none now.
        """
        ...


def feed_of(pull: Pull) -> Feed:
    """The source that a program names."""
    if pull.path is not None:
        return FileFeed(Path(pull.path))
    if pull.url is not None:
        return HttpFeed(pull.url, pull.token_env)
    return _table(pull)


class FileFeed:
    """A JSONL file, followed by inode and offset."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def read(self, cursor: str) -> Page:
        """See ``Feed.read``."""
        return await asyncio.to_thread(self._read, cursor)

    def _read(self, cursor: str) -> Page:
        if not self._path.is_file():
            raise SourceDown(f"{self._path} is not there: evaluate.pull.path names the file that votes are added to")
        lines = Lines(self._path, cursor)
        try:
            found = lines.new()
        except OSError as error:
            raise SourceDown(f"{self._path} cannot be read ({error.strerror}): change its permissions") from error
        rows = tuple((f"{self._path.name} line {number}", _decoded(line)) for number, line in found)
        return Page(rows, lines.place)


class HttpFeed:
    """A product's own endpoint."""

    def __init__(self, url: str, token_env: str | None) -> None:
        self._url, self._token_env = url, token_env

    async def read(self, cursor: str) -> Page:
        """See ``Feed.read``."""
        body = await self._fetched({"after": cursor} if cursor else {})
        return await asyncio.to_thread(self._page, body, cursor)

    async def _fetched(self, asked: dict[str, str]) -> bytes:
        import httpx  # takes a tenth of a second, and only who pulls over HTTP needs it

        try:
            async with (
                httpx.AsyncClient(timeout=HTTP_SECONDS) as client,
                client.stream("GET", httpx.URL(self._url).copy_merge_params(asked), headers=self._headers()) as answer,
            ):
                if answer.status_code != 200:
                    raise SourceDown(f"{self._name} answers with status {answer.status_code}: look after it")
                body = b""
                async for part in answer.aiter_bytes():
                    body += part
                    if len(body) > MOST_BYTES:
                        raise SourceDown(f"{self._name} answers with more than {MOST_BYTES // 2**20} MiB: page it")
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise SourceDown(f"{self._name} does not answer ({type(error).__name__}): look after it") from error
        return body

    def _headers(self) -> dict[str, str]:
        if self._token_env is None:
            return {}
        if not (token := os.environ.get(self._token_env, "").strip()):
            raise SourceDown(f"the environment variable {self._token_env} of evaluate.pull.token_env is not set")
        return {"authorization": f"Bearer {token}"}

    def _page(self, body: bytes, cursor: str) -> Page:
        found = _decoded(body)
        said: dict[str, Any] = cast(dict[str, Any], found) if isinstance(found, dict) else {"votes": found}
        votes: object = said.get("votes")
        if not isinstance(votes, list):
            raise SourceDown(f"{self._name} answers with no JSON list of votes and no {{votes, next}}")
        listed = cast(list[object], votes)
        rows = tuple((f"{self._name} row {number}", row) for number, row in enumerate(listed, 1))
        return Page(rows, self._cursor(said.get("next"), listed, cursor))

    def _cursor(self, said: object, rows: list[object], before: str) -> str:
        """What the endpoint says, else the id of the last row."""
        if isinstance(said, str | int) and not isinstance(said, bool):
            return str(said)
        if not rows:
            return before
        last: dict[str, Any] = cast(dict[str, Any], rows[-1]) if isinstance(rows[-1], dict) else {}
        found = next((last[name] for name in ("id", "seq", "key") if isinstance(last.get(name), str | int)), None)
        if found is None:
            raise SourceDown(f"{self._name} says no cursor: answer with next, or give each vote an id")
        return str(found)

    @property
    def _name(self) -> str:
        return self._url.partition("?")[0]


def _table(pull: Pull) -> TableFeed:
    from lanes.pull_table import TableFeed

    assert pull.sql is not None and pull.query is not None
    return TableFeed(pull.sql, pull.query, pull.name)


def _decoded(text: bytes) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
