"""Undo: which of a person's steps can be taken back, and what follows; each is taken back once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from checkpoints.records import ENDS, Championship, Intervention, Row, State, Step
from runner.consequence import Consequence
from runner.interventions import (
    Refused,
    found,
    heir_of_the_pinned,
    in_flight_on,
    judged_against_another,
    prepared,
    requeue,
    same_change,
    why_not_again,
)

_STAYS = {
    Step.ZOOM_OUT: "the stock that was taken stays; another zoom-out takes it further",
    Step.STOP: "a run that was stopped goes on when it is started",
    Step.VOTE: "a vote stays counted",
    Step.EXCLUDE: "a voter is admitted again by: autoresearch-tui arena readmit",
    Step.READMIT: "a voter is excluded again by: autoresearch-tui arena exclude",
    Step.PROMOTE: "a promotion is taken back by: autoresearch-tui demote",
    Step.DEMOTE: "a model is promoted again by: autoresearch-tui promote",
    Step.UNDO: "an undo is not undone; do the step again",
}
"""Why a step cannot be taken back."""

_CHAMPION = frozenset({Step.VETO, Step.PIN, Step.UNPIN, Step.KEEP})
_PAUSE = frozenset({Step.PAUSE, Step.RESUME})
_ONE_AFTER_THE_OTHER = (_CHAMPION, _PAUSE)
"""Steps of which only the last can be taken back: those before it led to where it began."""


def undone(interventions: Sequence[Intervention]) -> frozenset[int]:
    """Numbers of the steps that were taken back."""
    return frozenset(int(one.detail["of"]) for one in interventions if one.step is Step.UNDO and _was_done(one))


def all_undoable(interventions: Sequence[Intervention]) -> list[Intervention]:
    """Steps of kinds that can be taken back and were not, the newest first; what changed since may still hinder it."""
    gone = undone(interventions)
    return [
        one for one in reversed(interventions) if _was_done(one) and one.step not in _STAYS and one.number not in gone
    ]


def paused(interventions: Sequence[Intervention]) -> bool:
    """Whether a person paused the run and nobody let it go on since."""
    steps, now = {one.number: one.step for one in interventions}, False
    for one in interventions:
        if one.acknowledged_at is None or one.refused:
            continue
        taken_back = steps.get(one.detail["of"]) if one.step is Step.UNDO else None
        if one.step is Step.PAUSE or taken_back is Step.RESUME:
            now = True
        elif one.step is Step.RESUME or taken_back is Step.PAUSE:
            now = False
    return now


def undo(
    rows: Sequence[Row], reigns: Sequence[Championship], interventions: Sequence[Intervention], of: int
) -> Consequence:
    """What taking back step ``of`` does.

    Raises:
        Refused: It cannot be taken back, now or ever.
    """
    step = _step(interventions, of)
    match step.step:
        case Step.PAUSE:
            return Consequence(run="the run goes on")
        case Step.RESUME:
            return Consequence(run="nothing new starts; the stages under way end first")
        case Step.VETO:
            return _veto(rows, reigns, step)
        case Step.KEEP:
            return _keep(rows, reigns, step)
        case Step.PIN | Step.UNPIN:
            return _pin(rows, reigns, step)
        case Step.SKIP:
            return _skip(rows, reigns, _experiment(step))
        case Step.NOTE:
            return _note(interventions, step)
        case _:
            return _proposal(rows, step)


def _step(interventions: Sequence[Intervention], of: int) -> Intervention:
    """The step, if it is of a kind and at a place from which it can be taken back."""
    step = next((one for one in interventions if one.number == of), None)
    if step is None:
        raise Refused(f"there is no step {of} to undo")
    if step.step in _STAYS:
        raise Refused(_STAYS[step.step])
    if step.acknowledged_at is None:
        raise Refused(f"the {step.step} is still under way")
    if step.refused:
        raise Refused(f"the {step.step} was refused, nothing came of it")
    if not step.done:
        raise Refused(f"what came of the {step.step} stays: {step.effect}")
    if of in (gone := undone(interventions)):
        raise Refused(f"the {step.step} was undone before")
    for kinds in _ONE_AFTER_THE_OTHER:
        later = [one for one in interventions if one.number > of and one.step in kinds and _was_done(one)]
        if step.step in kinds and (stands := [one for one in later if one.number not in gone]):
            raise Refused(f"the {stands[-1].step} that came after the {step.step} must be undone first")
    return step


def _was_done(intervention: Intervention) -> bool:
    return intervention.acknowledged_at is not None and not intervention.refused and bool(intervention.done)


def _veto(rows: Sequence[Row], reigns: Sequence[Championship], step: Intervention) -> Consequence:
    vetoed: list[int] = step.done["vetoed"]
    result = _champion_before(rows, reigns, step, Consequence(kept=tuple(vetoed)))
    champion = reigns[-1].experiment if result.champion is None else result.champion
    buts: list[str] = [result.but] if result.but else []
    if "demoted" in step.done:
        buts.append(f"#{step.done['demoted']} stays demoted: `autoresearch-tui promote` promotes it again")
    requeued: list[int] = []
    cancelled: list[int] = step.done["cancelled"]
    for number in cancelled:
        if rows[number].experiment.proposal.change is None:
            continue
        if why := why_not_again(rows, number, champion) or _tried_since(rows, number):
            buts.append(f"#{number} does not come back: {why}")
        else:
            requeued.append(number)
    withdrawn = prepared(rows) if requeued else ()
    return replace(result, requeued=tuple(requeued), withdrawn=withdrawn, but="; ".join(buts))


def _keep(rows: Sequence[Row], reigns: Sequence[Championship], step: Intervention) -> Consequence:
    number = _experiment(step)
    heirs = [row.experiment.number for row in rows if number in row.contains and row.experiment.state is State.KEPT]
    if heirs:
        raise Refused(f"experiment {heirs[0]} was kept since, with {number} inside; veto takes back the whole branch")
    cancelled = in_flight_on(rows, {number})
    return _champion_before(rows, reigns, step, Consequence(unkept=(number,), cancelled=cancelled))


def _pin(rows: Sequence[Row], reigns: Sequence[Championship], step: Intervention) -> Consequence:
    if step.step is Step.PIN and (heir := heir_of_the_pinned(rows, reigns)) is not None:
        raise Refused(f"experiment {heir} has beaten the pinned champion since; unpin it, and {heir} reigns")
    result = _champion_before(rows, reigns, step, Consequence())
    if result.champion is None:
        raise Refused(f"experiment {reigns[-1].experiment} became champion since, by its votes")
    return result


def _skip(rows: Sequence[Row], reigns: Sequence[Championship], number: int) -> Consequence:
    if why := _tried_since(rows, number):
        raise Refused(why)
    return requeue(rows, reigns, number)


def _proposal(rows: Sequence[Row], step: Intervention) -> Consequence:
    number = int(step.done["proposed"])
    if (state := found(rows, number).experiment.state) is not State.PROPOSED:
        instead = "" if state in ENDS else "; skip it instead"
        raise Refused(f"it became experiment {number}, which is {state} by now{instead}")
    return Consequence(cancelled=(number,))


def _note(interventions: Sequence[Intervention], step: Intervention) -> Consequence:
    number, gone = step.done["note"], undone(interventions)
    later = [one for one in interventions if one.number > step.number and one.step is Step.NOTE and _was_done(one)]
    if any(one.done["note"] == number and one.number not in gone for one in later):
        raise Refused(f"note {number} was changed or taken back since; undo that first")
    if "before" in step.done:
        return Consequence(note=f"note {number} says again what it said before")
    return Consequence(note=f"note {number} {'stands again' if 'removed' in step.done else 'is taken back'}")


def _champion_before(
    rows: Sequence[Row], reigns: Sequence[Championship], step: Intervention, result: Consequence
) -> Consequence:
    """The same with the champion before the step, unless it changed nothing there, or evidence has since."""
    if "then" not in step.done:
        return result
    now = reigns[-1]
    if [now.experiment, now.pinned] != step.done["then"]:
        return replace(result, but=f"champion #{now.experiment} has won since and stays")
    before, pinned = step.done["before"]
    again = judged_against_another(rows, before, result.cancelled)
    return replace(result, champion=before, pinned=pinned, again=again)


def _tried_since(rows: Sequence[Row], number: int) -> str:
    change = rows[number].experiment.proposal.change
    assert change is not None, "the baseline is neither skipped nor tried again"
    for row in rows[number + 1 :]:
        same = same_change(row.experiment.proposal.change, change)
        if same and row.experiment.state is not State.CANCELLED:
            return f"its change was tried as #{row.experiment.number} since"
    return ""


def _experiment(step: Intervention) -> int:
    assert step.experiment is not None, "a step on an experiment names it"
    return step.experiment
