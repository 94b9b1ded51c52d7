"""What a person's step does to the run: the consequence, told before it is done and the same when it is done.

Nothing here but the records: the dashboard foretells with it, the runner carries out what it says.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from checkpoints.records import BASELINE, ENDS, PERSON, Championship, Change, Outcome, Row, State
from checkpoints.trust import Promotion
from runner.consequence import Consequence
from runner.rollback import promoted_before, standing

REQUEUED = frozenset({State.DISCARDED, State.INCONCLUSIVE, State.CRASHED, State.CANCELLED, State.VETOED})
"""Ends after which a change may be tried once more."""

_PINNED = frozenset({State.KEPT, State.DISCARDED, State.INCONCLUSIVE})
_KEPT = frozenset({State.DISCARDED, State.INCONCLUSIVE})
_JUDGED_NOW = frozenset({State.EVALUATING, State.EVALUATED})


class Refused(Exception):
    """A step that does not apply; the message says why."""


def veto(
    rows: Sequence[Row],
    reigns: Sequence[Championship],
    promotions: Sequence[Promotion],
    number: int,
    branch: bool = False,
) -> Consequence:
    """What taking back the keep ``number`` does, or, with ``branch``, taking back every keep that contains it, too.

    Args:
        rows: All experiments of the run, by number; their recipes are not needed.
        reigns: All reigns, the first one first.
        promotions: All promotions, the first one first.

    Raises:
        Refused: It is no keep, or it is the baseline.
    """
    state = found(rows, number).experiment.state
    if number == BASELINE:
        raise Refused("the baseline cannot be vetoed: it is what all others are measured against")
    if state is not State.KEPT:
        raise Refused(f"experiment {number} is {state}; only a kept one can be vetoed")
    containing = {row.experiment.number for row in rows if number in row.contains and _is_kept(row)}
    vetoed = {number} | (containing if branch else set[int]())
    champion = _after(rows, reigns, vetoed) if reigns and reigns[-1].experiment in vetoed else None
    cancelled = in_flight_on(rows, vetoed)
    demoted, promoted = _promotion_after(rows, promotions, vetoed)
    return Consequence(
        vetoed=tuple(sorted(vetoed)),
        demoted=demoted,
        promoted=promoted,
        champion=champion,
        cancelled=cancelled,
        again=judged_against_another(rows, champion, cancelled),
        contain=() if branch else tuple(sorted(containing)),
    )


def pin(rows: Sequence[Row], reigns: Sequence[Championship], number: int) -> Consequence:
    """What making ``number`` champion, and holding it there, does.

    Raises:
        Refused: It has no model that was judged, or it is pinned already.
    """
    state = found(rows, number).experiment.state
    if not reigns:
        raise Refused("there is no champion yet: the baseline is first")
    if reigns[-1].pinned and reigns[-1].experiment == number:
        raise Refused(f"experiment {number} is pinned already")
    if state is State.VETOED:
        raise Refused(f"experiment {number} was vetoed; undo that first")
    if state not in _PINNED and number != BASELINE:
        raise Refused(f"experiment {number} is {state}; only a model that was published and judged can be champion")
    return Consequence(champion=number, pinned=True, again=judged_against_another(rows, number))


def unpin(rows: Sequence[Row], reigns: Sequence[Championship]) -> Consequence:
    """What letting the pinned champion go does: the newest keep that beat it meanwhile reigns, else it goes on.

    Raises:
        Refused: None is pinned.
    """
    if not reigns or not reigns[-1].pinned:
        raise Refused("no champion is pinned")
    heir = heir_of_the_pinned(rows, reigns)
    champion = reigns[-1].experiment if heir is None else heir
    return Consequence(champion=champion, again=judged_against_another(rows, champion))


def keep(rows: Sequence[Row], reigns: Sequence[Championship], number: int) -> Consequence:
    """What keeping ``number`` anyway does, whatever its verdict says.

    Raises:
        Refused: It is not discarded or inconclusive.
    """
    state = found(rows, number).experiment.state
    if state is State.KEPT:
        raise Refused(f"experiment {number} is kept already")
    if state is State.VETOED:
        raise Refused(f"experiment {number} was vetoed; undo that first")
    if state not in _KEPT:
        why = "has no model to keep" if state in ENDS else "has no verdict yet"
        raise Refused(f"experiment {number} is {state}: it {why}")
    champion = None if reigns[-1].pinned else number
    return Consequence(kept=(number,), champion=champion, again=judged_against_another(rows, champion))


def skip(rows: Sequence[Row], number: int) -> Consequence:
    """What ending an experiment in flight does.

    Raises:
        Refused: It has ended, or it is the baseline.
    """
    state = found(rows, number).experiment.state
    if number == BASELINE:
        raise Refused("the baseline cannot be skipped: it is what all others are measured against")
    if state in ENDS:
        raise Refused(f"experiment {number} has ended: it is {state}")
    return Consequence(cancelled=(number,))


def requeue(rows: Sequence[Row], reigns: Sequence[Championship], number: int) -> Consequence:
    """What trying the change of an experiment once more does.

    Raises:
        Refused: It is not over, it was kept, or its change is under way or in the champion's recipe already.
    """
    experiment = found(rows, number).experiment
    if experiment.proposal.change is None:
        raise Refused("the baseline changes nothing that could be tried again")
    if experiment.state not in ENDS:
        raise Refused(f"experiment {number} is still under way: it is {experiment.state}")
    if experiment.state not in REQUEUED:
        raise Refused(f"experiment {number} was kept; only what was not kept is tried again")
    if not reigns:
        raise Refused("there is no champion to change yet")
    if why := why_not_again(rows, number, reigns[-1].experiment):
        raise Refused(why)
    return Consequence(requeued=(number,), withdrawn=prepared(rows))


def found(rows: Sequence[Row], number: int) -> Row:
    """The experiment of that number.

    Raises:
        Refused: There is none.
    """
    if not 0 <= number < len(rows):
        raise Refused(f"there is no experiment {number}")
    return rows[number]


def in_flight_on(rows: Sequence[Row], bases: set[int]) -> tuple[int, ...]:
    """Experiments that have not ended and are built on one of ``bases``."""
    return _numbers(row for row in rows if row.experiment.state not in ENDS and bases & row.contains)


def judged_against_another(rows: Sequence[Row], champion: int | None, cancelled: Sequence[int] = ()) -> tuple[int, ...]:
    """Experiments that are being judged against somebody who reigns no longer once ``champion`` does."""
    if champion is None:
        return ()
    return _numbers(
        row
        for row in rows
        if row.experiment.state in _JUDGED_NOW
        and row.experiment.opponent not in (None, champion)
        and row.experiment.number not in cancelled
    )


def heir_of_the_pinned(rows: Sequence[Row], reigns: Sequence[Championship], gone: set[int] | None = None) -> int | None:
    """The last keep that beat the pinned champion while it was pinned; None while there is none.

    Args:
        gone: Keeps that are taken back.
    """
    since = reigns[-1].since
    for reign in reversed(reigns):
        if not reign.pinned:
            break
        since = reign.since
    reigned = {reign.experiment for reign in reigns}
    beat = [
        (row.verdict.decided_at, row.experiment.number)
        for row in rows
        if _is_kept(row)
        and row.experiment.number not in (gone or ())
        and row.verdict
        and row.verdict.outcome is Outcome.KEEP
        and row.experiment.opponent == reigns[-1].experiment
        # A verdict that fell in the moment of the pin has not reigned either.
        and (row.verdict.decided_at >= since or row.experiment.number not in reigned)
    ]
    return max(beat)[1] if beat else None


def prepared(rows: Sequence[Row]) -> tuple[int, ...]:
    """Proposals that wait and that no person made: they go back when a person's idea comes first."""
    return _numbers(
        row
        for row in rows
        if row.experiment.state is State.PROPOSED
        and row.experiment.number != BASELINE
        and row.experiment.proposal.proposer != PERSON
    )


