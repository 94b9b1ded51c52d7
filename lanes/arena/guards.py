"""When a candidate is taken out at once, whatever the votes say: its answers fail, refuse, swell or take too long.

A guard is a bound and no test: past it a candidate is out, on as few answers as ``min_answers``. With 20 of them and a
bound of 20 % on errors, looked at after every answer up to 500, a candidate that truly fails 5 % of the time is past it
at some time in 1 of 130 cases, one that fails 10 % in 1 of 8, and one that fails half of the time at once (simulated).
A tighter bound wants more answers. The sentence has the numbers, so that a person can judge what they weigh.
"""

from __future__ import annotations

from dataclasses import dataclass

from lanes.arena.ballots import Exposure


@dataclass(frozen=True, slots=True)
class GuardBounds:
    """Bounds past which a candidate is taken out; None is no bound. The program has them as ``evaluate.guards``."""

    errors: float | None = 0.2
    """Share of the candidate's answers that failed, 0 to below 1."""

    refusals: float | None = None
    """Share of its answers that decline to answer, 0 to below 1."""

    length_ratio: float | None = None
    """How many times as long as the champion's its answers may be on average, or as short; above 1."""

    seconds: float | None = None
    """Mean time of a whole answer."""

    min_answers: int = 20
    """Answers, failed ones among them, before a guard says anything."""


def breach(bounds: GuardBounds, candidate: Exposure, champion: Exposure | None) -> str | None:
    """Why a candidate is to be taken out.

    Args:
        bounds: What the program allows.
        candidate: What users were given of it.
        champion: What they were given of the champion in the same evaluation, that is on the prompts of their battles;
            those that the candidate met the reference on are a random share of the same traffic. None before any.

    Returns:
        One sentence with the numbers; None where every bound holds, or too few answers are in.
    """
    asked = candidate.answers + candidate.errors
    if asked < bounds.min_answers:
        return None
    answers = candidate.answers
    return (
        _share("errors", candidate.errors, asked, "failed", bounds.errors)
        or _share("refusals", candidate.refusals, answers, "declined to answer", bounds.refusals)
        or _length(bounds, candidate, champion)
        or _seconds(bounds, candidate)
    )


def _share(name: str, count: int, of: int, what: str, bound: float | None) -> str | None:
    if bound is None or not of or count <= bound * of:
        return None
    return (
        f"{name}: {count} of {of} answers {what}, {_per_cent(count / of)} > evaluate.guards.{name} {_per_cent(bound)}"
    )


def _length(bounds: GuardBounds, candidate: Exposure, champion: Exposure | None) -> str | None:
    bound, least = bounds.length_ratio, bounds.min_answers
    if bound is None or champion is None or candidate.answers < least or champion.answers < least:
        return None
    own, other = candidate.characters / candidate.answers, champion.characters / champion.answers
    if own <= bound * other and other <= bound * own:
        return None
    lengths = f"its answers have {own:,.0f} characters on average and {champion.model}'s {other:,.0f}"
    return f"length: {lengths}, more than evaluate.guards.length_ratio {bound:g} apart"


def _seconds(bounds: GuardBounds, candidate: Exposure) -> str | None:
    bound = bounds.seconds
    if bound is None or not candidate.answers:
        return None
    mean = candidate.seconds / candidate.answers
    if mean <= bound:
        return None
    return f"seconds: {candidate.answers} answers took {mean:.1f} s on average > evaluate.guards.seconds {bound:g}"


def _per_cent(share: float) -> str:
    return f"{100 * share:.3g} %"
