"""From what pydantic finds wrong with a program to lines that a person can act on."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from pydantic import ValidationError

from checkpoints.records import Json
from runner.front_matter import Document

Path: TypeAlias = tuple[str | int, ...]

OUT_OF_RANGE = frozenset({"greater_than", "greater_than_equal", "less_than", "less_than_equal"})


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a program."""

    path: Path
    what: str
    allowed: str = ""

    def line(self, document: Document) -> str:
        """``program.md:14: training.learning_rate: 2.5 is out of range; allowed: above 0, at most 1 (a float)``."""
        where = ".".join(str(part) for part in _without_recipe(self.path))
        start = f"{document.name}:{document.line(self.path)}: {where}: {self.what}"
        return f"{start}; allowed: {self.allowed}" if self.allowed else start


def problems(error: ValidationError, schema: Json, document: Document) -> list[Problem]:
    """What ``error`` says, one problem a field, in the order of the file.

    Args:
        error: from a model that was given the document's values.
        schema: JSON schema of that model.
        document: where the values came from.
    """
    found: dict[Path, Problem] = {}
    for detail in error.errors(include_url=False):
        problem = _problem(detail, schema, document)
        found.setdefault(problem.path, problem)
    return sorted(found.values(), key=lambda problem: document.line(problem.path))


def allowed(schema: Json, path: Sequence[str | int] = ()) -> str:
    """What the value at ``path`` may be, in words; empty where the schema does not say."""
    return " or ".join(dict.fromkeys(_describe(_at(schema, path), schema)))


def did_you_mean(wrong: object, known: Iterable[str]) -> str:
    """``"; did you mean beta?"``, or nothing where no known name is near."""
    near = difflib.get_close_matches(str(wrong), list(known), n=1)
    return f"; did you mean {near[0]}?" if near else ""


def shown(value: object) -> str:
    """A value as a message quotes it: on one line, short, control characters escaped."""
    text = str(value).lower() if isinstance(value, bool) else "null" if value is None else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


def _problem(detail: Mapping[str, Any], schema: Json, document: Document) -> Problem:
    kind: str = detail["type"]
    full: Path = detail["loc"]
    if kind == "missing":
        return Problem(full, "is missing", allowed(schema, full))
    path = document.known(full)
    if kind == "extra_forbidden":
        names = sorted({name for option in _options(_at(schema, path[:-1]), schema) for name in _properties(option)})
        return Problem(path, f"is not known{did_you_mean(path[-1], names)}", ", ".join(names))
    return Problem(path, _what(detail, schema, path), allowed(schema, path))


def _what(detail: Mapping[str, Any], schema: Json, path: Path) -> str:
    kind, value = detail["type"], detail["input"]
    if kind in OUT_OF_RANGE:
        return f"{shown(value)} is out of range"
    if kind == "finite_number":
        return f"{shown(value)} is not a finite number"
    if kind == "value_error":
        message = str(detail["ctx"]["error"])
        return message if isinstance(value, dict) else f"{shown(value)}: {message}"
    names = [str(name) for name in _at(schema, path).get("enum", [])]
    return f"{shown(value)} does not fit{did_you_mean(value, names)}"


def _without_recipe(path: Path) -> Path:
    """A recipe field is called as in a change: ``training.beta``, not ``recipe.training.beta``."""
    return path[1:] if len(path) > 2 and path[0] == "recipe" else path


def _at(schema: Json, path: Sequence[str | int]) -> Json:
    """The part of a JSON schema that speaks of ``path``; empty where none does."""
    part = schema
    for name in path:
        part = _child(part, name, schema)
    return _resolved(part, schema)


def _child(part: Json, name: str | int, schema: Json) -> Json:
    for option in _options(part, schema):
        if name in _properties(option):
            return option["properties"][name]
        if isinstance(option.get("additionalProperties"), dict):
            return option["additionalProperties"]
        if isinstance(name, int) and "items" in option:
            return option["items"]
    return {}


def _options(part: Json, schema: Json) -> list[Json]:
    return [_resolved(each, schema) for each in part.get("anyOf", [part])]


def _properties(part: Json) -> Json:
    return part.get("properties", {})


def _resolved(part: Json, schema: Json) -> Json:
    reference: str = part.get("$ref", "")
    return schema["$defs"][reference.removeprefix("#/$defs/")] if reference else part


def _describe(part: Json, schema: Json) -> Iterator[str]:
    part = _resolved(part, schema)
    if "allowed" in part:
        yield part["allowed"]
    elif "anyOf" in part:
        for option in part["anyOf"]:
            yield from _describe(option, schema)
    elif "enum" in part:
        yield "one of " + ", ".join(str(name) for name in part["enum"])
    elif "const" in part:
        yield str(part["const"])
    elif part.get("type") in {"number", "integer"}:
        yield _number(part)
    elif part.get("type") == "array":
        yield "a list, each " + " or ".join(_describe(part["items"], schema)) if "items" in part else "a list"
    elif part.get("properties"):
        yield "a mapping with " + ", ".join(part["properties"])
    elif "type" in part:
        yield {"string": "text", "boolean": "true or false", "null": "null", "object": "a mapping"}[part["type"]]


def _number(part: Json) -> str:
    """Pydantic leaves bounds behind a validator under its own names, and writes the others as JSON schema does."""
    kind = "a whole number" if part["type"] == "integer" else "a float"
    bounds = [
        f"{word} {part[name]:g}"
        for word, names in (
            ("above", ("gt", "exclusiveMinimum")),
            ("at least", ("ge", "minimum")),
            ("below", ("lt", "exclusiveMaximum")),
            ("at most", ("le", "maximum")),
        )
        for name in names
        if name in part
    ]
    return f"{', '.join(bounds)} ({kind})" if bounds else kind