def same_change(one: Change | None, other: Change) -> bool:
    """Whether two changes set the same field to the same value, wherever they begin."""
    return one is not None and one.field == other.field and one.new == other.new


def why_not_again(rows: Sequence[Row], number: int, champion: int) -> str:
    """Why the change of an experiment cannot be tried once more on a champion; empty when it can."""
    change = rows[number].experiment.proposal.change
    assert change is not None
    for row in reversed(rows):
        if row.experiment.state not in ENDS and same_change(row.experiment.proposal.change, change):
            return f"its change is tried as #{row.experiment.number} already"
    made = _change_of(rows, champion, change.field)
    if same_change(made, change):
        return f"champion #{champion} has {change.field} {change.new} already"
    return ""


def _after(rows: Sequence[Row], reigns: Sequence[Championship], vetoed: set[int]) -> int:
    """Who reigns when the champion is taken back: who beat it while it was pinned, else the last of those that stay."""
    if reigns[-1].pinned and (heir := heir_of_the_pinned(rows, reigns, vetoed)) is not None:
        return heir
    for reign in reversed(reigns):
        if reign.experiment == BASELINE or (reign.experiment not in vetoed and _is_kept(rows[reign.experiment])):
            return reign.experiment
    return BASELINE


def _promotion_after(
    rows: Sequence[Row], promotions: Sequence[Promotion], vetoed: set[int]
) -> tuple[int | None, int | None]:
    """Which model is demoted when ``vetoed`` are taken back, and which one is promoted again instead."""
    now = standing(promotions)
    if now is None or now.experiment not in vetoed:
        return None, None
    gone = vetoed | {row.experiment.number for row in rows if row.experiment.state is State.VETOED}
    back = promoted_before(promotions, gone)
    return now.experiment, back.experiment if back else None


def _change_of(rows: Sequence[Row], champion: int, field: str) -> Change | None:
    """The last change of a field on the champion's line of parents; None where none was made."""
    number: int | None = champion
    while number is not None:
        experiment = rows[number].experiment
        if experiment.proposal.change and experiment.proposal.change.field == field:
            return experiment.proposal.change
        number = experiment.parent
    return None


def _is_kept(row: Row) -> bool:
    return row.experiment.state is State.KEPT


def _numbers(rows: Iterable[Row]) -> tuple[int, ...]:
    return tuple(row.experiment.number for row in rows)
