"""A finding of the doctor, and how findings are shown."""

from __future__ import annotations

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


def render(findings: Sequence[Finding]) -> str:
    """Aligned lines: sign, name, what was found; under it what to do."""
    width = max((len(finding.name) for finding in findings), default=0)
    lines: list[str] = []
    for finding in findings:
        lines.append(f"{SIGNS[finding.status]:<2}  {finding.name:<{width}}  {_plain(finding.what)}")
        if finding.remedy:
            lines.append(f"    {'':<{width}}  → {_plain(finding.remedy)}")
    return "\n".join(lines)


def _plain(text: str) -> str:
    """What comes from files may not speak to the terminal."""
    return "".join(character if character.isprintable() else "�" for character in text)
