"""Front matter: YAML between two lines ``---``, read so that every value still knows its line, and prose after it."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from checkpoints.records import Json
from runner.program_error import ProgramError

FENCE = "---"

TO_ADD = """\
---
goal: "what should get better"
model: path/to/a/model            # a local folder, or a hub id
data:
  sources: {mine: pairs.jsonl}    # what to train on: a local file, or a hub id
  heldout: {prompts: prompts.jsonl}
# for a script that an agent edits, `autoresearch-tui init script` writes other lines before the text that is there
---"""
"""The least front matter that works."""


@dataclass(frozen=True, slots=True)
class Document:
    """A file with front matter, taken apart."""

    name: str
    """Of the file, as messages show it."""

    values: Json
    prose: str
    root: yaml.Node

    def known(self, path: Sequence[str | int]) -> tuple[str | int, ...]:
        """The longest beginning of ``path`` that the front matter has."""
        return tuple(part for part, _ in self._walk(path))

    def line(self, path: Sequence[str | int]) -> int:
        """Line of the file, from 1, on which the value at ``path`` (or what is there of the path) begins."""
        line = self.root.start_mark.line
        for _, node in self._walk(path):
            line = node.start_mark.line
        return line + 1

    def _walk(self, path: Sequence[str | int]) -> Iterator[tuple[str | int, yaml.Node]]:
        node = self.root
        for part in path:
            found = _step(node, part)
            if found is None:
                return
            marked, node = found
            yield part, marked


def read_text(file: Path) -> str:
    """The text of a program's file.

    Raises:
        ProgramError: It cannot be read.
    """
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ProgramError([f"{file}: is not there; `autoresearch-tui init` writes one to start from"]) from None
    except OSError as error:
        raise ProgramError([f"{file}: cannot be read: {error.strerror}"]) from None
    except UnicodeDecodeError as error:
        raise ProgramError([f"{file}: byte {error.start + 1} is not UTF-8; save the file as UTF-8"]) from None


def read_document(text: str, name: str) -> Document:
    """Take the text of a file apart.

    Raises:
        ProgramError: there is no front matter, or it is not YAML, or a key stands there twice.
    """
    lines = text.removeprefix("\ufeff").splitlines()
    end = _end(lines, name)
    # The fence stays in, as YAML's own mark of a document, so that YAML's lines are the file's lines.
    root = _compose("\n".join(lines[:end]), name)
    _refuse_twice(root, name, set())
    loader = _Loader("")
    try:
        values: Json = loader.construct_document(root)
    except yaml.MarkedYAMLError as error:
        raise ProgramError([_yaml_problem(error, name)]) from None
    finally:
        loader.dispose()
    return Document(name, values, "\n".join(lines[end + 1 :]).strip(), root)


def _end(lines: list[str], name: str) -> int:
    """Index of the line that closes the front matter."""
    if not lines or lines[0].rstrip() != FENCE:
        raise ProgramError([f"{name}:1: there is no front matter; begin the file with these lines:\n{TO_ADD}"])
    for index, line in enumerate(lines[1:], start=1):
        if line.rstrip() == FENCE:
            return index
    raise ProgramError([f"{name}:1: the front matter never ends; add a line {FENCE} after its last field"])


def _compose(text: str, name: str) -> yaml.Node:
    try:
        root = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        raise ProgramError([_yaml_problem(error, name)]) from None
    except RecursionError:
        raise ProgramError([f"{name}:1: not YAML that anybody wrote: nested too deeply"]) from None
    except yaml.YAMLError as error:
        raise ProgramError([f"{name}:1: not YAML: {' '.join(str(error).split())}"]) from None
    if not isinstance(root, yaml.MappingNode):
        raise ProgramError([f"{name}:1: the front matter has no fields; it needs at least these lines:\n{TO_ADD}"])
    return root


def _yaml_problem(error: yaml.MarkedYAMLError, name: str) -> str:
    mark = error.problem_mark or error.context_mark
    what = ", ".join(part for part in (error.context, error.problem) if part)
    return f"{name}:{mark.line + 1 if mark else 1}: not YAML: {what}"


def _refuse_twice(node: yaml.Node, name: str, seen: set[int]) -> None:
    """YAML takes the last of two equal keys without a word; here it is an error."""
    if id(node) in seen:
        return
    seen.add(id(node))
    children: list[yaml.Node] = []
    if isinstance(node, yaml.MappingNode):
        first: dict[str, int] = {}
        for key, value in node.value:
            line: int = key.start_mark.line + 1
            if key.value in first:
                raise ProgramError([f"{name}:{line}: {key.value}: stands here twice, first in line {first[key.value]}"])
            first[str(key.value)] = line
            children.append(value)
    elif isinstance(node, yaml.SequenceNode):
        children.extend(node.value)
    for child in children:
        _refuse_twice(child, name, seen)


def _step(node: yaml.Node, part: str | int) -> tuple[yaml.Node, yaml.Node] | None:
    """One step down: the node whose line is to be shown, and the value."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == str(part):
                return key, value
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part], node.value[part]
    return None


class _Loader(yaml.SafeLoader):
    """YAML 1.2's plain scalars: ``1e-4`` is a number, ``no`` is Norwegian, ``12:30`` and ``2026-01-01`` are text."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 PyYAML reads the class's own

    def construct_whole(self, node: yaml.ScalarNode) -> int:
        return int(node.value)


_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_whole)
for tag, pattern, first in (
    ("null", r"(?:~|null|Null|NULL|)", ["~", "n", "N", ""]),
    ("bool", r"(?:true|True|TRUE|false|False|FALSE)", list("tTfF")),
    ("int", r"[-+]?[0-9]+", list("-+0123456789")),
    (
        "float",
        r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        list("-+.0123456789"),
    ),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(f"^(?:{pattern})$"), first)
