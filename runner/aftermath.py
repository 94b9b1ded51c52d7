"""What came of a person's steps: the champion's win rate at each, and after it, with what was tried in between."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from checkpoints.records import BASELINE, Championship, Interval, Intervention, Outcome, Row, Step
from runner.undo import undone


@dataclass(frozen=True, slots=True)
class Moment:
    """Who reigned at a time, and how good it was."""

    at: float
    """UTC seconds."""

    champion: int | None
    """None before the baseline was trained."""

    rate: Interval | None
    """The champion's win rate against the reference, shares of 1, from its verdict; None while it has none."""


@dataclass(frozen=True, slots=True)
class Aftermath:
    """One step, and the run before and after it."""

    intervention: Intervention
    before: Moment
    """Just before the step took effect."""

    after: Moment
    """Just before the next step took effect, or now."""

    tried: int
    """Verdicts that fell in between, crashes among them; the baseline's is none."""

    kept: int
    """Of those, keeps by the evidence."""

    undone: bool
    """Whether a person has taken the step back since."""

    @property
    def gain(self) -> float | None:
        """Change of the champion's win rate, a share of 1; None where one of the two is not known."""
        if self.before.rate is None or self.after.rate is None:
            return None
        return self.after.rate.estimate - self.before.rate.estimate


def aftermaths(
    rows: Sequence[Row], reigns: Sequence[Championship], interventions: Sequence[Intervention], now: float
) -> list[Aftermath]:
    """What came of each step that changed something: votes, refused and pending steps are left out.

    Args:
        rows: All experiments of the run, by number.
        reigns: All reigns, the first one first.
        interventions: All that a person did. What came of each counts from its acknowledgement, and in that order.
        now: UTC seconds; the end of what the last step led to.
    """
    done = [
        (one.acknowledged_at, one)
        for one in interventions
        if one.acknowledged_at and not one.refused and one.step is not Step.VOTE
    ]
    done.sort(key=lambda one: one[0])
    steps = [step for _, step in done]
    begun = [_took_effect(step, at, reigns) for at, step in done]
    taken_back = undone(interventions)
    verdicts = sorted(
        (
            (row.verdict.decided_at, row.verdict.outcome)
            for row in rows
            if row.verdict and row.experiment.number != BASELINE
        ),
        key=lambda verdict: verdict[0],
    )
    decided = [at for at, _ in verdicts]
    found: list[Aftermath] = []
    ends = [*begun[1:], max(now, begun[-1])] if begun else []
    for place, (step, since, until) in enumerate(zip(steps, begun, ends, strict=True)):
        last = place == len(steps) - 1
        between = verdicts[bisect_right(decided, since) : bisect_right(decided, until)]
        found.append(
            Aftermath(
                intervention=step,
                before=_moment(rows, reigns, since, bisect_left),
                after=_moment(rows, reigns, until, bisect_right if last else bisect_left),
                tried=len(between),
                kept=sum(outcome is Outcome.KEEP for _, outcome in between),
                undone=step.number in taken_back,
            )
        )
    return found


def _took_effect(step: Intervention, acknowledged: float, reigns: Sequence[Championship]) -> float:
    """UTC seconds from which the run was as the step made it: a reign that it brought about begins a moment before the
    acknowledgement, in the same write."""
    begun = bisect_right(reigns, acknowledged, key=lambda reign: reign.since)
    return reigns[begun - 1].since if "then" in step.done and begun else acknowledged


def _moment(
    rows: Sequence[Row], reigns: Sequence[Championship], at: float, until: Callable[[list[float], float], int]
) -> Moment:
    """Who reigned.

    Args:
        rows, reigns: Of the run.
        at: UTC seconds.
        until: Bisection, which says whether a reign that begins then counts.
    """
    begun = until([reign.since for reign in reigns], at)
    champion = reigns[begun - 1].experiment if begun else None
    verdict = rows[champion].verdict if champion is not None else None
    known = verdict is not None and verdict.decided_at <= at
    return Moment(at, champion, verdict.reference if verdict and known else None)
