"""Rows of any data source as examples: which shapes are understood, and what is said about a line that is broken."""

from __future__ import annotations

import hashlib
import json
import math
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias, cast

from checkpoints.records import Json
from lanes.order import Source
from lanes.sources import DataError, RowError, raw_rows

Turn: TypeAlias = dict[str, str]
"""A message: ``role`` and ``content``."""

Conversation: TypeAlias = tuple[Turn, ...]


@dataclass(frozen=True, slots=True)
class Example:
    """One row to train on or to score: a prompt and its answer, and in a preference pair the rejected one."""

    prompt: Conversation
    answer: Conversation
    """Turns that the assistant should produce: the chosen ones, in a pair."""

    rejected: Conversation | None
    """None in a chat."""

    margin: float | None
    """``score_chosen - score_rejected``; None where the row has no scores."""

    language: str | None
    where: str
    """File and line, or data set and row."""

    @property
    def key(self) -> str:
        """Content hash of prompt and answers."""
        return _digest([turn["content"] for part in (self.prompt, self.answer, self.rejected or ()) for turn in part])


@dataclass(frozen=True, slots=True)
class Prompt:
    """One row of the held-out traffic."""

    id: str
    prompt: Conversation
    language: str | None
    where: str


@dataclass(slots=True)
class Broken:
    """Rows that could not be read: named, counted, and an error once there are more than the program allows."""

    limit: int
    lines: list[str] = field(default_factory=list[str])

    def add(self, where: str, why: str) -> None:
        """Count a row.

        Raises:
            DataError: it is one too many.
        """
        self.lines.append(f"{where} {why}")
        if len(self.lines) > self.limit:
            allowed = f"{self.limit} broken rows are allowed" if self.limit else "no broken row is allowed"
            raise DataError(f"{where} {why}; {allowed}: correct the file or raise data.max_broken_rows")


def read_pairs(source: Source, broken: Broken) -> list[Example]:
    """Preference pairs: ``prompt``, ``chosen``, ``rejected`` as texts or messages; or whole conversations, no prompt.

    Raises:
        DataError: the source is not there, or has more broken rows than allowed.
    """
    return [Example(*parts, where=where) for where, parts in _parsed(source, broken, _pair)]


def read_chats(source: Source, broken: Broken) -> list[Example]:
    """Chats: ``messages``, ``prompt`` and ``completion``, ``instruction`` and ``output``, or the chosen half of a pair.

    Raises:
        DataError: the source is not there, or has more broken rows than allowed.
    """
    return [Example(*parts, where=where) for where, parts in _parsed(source, broken, _chat)]


def read_prompts(source: Source, broken: Broken) -> list[Prompt]:
    """Held-out traffic: ``prompt`` as text or messages, with an ``id`` and a ``language`` where the row says them.

    Raises:
        DataError: the source is not there, has two rows of one id, or more broken rows than allowed.
    """
    prompts = [Prompt(*parts, where=where) for where, parts in _parsed(source, broken, _prompt)]
    seen: dict[str, str] = {}
    for prompt in prompts:
        if prompt.id in seen:
            raise DataError(f"{prompt.where} has the id {prompt.id!r} of {seen[prompt.id]}: give each prompt its own")
        seen[prompt.id] = prompt.where
    return prompts


def parsed_pair(row: Json) -> Example | None:
    """A preference pair from one row; None where it is none."""
    try:
        return Example(*_pair(row), where="")
    except RowError:
        return None


def prompt_key(prompt: Conversation) -> str:
    """Content hash of a prompt: what the user said, whatever its spacing, case or system message."""
    return _digest([normalised(turn["content"]) for turn in _said(prompt) or prompt])


def exposed_keys(example: Example) -> set[str]:
    """Keys of every prompt that training on this example gives away: each user turn, alone and with those before it."""
    said = [normalised(turn["content"]) for turn in _said(example.prompt + example.answer)]
    return {_digest([text]) for text in said} | {_digest(said[:end]) for end in range(1, len(said) + 1)}


