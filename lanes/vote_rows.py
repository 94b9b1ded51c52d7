"""Votes as a product reports them, row by row: what a row may say, and what is wrong with one that is no vote."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

from checkpoints.records import Choice
from checkpoints.text import clean

NAME_CHARACTERS = 64
"""Longest name of a voter or a model."""

KEY_CHARACTERS = 200
"""Longest idempotency key and longest id of a prompt."""

LATEST = 2.0**33
"""The year 2242, in seconds; a number above it counts something else."""

_TIES = ("tie", "draw", "equal", "")
_SIDES = {"a": Choice.A, "model_a": Choice.A, "b": Choice.B, "model_b": Choice.B} | dict.fromkeys(_TIES, Choice.TIE)


class NoVote(Exception):
    """A row that is no vote; the text says why, the same for every row with this fault."""


@dataclass(frozen=True, slots=True)
class Reported:
    """One vote on two models that a product showed by itself."""

    key: str
    """By which it is counted once."""

    model_a: str
    model_b: str
    choice: Choice
    voter: str
    prompt: str | None
    """Id of the prompt; None where the row has none."""

    at: float | None
    """UTC seconds; None where the row does not say."""


def read_row(row: object) -> Reported:
    """Read a row: ``model_a``, ``model_b``, ``choice`` or ``winner``, ``voter``, ``key`` or ``id``, ``prompt``, ``at``.

    Raises:
        NoVote: It says no vote.
    """
    if not isinstance(row, Mapping):
        raise NoVote("it is no object")
    said = cast(Mapping[Any, Any], row)
    model_a, model_b = (_word(said, (name,), NAME_CHARACTERS) for name in ("model_a", "model_b"))
    if model_a == model_b:
        raise NoVote("model_a and model_b are the same")
    voter, key = _word(said, ("voter",), NAME_CHARACTERS), _word(said, ("key", "id"), KEY_CHARACTERS)
    prompt = None if said.get("prompt") in (None, "") else _word(said, ("prompt",), KEY_CHARACTERS, cut=True)
    return Reported(key, model_a, model_b, _choice(said, model_a, model_b), voter, prompt, _time(said.get("at")))


def _word(row: Mapping[Any, Any], names: tuple[str, ...], longest: int, cut: bool = False) -> str:
    """The first of some fields that is there, on one line and without control characters."""
    found = next((row[name] for name in names if row.get(name) is not None), None)
    if isinstance(found, bool) or not isinstance(found, str | int):
        raise NoVote(f"it has no {' and no '.join(names)}")
    word = " ".join(clean(str(found)).split())
    if not word or (len(word) > longest and not cut):
        raise NoVote(f"{names[0]} needs 1 to {longest} characters")
    return word[:longest]


def _choice(row: Mapping[Any, Any], model_a: str, model_b: str) -> Choice:
    said = row.get("choice", row.get("winner"))
    if not isinstance(said, str):
        raise NoVote("it has no choice and no winner")
    named = {model_a: Choice.A, model_b: Choice.B}.get(said) or _SIDES.get(said.strip().lower())
    if named is None:
        raise NoVote("choice is none of a, tie and b, and winner none of model_a, tie and model_b")
    return named


def _time(said: object) -> float | None:
    """UTC seconds from a number or an ISO 8601 text; one without a zone is UTC."""
    if said is None or said == "":
        return None
    at = _seconds(said)
    if at > LATEST:
        raise NoVote("at is past the year 2242: give seconds since 1970, no milliseconds")
    return at


def _seconds(said: object) -> float:
    try:
        if isinstance(said, str):
            found = datetime.fromisoformat(said)
            return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
        if isinstance(said, int | float) and not isinstance(said, bool) and math.isfinite(said):
            return float(said)
    except (ValueError, OverflowError):
        pass
    raise NoVote("at is no time: seconds since 1970, or ISO 8601")
