"""What a consequence says, done: all of it and its acknowledgement in one write."""

# pyright: reportUnknownMemberType=false
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from checkpoints import writes
from checkpoints.records import Championship, Intervention, Json, Proposal, Row, RunState, Step, model_name
from checkpoints.trust import Promotion
from runner.consequence import Consequence

if TYPE_CHECKING:
    from sqlite_utils import Database


@dataclass(frozen=True, slots=True)
class Look:
    """The run as a step was decided on."""

    mark: int
    """Of ``Reader.touched``, taken before the rest was read."""

    rows: Sequence[Row]
    reigns: Sequence[Championship]
    promotions: Sequence[Promotion]
    interventions: Sequence[Intervention]

    @property
    def champion(self) -> int | None:
        """Who reigns."""
        return self.reigns[-1].experiment if self.reigns else None


def carry_out(
    db: Database,
    look: Look,
    step: Intervention,
    result: Consequence,
    proposals: Mapping[int, tuple[Proposal, str]] | None = None,
) -> None:
    """Do what ``result`` says, and acknowledge the step with the sentence that foretold it.

    Args:
        db: The store.
        look: What the decision rests on.
        step: What the person asked for.
        result: What follows.
        proposals: The changes that are tried again, by the experiments that tried them first, with their hashes.

    Raises:
        Moved: The run has gone on since the look.
        Conflict: It does not fit what the store says by now.
    """
    writes.as_seen(db, look.mark)
    why = _why(step, look)
    for number in result.vetoed:
        writes.veto(db, number, step.reason)
    for number in result.kept:
        writes.keep(db, number, _note(step, look, number))
    for number in result.unkept:
        writes.unkeep(db, number)
    for number in result.cancelled:
        writes.cancel(db, number, why)
    if result.champion is not None:
        writes.change_champion(db, result.champion, why, result.pinned)
    if result.demoted is not None:
        roll_back(db, _put_back(look, result.promoted), why)
    for number in result.again:
        writes.evaluate_again(db, number, f"its opponent reigns no longer: {why}")
    done = _done(look, result)
    if proposals:
        done["proposed"] = put_first(db, list(proposals.values()))[0]
    writes.acknowledge(db, step.number, result.sentence(look.champion), done)


def roll_back(db: Database, back: Promotion | None, why: str) -> None:
    """Take back the promotion that stands.

    Args:
        db: The store.
        back: What is promoted again; None for nothing.
        why: Its reason.

    Raises:
        Conflict: Nothing is promoted.
    """
    writes.demote(db, why)
    if back:
        writes.promote(db, back.experiment, None, back.hypothesis, back.lift, f"rolled back: {why}")


def put_first(db: Database, proposals: Sequence[tuple[Proposal, str]]) -> list[int]:
    """Put what a person wants tried before what is prepared; returns the numbers."""
    make_way(db)
    return [writes.put_forward(db, proposal, change_hash) for proposal, change_hash in proposals]


def make_way(db: Database) -> None:
    """Let what is prepared go back, and a run that had nothing left to try go on."""
    writes.withdraw(db, "what a person asked for comes first")
    if db.execute("SELECT state FROM run").fetchone()[0] == RunState.FINISHED:
        writes.set_run(db, RunState.RUNNING)


def _done(look: Look, result: Consequence) -> Json:
    """What the undo of a step needs."""
    done: Json = {"vetoed": result.vetoed, "cancelled": result.cancelled}
    done["notes"] = {str(number): look.rows[number].experiment.note for number in result.vetoed}
    if result.champion is not None:
        done["before"] = [look.reigns[-1].experiment, look.reigns[-1].pinned]
        done["then"] = [result.champion, result.pinned]
    if result.demoted is not None:
        done["demoted"] = result.demoted
    return done


def _put_back(look: Look, promoted: int | None) -> Promotion | None:
    return next((one for one in reversed(look.promotions) if one.experiment == promoted), None)


def _note(step: Intervention, look: Look, number: int) -> str:
    """Why an experiment is kept that a person keeps, or keeps again."""
    if step.step is Step.KEEP:
        return f"kept by a person: {step.reason}"
    taken_back = next(one for one in look.interventions if one.number == step.detail["of"])
    notes: dict[str, str] = taken_back.done["notes"]
    return notes[str(number)]


def _why(step: Intervention, look: Look) -> str:
    """The step as the reason of what it changes."""
    reason = f": {step.reason}" if step.reason else ""
    named = f"experiment {step.experiment}"
    match step.step:
        case Step.VETO:
            return f"{named} was vetoed"
        case Step.PIN:
            return f"a person pinned it{reason}"
        case Step.UNPIN:
            return f"{model_name(look.reigns[-1].experiment)} is no longer pinned"
        case Step.KEEP:
            return f"a person kept it{reason}"
        case Step.SKIP:
            return step.reason or "skipped by a person"
        case Step.UNDO:
            taken_back = next(one for one in look.interventions if one.number == step.detail["of"])
            return f"the {taken_back.step} was undone"
        case _:
            return f"a person asked for it{reason}"
