"""The OpenAPI document of the service, written from its doors and from the types that check what comes in."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from pydantic import TypeAdapter
from starlette.responses import Response

from checkpoints.records import Json
from lanes.arena.door import EVERYBODY, Asked, Door
from lanes.arena.limits import PERSON, PRODUCT
from lanes.arena.problems import Failure
from lanes.connection import REQUEST_SECONDS

PATH = "/v1/openapi.json"

ABOUT = (
    "People and products vote in the arena. Show a bearer token: a product's is in product.token in the arena's folder,"
    " a voter's comes with their invitation. A vote is on the disk when the answer says so; send it again with the same"
    " key if no answer comes, and it is counted once. Requests are at most 16 KB long and take at most"
    f" {REQUEST_SECONDS:.0f} s to come; a voter may make {PERSON.per_second:g} a second ({PERSON.burst:g} at once), a"
    f" product {PRODUCT.per_second:,.0f}."
)

_REF = "#/components/schemas/{model}"

_WORDS = {
    400: "The request cannot be read.",
    401: "The bearer token is missing or wrong.",
    403: "The token is not for this, or another web page asks.",
    404: "There is no such thing.",
    409: "The key, or this voter's vote on the pair, is taken by a vote that says something else.",
    413: "The request is longer than 16 KB.",
    415: "The request is not application/json.",
    422: "The request says something that is not allowed.",
    429: "Too many requests; Retry-After says when to ask again.",
    503: "Not now; nothing was kept. Retry-After says when to ask again.",
}


def door(doors: Sequence[Door]) -> Door:
    """Where the document of these doors is read."""

    async def answer(_: Asked) -> Response:
        return Response(text, media_type="application/json")

    own = Door("GET", PATH, answer, EVERYBODY, "This document.", gives={200: dict[str, Any]})
    text = json.dumps(document([*doors, own]))
    return own


def document(doors: Sequence[Door]) -> Json:
    """The document: OpenAPI 3.1."""
    schemas, shared = _schemas(doors)
    paths: Json = {}
    for each in doors:
        paths.setdefault(each.path, {})[each.method.lower()] = _operation(each, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Arena", "version": "1", "description": ABOUT},
        "paths": paths,
        "components": {
            "schemas": shared,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _schemas(doors: Sequence[Door]) -> tuple[dict[int, Json], Json]:
    """The schema of each type, by its identity, and the named ones that they share."""
    taken = [(each.takes, "validation") for each in doors if each.takes is not None]
    given = [(kind, "serialization") for each in doors for kind in each.gives.values() if not isinstance(kind, str)]
    wanted: dict[int, tuple[Any, Any]] = {id(kind): (kind, mode) for kind, mode in (*taken, *given)}
    wanted[id(Failure)] = (Failure, "serialization")
    inputs = [(key, mode, TypeAdapter[Any](kind)) for key, (kind, mode) in wanted.items()]
    found, shared = TypeAdapter.json_schemas(inputs, ref_template=_REF)
    return {key: schema for (key, _), schema in found.items()}, shared.get("$defs", {})


def _operation(door: Door, schemas: dict[int, Json]) -> Json:
    operation: Json = {
        "summary": door.summary,
        "operationId": f"{door.method.lower()}{''.join(re.findall('[a-z]+', door.path)[1:]).title()}",
        "responses": {str(status): _answer(kind, schemas) for status, kind in door.gives.items()}
        | {str(status): _failure(status, schemas) for status in sorted(_failures(door))},
        "security": [{"token": []}] if door.callers else [],
    }
    if door.streams:
        operation["responses"]["200"]["content"]["text/event-stream"] = {}
    if parameters := [*_path_parameters(door), *_query_parameters(door)]:
        operation["parameters"] = parameters
    if door.takes is not None:
        content = {"application/json": {"schema": schemas[id(door.takes)]}}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _failures(door: Door) -> set[int]:
    """Statuses that may come in place of an answer."""
    callers = {401, 403} if door.callers else {403}
    body = {413, 415, 422} if door.takes is not None else set[int]()
    query = {422} if door.query else set[int]()
    return {400, 429, *callers, *body, *query, *door.fails}


def _answer(kind: Any, schemas: dict[int, Json]) -> Json:
    if isinstance(kind, str):
        return {"description": "As asked.", "content": {kind: {}}}
    return {"description": "As asked.", "content": {"application/json": {"schema": schemas[id(kind)]}}}


def _failure(status: int, schemas: dict[int, Json]) -> Json:
    content = {"application/json": {"schema": schemas[id(Failure)]}}
    return {"description": _WORDS[status], "content": content}


def _path_parameters(door: Door) -> list[Json]:
    names = re.findall(r"\{(\w+)(?::\w+)?\}", door.path)
    return [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names]


def _query_parameters(door: Door) -> list[Json]:
    if door.query is None:
        return []
    schema = door.query.model_json_schema(ref_template=_REF)
    required = schema.get("required", [])
    return [
        {"name": name, "in": "query", "required": name in required, "schema": field}
        for name, field in schema["properties"].items()
    ]
