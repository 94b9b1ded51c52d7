"""The service as an ASGI application: a request is looked at before its door answers, and a failure is one line."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Mapping
from typing import TypeAlias

from pydantic import ValidationError
from starlette.requests import ClientDisconnect, Request
from starlette.routing import BaseRoute, Route, Router
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lanes.arena import openapi, page_api, product_api, votes_api
from lanes.arena.door import HEADERS, Asked, Door
from lanes.arena.entry import Entry, must_be
from lanes.arena.problems import Problem, invalid
from lanes.arena.service import Service
from lanes.connection import SAFETY

BODY_BYTES = 16 * 1024
"""Most bytes of a request."""

Doors: TypeAlias = Callable[[Service], Iterable[Door]]

MODULES: tuple[Doors, ...] = (votes_api.doors, product_api.doors, page_api.doors)
"""Where the doors are made; each module that has some is named here."""

_ONCE = frozenset({"host", "origin", "authorization", "content-type", "content-length", "idempotency-key"})
"""Headers that decide: of two, somebody before us may have read the other."""


def build(service: Service, entry: Entry) -> ASGIApp:
    """The application with all its doors."""
    doors = [door for module in MODULES for door in module(service)]
    doors.append(openapi.door(doors))
    by_path: dict[str, dict[str, Door]] = {}
    for door in doors:
        by_path.setdefault(door.path, {})[door.method] = door
    places = {path: _Place(methods, entry) for path, methods in by_path.items()}
    routes: list[BaseRoute] = [Route(path, place) for path, place in places.items()]
    return _Frame(places, Router(routes, redirect_slashes=False, default=_nowhere), entry)


class _Frame:
    """Around everything: whether the request is for us at all, the headers of safety, and the last word on failures."""

    def __init__(self, places: Mapping[str, ASGIApp], router: ASGIApp, entry: Entry) -> None:
        self._places, self._router, self._entry = dict(places), router, entry

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        begun = False

        async def say(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                _add_headers(message)
            await send(message)

        try:
            headers = scope[HEADERS] = _headers(scope)
            self._entry.check_place(headers)
            # Most paths are written out, and a look is cheaper than a search.
            await self._places.get(scope["path"], self._router)(scope, receive, say)
        except ClientDisconnect:
            return
        except Exception as error:
            if begun:
                # Half an answer cannot be taken back: the connection ends in the middle of it.
                _log(error)
                return
            await _problem(error).response()(scope, receive, say)


class _Place:
    """All doors on one path."""

    def __init__(self, doors: Mapping[str, Door], entry: Entry) -> None:
        self._doors, self._entry = dict(doors), entry
        self._allowed = ", ".join(sorted(doors))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers: dict[str, str] = scope[HEADERS]
        caller = self._entry.caller(headers, (scope.get("client") or ("",))[0])
        door = self._doors.get(scope["method"])
        if door is None:
            line = f"{scope['method']} is not done here: {self._allowed}"
            raise Problem(405, "method_not_allowed", line, headers={"allow": self._allowed})
        must_be(caller, door.callers)
        body = b""
        if door.takes is not None:
            _must_be_json(headers)
            body = await _body(headers, receive)
        response = await door.handler(Asked(Request(scope, receive), caller, body))
        await response(scope, receive, send)


async def _nowhere(scope: Scope, receive: Receive, send: Send) -> None:
    raise Problem(404, "not_found", "there is nothing here: /v1/openapi.json says what there is")


def _headers(scope: Scope) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in scope["headers"]:
        key = name.decode("latin-1")
        if key in found and key in _ONCE:
            code = "bad_host" if key == "host" else "repeated_header"
            raise Problem(400, code, f"there is more than one {key.title()} header", key)
        found[key] = value.decode("latin-1")
    return found


def _must_be_json(headers: Mapping[str, str]) -> None:
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Problem(415, "unsupported_media_type", "send application/json", "content-type")


async def _body(headers: Mapping[str, str], receive: Receive) -> bytes:
    """The whole body, read no further than its bound; the connection sees to it that it comes in time."""
    said = headers.get("content-length", "")
    if said.isdecimal() and int(said) > BODY_BYTES:
        raise _too_large()
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > BODY_BYTES:
            raise _too_large()
    return body


def _too_large() -> Problem:
    line = f"the request is longer than {BODY_BYTES // 1024} KB"
    return Problem(413, "too_large", line, headers={"connection": "close"})


def _problem(error: Exception) -> Problem:
    if isinstance(error, Problem):
        return error
    if isinstance(error, ValidationError):
        return invalid(error)
    _log(error)
    return Problem(500, "internal", "this should not happen: the service's log says more")


def _log(error: Exception) -> None:
    """Say what went wrong, without its text: what was sent, a token perhaps, is in no log."""
    where = traceback.extract_tb(error.__traceback__)[-1]
    print(f"{type(error).__name__} in {where.filename}, line {where.lineno}", flush=True)


def _add_headers(message: Message) -> None:
    headers = message.setdefault("headers", [])
    names = {name for name, _ in headers}
    headers.extend(pair for pair in SAFETY if pair[0] not in names)
