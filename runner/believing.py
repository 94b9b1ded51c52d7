"""Steps that say whose votes count and which model is served: they need no loop, only the store."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from checkpoints import writes
from checkpoints.records import REFUSED, Intervention, State, Step, model_name
from checkpoints.store import Store
from runner.carry_out import roll_back
from runner.interventions import Refused
from runner.promotion import Examination, examine
from runner.rollback import promoted_before, standing

if TYPE_CHECKING:
    from sqlite_utils import Database

STEPS = frozenset({Step.EXCLUDE, Step.READMIT, Step.PROMOTE, Step.DEMOTE})
"""Steps that are carried out here."""


async def settle(store: Store, step: Intervention) -> None:
    """Do such a step and acknowledge it, in one write.

    Raises:
        Refused: It cannot be done, and why.
        Conflict: The store says otherwise by now.
    """
    match step.step:
        case Step.EXCLUDE:
            await _exclude(store, step)
        case Step.READMIT:
            await _readmit(store, step)
        case Step.PROMOTE:
            await _promote(store, step)
        case Step.DEMOTE:
            await _demote(store, step)
        case _:
            raise Refused(f"{step.step} is none of {', '.join(sorted(STEPS))}")


async def settle_or_refuse(store: Store, step: Intervention) -> None:
    """The same for who has no loop: a refusal is acknowledged, too."""
    try:
        await settle(store, step)
    except (Refused, writes.Conflict) as refused:
        await store.do(writes.acknowledge, step.number, f"{REFUSED}{refused}")


async def _exclude(store: Store, step: Intervention) -> None:
    voter = _voter(step)
    if not step.reason.strip():
        raise Refused("excluding a voter needs a reason")

    def write(db: Database) -> None:
        votes = writes.exclude(db, voter, step.reason)
        writes.acknowledge(db, step.number, f"{votes} votes of {voter} count no longer", {"excluded": voter})

    await store.do(write)


async def _readmit(store: Store, step: Intervention) -> None:
    voter = _voter(step)

    def write(db: Database) -> None:
        votes = writes.readmit(db, voter)
        writes.acknowledge(db, step.number, f"{votes} votes of {voter} count again", {"readmitted": voter})

    await store.do(write)


async def _promote(store: Store, step: Intervention) -> None:
    found = await asyncio.to_thread(examine, store.folder)
    if found.lacking or found.test is None:
        raise Refused("; ".join(found.lacking))
    test = found.test
    hypothesis = store.read.experiment(test.experiment).proposal.hypothesis

    def write(db: Database) -> None:
        before = _promoted(db)
        writes.promote(db, test.experiment, test.number, hypothesis, test.anytime, _why(found, step.reason))
        done = {"promoted": test.experiment, "before": before}
        writes.acknowledge(db, step.number, f"{model_name(test.experiment)} is promoted", done)

    await store.do(write)


async def _demote(store: Store, step: Intervention) -> None:
    """Back to the model that was promoted before and not vetoed; without one, nothing is, and the champion answers."""
    history = store.read.promotions()
    if (now := standing(history)) is None:
        raise Refused("nothing is promoted")
    back = promoted_before(history, {one.number for one in store.read.experiments(State.VETOED)})
    why = step.reason.strip() or "a person took the promotion back"

    def write(db: Database) -> None:
        roll_back(db, back, why)
        then = (
            f"{model_name(back.experiment)} is promoted again" if back else "nothing is promoted, the champion answers"
        )
        effect = f"{model_name(now.experiment)} is demoted; {then}"
        writes.acknowledge(db, step.number, effect, {"demoted": now.experiment})

    await store.do(write)


def _why(found: Examination, reason: str) -> str:
    evidence = next(condition.found for condition in found.conditions if condition.name == "fresh votes")
    return f"{evidence} {reason}".strip()


def _voter(step: Intervention) -> str:
    voter = step.detail.get("voter")
    if not isinstance(voter, str) or not voter.strip():
        raise Refused(f"{step.step} needs the name of a voter")
    return voter


def _promoted(db: Database) -> int | None:
    row = db.conn.execute("SELECT experiment FROM promotions WHERE until IS NULL").fetchone()
    return row and row[0]
