"""How long an answer of a language model may be: what its model ever says, and what the program's caps leave for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from checkpoints.records import Json

MOST_OUT = 32_000
"""Tokens of one answer, its thoughts included, where its model is not known to say less."""

FEWEST_OUT = 500
"""An answer that may have fewer tokens than that is not asked for."""

MOST_BYTES = 200_000
"""Of one answer, its thoughts included; the connection is closed at the next."""

BYTES = 8
"""Of a token, at most, on average: some services keep to no limit, and what they say is counted in bytes."""


class Full(Exception):
    """The caps leave no room for an answer; the message names the setting."""


@dataclass(frozen=True, slots=True)
class Room:
    """What a question may use, with all that is asked because of it."""

    tokens: int | None
    """What ``agent.max_tokens`` leaves for the question and its answers; None where there is no cap."""

    usd: float | None
    """The same of ``agent.max_usd``."""

    asking: int
    """Tokens of the question, by estimate: each request sends it whole."""

    def out(self, used: int, paid: float, price: Callable[[int, int], float | None]) -> int | None:
        """Most tokens that the next answer may have by the caps; None where there is none.

        Args:
            used, paid: Tokens, and USD, that earlier requests of the same question have used.
            price: USD of so many tokens in and out; None where nobody knows, and the cap cannot be held.

        Raises:
            Full: Too few to ask at all.
        """
        rooms = dict[str, int]()
        if self.tokens is not None:
            rooms["agent.max_tokens"] = self.tokens - used - self.asking
        sent, one = price(self.asking, 0), price(0, 1)
        if self.usd is not None and sent is not None and one:
            rooms["agent.max_usd"] = int((self.usd - paid - sent) / one)
        if not rooms:
            return None
        cap = min(rooms, key=lambda name: rooms[name])
        if rooms[cap] < FEWEST_OUT:
            raise Full(f"{cap} leaves no room for another answer")
        return rooms[cap]


def most_out(litellm: Any, model: str, room: int | None) -> int:
    """Tokens that a service is asked to stop an answer at.

    Args:
        litellm: The library; its own list, which is looked up off the network, knows what a model says at most.
        model: litellm model string.
        room: By the caps; None where there is none.
    """
    listed: Mapping[str, Json] = litellm.model_cost
    known = listed.get(model) or listed.get(model.partition("/")[2]) or {}
    most: object = known.get("max_output_tokens")
    limits = [MOST_OUT, *([most] if isinstance(most, int) and most > 0 else []), *([] if room is None else [room])]
    return min(limits)


def most_bytes(room: int | None) -> int:
    """Bytes at which an answer is broken off, whatever its service was asked."""
    return MOST_BYTES if room is None else min(MOST_BYTES, BYTES * room)
