"""Reads what a model answered: the one JSON object that fits a schema, or what is wrong, in words for the model."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any, cast

from jsonschema import Draft202012Validator

from checkpoints.records import Json
from lanes.tail import plain

PROBLEMS = 5
"""Most problems that are told at a time; whoever corrects them hears of the rest."""

_FENCED = re.compile(r"```[a-zA-Z0-9]*[ \t]*\n(.*?)```", re.DOTALL)
_THOUGHT = re.compile(r"^\s*<think(?:ing)?>.*?</think(?:ing)?>", re.DOTALL)


class Unfit(Exception):
    """An answer that is not what was asked for; the message is for whoever gave it."""


def holds_json(text: str) -> bool:
    """Whether a text has anything of a JSON object in it."""
    return "{" in _THOUGHT.sub("", text)


def read(text: str, schema: Json) -> Json:
    """The object in an answer: the whole of it, that of its fenced block, or what stands between its braces.

    Raises:
        Unfit: There is none, none that fits the schema, or several that do.
    """
    found, fit, why = list(_objects(_THOUGHT.sub("", text))), list[Json](), ""
    for each in found:
        if problems := _problems(each, schema):
            why = problems
        elif each not in fit:
            fit.append(each)
    if len(fit) > 1:
        raise Unfit(f"it holds {len(fit)} different answers; give one")
    if not fit:
        raise Unfit(why or _no_json(text))
    return fit[0]


def _objects(text: str) -> Iterator[Json]:
    """The whole, else what its fenced blocks hold, else what stands between the first brace and the last."""
    blocks: list[str] = _FENCED.findall(text)
    for candidates in ([text], blocks, [text[text.find("{") : text.rfind("}") + 1]]):
        found = [value for each in candidates if (value := _object(each)) is not None]
        yield from found
        if found:
            return


def _object(text: str) -> Json | None:
    try:
        found = _parsed(text)
        # JSON may have halves of characters, which no file takes.
        whole: Any = json.loads(json.dumps(found, ensure_ascii=False).encode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None
    return cast(Json, whole) if isinstance(whole, dict) else None


def _parsed(text: str) -> object:
    return json.loads(text, parse_constant=_finite, parse_float=_finite)


def _finite(number: str) -> float:
    if not math.isfinite(value := float(number)):
        raise ValueError(f"{number} is no number")
    return value


def _problems(value: Json, schema: Json) -> str:
    """What is wrong with a value, a line each, by its place; empty where nothing is."""
    check: Any = Draft202012Validator(schema)
    try:
        errors = [each for error in check.iter_errors(value) for each in _nearest(error)]
        lines = sorted({f"{_place(error)}: {plain(error.message)}" for error in errors})
    except RecursionError:
        return "it is nested too deeply"
    if len(lines) > PROBLEMS:
        lines[PROBLEMS:] = [f"and {len(lines) - PROBLEMS} more problems"]
    return "\n".join(lines)


def _nearest(error: Any) -> list[Any]:
    """Of several ways to be right, what is wrong by the one that was meant: it names itself, or lacks least."""
    if not error.context:
        return [error]
    ways: dict[Any, list[Any]] = {}
    for each in error.context:
        ways.setdefault(each.schema_path[0], []).append(each)
    meant = min(ways.values(), key=lambda way: (any(each.validator == "const" for each in way), len(way)))
    return [nearest for each in meant for nearest in _nearest(each)]


def _place(error: Any) -> str:
    return ".".join(str(part) for part in error.absolute_path) or "the answer"


def _no_json(text: str) -> str:
    if not text.strip():
        return "it is empty"
    body = _THOUGHT.sub("", text)
    if not holds_json(body):
        return "there is no JSON object in it"
    blocks: list[str] = _FENCED.findall(body)
    tried = (blocks[-1] if blocks else body[body.find("{") :]).strip()
    try:
        _parsed(tried)
    except RecursionError:
        return "the JSON in it is nested too deeply"
    except json.JSONDecodeError as error:
        what = error.msg.removesuffix(" starting at")
        return f"the JSON in it is broken at line {error.lineno}, column {error.colno}: {what}"
    except ValueError as error:
        return str(error)
    return "there is no JSON object in it"
