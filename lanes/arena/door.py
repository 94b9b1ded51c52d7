"""A door of the service: one method on one path, who may use it, and what it says of itself in the OpenAPI document."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from lanes.arena.entry import Caller, Kind

HEADERS = "arena.headers"
"""Where the scope of a request has its headers, by their names in small letters."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that was let in, with its whole body."""

    request: Request
    caller: Caller | None
    """None only where a door is open to everybody."""

    body: bytes

    def header(self, name: str) -> str | None:
        """A header by its name in small letters."""
        return self.request.scope[HEADERS].get(name)


Handler: TypeAlias = Callable[[Asked], Awaitable[Response]]
"""Answers; what it raises as a ``Problem`` is said."""


@dataclass(frozen=True, slots=True)
class Door:
    """One thing that can be asked."""

    method: str
    path: str
    """As Starlette writes it, ``/v1/battles/{id}``."""

    handler: Handler
    callers: frozenset[Kind]
    """Whose token opens it; empty for everybody."""

    summary: str
    """One line for the OpenAPI document."""

    takes: Any = None
    """Type of the JSON body, as pydantic knows types; None where there is none."""

    query: type[BaseModel] | None = None
    """Query parameters, a field each."""

    gives: Mapping[int, Any] = field(default_factory=dict[int, Any])
    """Type of the JSON answer by status; text such as ``text/html`` for what is no JSON."""

    streams: bool = False
    """A body with ``stream`` is answered with Server-Sent Events."""

    fails: tuple[int, ...] = ()
    """Statuses of its own failures, beside those that any door has."""


PRODUCTS = frozenset({Kind.PRODUCT, Kind.SIMULATED})
VOTERS = frozenset(Kind)
"""Whoever has a token."""

EVERYBODY: frozenset[Kind] = frozenset()
