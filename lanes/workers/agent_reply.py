"""An answer of a language model while it comes: its words or the tool that it calls, its size, and what it used."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Reply:
    """An answer while it comes."""

    content: list[str] = field(default_factory=list[str])
    arguments: list[str] = field(default_factory=list[str])
    """Of the tool that it calls."""

    refusal: str = ""
    finish: str = ""
    size: int = 0
    """Bytes."""

    usage: Any = None

    @property
    def text(self) -> str:
        """What it says, or calls the tool with."""
        return "".join(self.arguments or self.content)

    def take(self, part: Any) -> None:
        """Add a piece, or the whole: litellm's ``delta`` or ``message``."""
        calls = getattr(part, "tool_calls", None) or ()
        said, called = part.content or "", "".join(call.function.arguments or "" for call in calls)
        self.content.append(said)
        if called:
            self.arguments.append(called)
        self.refusal += getattr(part, "refusal", None) or ""
        self.size += sum(len(each.encode()) for each in (said, called, getattr(part, "reasoning_content", None) or ""))