def normalised(text: str) -> str:
    """Text without what a copy may change unseen: compatibility forms, case, spacing, invisible characters."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    if not folded.isprintable():
        folded = "".join(c for c in folded if c.isspace() or unicodedata.category(c)[0] != "C")
    return " ".join(folded.split())


def _said(turns: Conversation) -> list[Turn]:
    return [turn for turn in turns if turn["role"] == "user"]


def _digest(texts: Iterable[str]) -> str:
    return hashlib.sha256(json.dumps(list(texts)).encode()).hexdigest()


def _parsed(source: Source, broken: Broken, parse: Any) -> Iterator[tuple[str, tuple[Any, ...]]]:
    for where, row in raw_rows(source):
        try:
            if isinstance(row, RowError):
                raise row
            if not isinstance(row, dict):
                raise RowError("is no JSON object")
            yield where, parse(cast(Json, row))
        except RowError as error:
            broken.add(where, str(error))


def _pair(row: Json) -> tuple[Any, ...]:
    chosen, rejected = _need(row, "chosen"), _need(row, "rejected")
    prompt = row.get("prompt")
    answer, other = _answer(chosen, "chosen"), _answer(rejected, "rejected")
    if answer[0]["role"] != "assistant":
        shared = _shared(answer, other)
        prompt, answer, other = list(answer[:shared]), answer[shared:], other[shared:]
    for name, turns in (("chosen", answer), ("rejected", other)):
        if turns[0]["role"] != "assistant":
            raise RowError(f"field {name!r} does not go on with the assistant after what both conversations share")
    if prompt is None:
        raise RowError("has no field 'prompt'")
    return _turns(prompt, "prompt", "user"), answer, other, _margin(row), _text_or_none(row, "language")


def _chat(row: Json) -> tuple[Any, ...]:
    if "messages" in row:
        prompt, answer = _split(_turns(row["messages"], "messages", "user"))
    elif "instruction" in row:
        asked = "\n\n".join(text for name in ("instruction", "input") if (text := _text_or_none(row, name)))
        prompt, answer = _turns(asked, "instruction", "user"), _answer(_need(row, "output"), "output")
    else:
        name = "completion" if "completion" in row or "chosen" not in row else "chosen"
        answer = _answer(_need(row, name), name)
        prompt = _turns(row["prompt"], "prompt", "user") if "prompt" in row else ()
        if answer[0]["role"] != "assistant":
            prompt, answer = _split(answer)
        if not prompt:
            raise RowError("has no field 'prompt'")
    return prompt, answer, None, _margin(row), _text_or_none(row, "language")


def _prompt(row: Json) -> tuple[Any, ...]:
    prompt = _turns(_need(row, "prompt"), "prompt", "user")
    name = row.get("id")
    if name is not None and (isinstance(name, bool) or not isinstance(name, str | int)):
        raise RowError("field 'id' is neither text nor a whole number")
    return prompt_key(prompt)[:16] if name is None else str(name), prompt, _text_or_none(row, "language")


def _split(turns: Conversation) -> tuple[Conversation, Conversation]:
    """A conversation as what leads to the assistant's last turn, and that turn; what follows it teaches nothing."""
    answers = [index for index, turn in enumerate(turns) if turn["role"] == "assistant"]
    if not answers or answers[-1] == 0:
        raise RowError("has no turn of the assistant that answers something")
    return turns[: answers[-1]], turns[answers[-1] : answers[-1] + 1]


def _shared(one: Conversation, other: Conversation) -> int:
    """Leading turns that two conversations share; the last turn of each stays its answer."""
    most = min(len(one), len(other)) - 1
    return next((index for index in range(most) if one[index] != other[index]), most)


def _answer(value: Any, name: str) -> Conversation:
    return _turns(value, name, "assistant")


def _turns(value: Any, name: str, role: str) -> Conversation:
    """Messages as they are, a text as the one turn of ``role``."""
    if isinstance(value, str):
        value = [{"role": role, "content": value}]
    if not isinstance(value, list) or not value:
        raise RowError(f"field {name!r} is neither text nor a list of messages")
    return tuple(_turn(turn, name) for turn in cast(list[Any], value))


def _turn(value: Any, name: str) -> Turn:
    turn = cast(Json, value) if isinstance(value, dict) else {}
    role, content = turn.get("role"), turn.get("content")
    if not isinstance(role, str) or not isinstance(content, str):
        raise RowError(f"field {name!r} has a message without 'role' and 'content' as text")
    if not content.strip():
        raise RowError(f"field {name!r} is empty")
    if re.search("[\ud800-\udfff]", content):
        raise RowError(f"field {name!r} is not valid Unicode")
    return {"role": role, "content": content}


def _margin(row: Json) -> float | None:
    scores = [_score(row, name) for name in ("score_chosen", "score_rejected") if row.get(name) not in (None, "")]
    return scores[0] - scores[1] if len(scores) == 2 else None


def _score(row: Json, name: str) -> float:
    value = row[name]
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise RowError(f"field {name!r} is no finite number")
    return number


def _need(row: Json, name: str) -> Any:
    if row.get(name) is None:
        raise RowError(f"has no field {name!r}")
    return row[name]


def _text_or_none(row: Json, name: str) -> str | None:
    value = row.get(name)
    if value is not None and not isinstance(value, str):
        raise RowError(f"field {name!r} is no text")
    return value
