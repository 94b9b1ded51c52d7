"""Asking until an answer can be used: a language model is told what was wrong with the one before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar, cast

from checkpoints.records import Json
from runner.agent.asking import Answer, LanguageModel, Question, Unreadable
from runner.agent.quoting import shortened, visible

AGAIN = 2
"""How often it is asked again."""

_SHOWN = 8000
"""Characters of its own answer that it is shown again."""

T = TypeVar("T")


class Wrong(Exception):
    """An answer that cannot be used; the message says what is wrong with it, to whoever gave it."""


async def asked(model: LanguageModel, question: Question, read: Callable[[Answer, bool], T]) -> T:
    """Ask, and ask again with what was wrong, at most ``AGAIN`` times.

    Args:
        model: Whom to ask.
        question: With a schema.
        read: Takes an answer apart, told whether it is the last one; raises ``Wrong`` where it cannot be used.

    Raises:
        Unreadable: No answer could be used.
        Unusable: It cannot be asked.
    """
    turn = question
    for left in range(AGAIN, -1, -1):
        try:
            return await _once(model, turn, read, not left)
        except Unreadable as unreadable:
            if not left:
                raise
            told = f"This cannot be used: {unreadable}. Answer once more, whole and mended."
            said = shortened(unreadable.text, _SHOWN)
            mended = ({"role": "assistant", "content": said}, {"role": "user", "content": told})
            turn = replace(question, messages=(*question.messages, *mended))
    raise AssertionError("the last turn returns or raises")


async def _once(model: LanguageModel, turn: Question, read: Callable[[Answer, bool], T], last: bool) -> T:
    answer = await model.ask(turn)
    try:
        return read(answer, last)
    except Wrong as wrong:
        raise Unreadable(str(wrong), answer.text, answer.exchange) from wrong


def closed(**properties: Json) -> Json:
    """JSON schema of an object that has these and nothing else; strict modes take no other."""
    return {
        "type": "object",
        "additionalProperties": False,
        "required": list(properties),
        "properties": properties,
    }


def text_in(said: object, limit: int) -> str:
    """A text that a model gave, without what nobody sees, shortened in its middle; empty where it is none."""
    return shortened(visible(said).strip(), limit) if isinstance(said, str) else ""


def list_in(said: object) -> list[Any]:
    """A list that a model gave; empty where it is none."""
    return cast(list[Any], said) if isinstance(said, list) else []
