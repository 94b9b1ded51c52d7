"""What makes a voter doubtful: too fast, always the same place, attention checks failed; told to a person, who decides.

A flag takes no vote out of the count. Each rule is one that a careful voter meets seldom or never: of 20 votes at even
chance, 18 or more fall on one side 4 times in 10,000.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import dataclass

from lanes.arena.ballots import VoterFigures

FASTEST = 0.2
"""Seconds; nobody reads two answers in less."""

MEDIAN = 1.0
"""Seconds; half of the votes were faster."""

TIMED_VOTES = 3
"""Votes before the median says anything."""

SAME_SIDE = 0.9
"""Share of the decisive votes for answers shown in one place."""

DECISIVE = 20
"""Decisive votes before their side says anything."""

FAILED = 0.25
"""Share of the attention checks."""


@dataclass(frozen=True, slots=True)
class Flag:
    """One reason to look at a voter."""

    kind: str
    """What is doubtful, in words that stay the same while votes come in."""

    found: str
    """The same in numbers."""


def flags(voter: VoterFigures) -> tuple[Flag, ...]:
    """What is doubtful about a voter; empty for most."""
    return tuple(flag for flag in (_too_fast(voter), _one_sided(voter), _inattentive(voter)) if flag)


def doubts(voters: Iterable[VoterFigures]) -> dict[str, str]:
    """A sentence for each doubtful voter, by name: what is doubtful, and what a person can do about it."""
    return {
        voter.voter: f"voter {voter.voter} {' and '.join(flag.kind for flag in found)}; to count their votes no "
        f"longer: autoresearch-tui arena exclude {shlex.quote(voter.voter)} --reason …"
        for voter in voters
        if (found := flags(voter))
    }


def _too_fast(voter: VoterFigures) -> Flag | None:
    fastest, median = voter.fastest_seconds, voter.median_seconds
    if fastest is not None and fastest <= FASTEST:
        return Flag("votes faster than anybody reads", f"fastest vote {fastest:.1f} s")
    if median is not None and median < MEDIAN and voter.votes >= TIMED_VOTES:
        return Flag("votes faster than anybody reads", f"half of the votes within {median:.1f} s")
    return None


def _one_sided(voter: VoterFigures) -> Flag | None:
    decisive = voter.first + voter.second
    most, side = max((voter.first, "first"), (voter.second, "second"))
    if decisive < DECISIVE or most < SAME_SIDE * decisive:
        return None
    return Flag(f"nearly always chooses the answer shown {side}", f"shown {side} chosen {most} of {decisive} times")


def _inattentive(voter: VoterFigures) -> Flag | None:
    checks = voter.attention_passed + voter.attention_failed
    if not voter.attention_failed or voter.attention_failed < FAILED * checks:
        return None
    return Flag("fails attention checks", f"{voter.attention_failed} of {checks} attention checks failed")
