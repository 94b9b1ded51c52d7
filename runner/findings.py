"""A finding of the doctor, and how findings are shown."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

Status: TypeAlias = Literal["ok", "warn", "missing"]

SIGNS: dict[Status, str] = {"ok": "ok", "warn": "!", "missing": "×"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    name: str
    status: Status
    """``missing``: a run cannot start, or cannot train, without it; ``warn``: it can, but a person should know."""

    what: str
    """What is there, or is not."""

    remedy: str = ""
    """What to do; empty where nothing is to be done."""


def healthy(findings: Sequence[Finding]) -> bool:
    """Whether nothing that a run needs is missing."""
    return all(finding.status != "missing" for finding in findings)


def render(findings: Sequence[Finding], columns: int = 0) -> str:
    """Aligned lines: sign, name, what was found; under it what to do.

    Args:
        findings: In the order in which they are shown.
        columns: Of the terminal, at whose end words go to the next line; 0 for lines of any length.
    """
    width = max((len(finding.name) for finding in findings), default=0)
    lines: list[str] = []
    for finding in findings:
        lines += _wrapped(f"{SIGNS[finding.status]:<2}  {finding.name:<{width}}  ", finding.what, columns)
        if finding.remedy:
            # A command stays one line, so that it can be copied: the terminal breaks it where it must.
            room = 0 if ": " in finding.remedy else columns
            lines += _wrapped(f"    {'':<{width}}  → ", finding.remedy, room)
    return "\n".join(lines)


def _wrapped(head: str, text: str, columns: int) -> list[str]:
    if len(head) + len(text) <= columns or columns <= len(head):
        return [head + _plain(text)]
    after = " " * len(head)
    return textwrap.wrap(
        _plain(text), columns, initial_indent=head, subsequent_indent=after, break_long_words=False,
        break_on_hyphens=False,
    )  # fmt: skip


def _plain(text: str) -> str:
    """What comes from files may not speak to the terminal."""
    return "".join(character if character.isprintable() else "�" for character in text)
