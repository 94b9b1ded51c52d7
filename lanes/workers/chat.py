"""A chat that waits for an answer, the answer, and why there is none: what server and models pass to each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

Turn: TypeAlias = Mapping[str, str]
"""A message with ``role`` and ``content``."""


class Refused(Exception):
    """A request that cannot be met; the text is one line for who asked."""


class Unknown(Refused):
    """It names a model that is not loaded."""


class Busy(Exception):
    """So many wait for an answer that one more would wait too long."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One chat that waits for an answer."""

    model: str
    messages: tuple[Turn, ...]
    temperature: float
    """0 takes the likeliest token."""

    top_p: float
    max_tokens: int
    seed: int
    """The same ask with the same seed gets the same answer, whatever else is in the batch (up to ties of rounding)."""


@dataclass(frozen=True, slots=True)
class Said:
    """An answer."""

    text: str
    prompt_tokens: int
    completion_tokens: int
    finish: Literal["stop", "length"]
