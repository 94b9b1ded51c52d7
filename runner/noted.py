"""What a person writes for the agent: notes, and ideas, as a change that is tried next or as a hypothesis."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from checkpoints import writes
from checkpoints.records import PERSON, HypothesisStatus, Intervention
from checkpoints.store import Store
from runner.agent.playbook import Playbook
from runner.carry_out import make_way, put_first
from runner.interventions import Refused
from runner.planner import Planner

if TYPE_CHECKING:
    from sqlite_utils import Database

LONGEST_NOTE, LONGEST_IDEA = 2000, 1000
"""Characters of a note and of a hypothesis."""

_CHANGE = re.compile(r"([^\s=:]+)\s*=([^:]*)(?::(.*))?", re.DOTALL)
"""``field = value: why``."""


async def note(store: Store, step: Intervention) -> None:
    """Add a note, put another text in the place of one, or take one back.

    Raises:
        Refused: It says nothing, or too much.
        Conflict: There is no such note.
    """
    text, of = _words(step, "a note", LONGEST_NOTE), step.detail.get("of")
    if of is None and not text:
        raise Refused("a note needs words")
    if of is not None and not isinstance(of, int):
        raise Refused("a note is changed by its number")
    before = next((one.text for one in store.read.notes() if one.number == of), None)

    def write(db: Database) -> None:
        if of is None:
            number = writes.add_note(db, text)
            effect, done = f"note {number} is in the agent's memory from now on", {"note": number}
        elif text:
            writes.change_note(db, of, text)
            effect, done = f"note {of} was changed", {"note": of, "before": before}
        else:
            writes.remove_note(db, of)
            effect, done = f"note {of} was taken back", {"note": of, "removed": before}
        writes.acknowledge(db, step.number, effect, done)

    await store.do(write)


async def undo_note(store: Store, step: Intervention, taken_back: Intervention, effect: str) -> None:
    """Have a note be again what it was before a step.

    Args:
        store: Of the run.
        step: The undo.
        taken_back: What is undone, of which ``runner.undo`` says that it can be.
        effect: What follows, as it was foretold.

    Raises:
        Conflict: The note is not as the step left it.
    """
    done = taken_back.done

    def write(db: Database) -> None:
        if "before" in done:
            writes.change_note(db, done["note"], done["before"])
        elif "removed" in done:
            writes.restore_note(db, done["note"])
        else:
            writes.remove_note(db, done["note"])
        writes.acknowledge(db, step.number, effect, {"note": done["note"]})

    await store.do(write)


async def inject(store: Store, planner: Planner, step: Intervention) -> None:
    """Take up an idea: ``field = value: why`` is tried next; with a category, other words are a hypothesis.

    Raises:
        Refused: It is neither, or there is no room for it.
        ChangeRefused: The change does not fit the space or the champion.
    """
    text, category = _words(step, "an idea", LONGEST_IDEA), step.detail.get("category")
    field, value, why = found.groups(default="") if (found := _CHANGE.fullmatch(text)) else ("", "", "")
    if field and (category is None or field in planner.program.space.fields):
        await _try_next(store, planner, step, field, value.strip(), why.strip())
    elif category is None:
        raise Refused(
            "say an idea as `field = value: why`, for example `training.beta = 0.2: hold on less`,"
            " or as a hypothesis with its category"
        )
    else:
        await _believe(store, planner, step, text, str(category))


async def _try_next(store: Store, planner: Planner, step: Intervention, field: str, value: str, why: str) -> None:
    async with planner.proposing:
        champion = store.read.champion()
        if champion is None:
            raise Refused("there is no champion to change yet")
        proposal = planner.idea(champion.experiment, field, _value(value), why)
        planner.check_budget(1)

        def write(db: Database) -> None:
            done = {"proposed": put_first(db, [proposal])[0]}
            writes.acknowledge(db, step.number, f"next: {proposal[0].change}", done)

        await store.do(write)


async def _believe(store: Store, planner: Planner, step: Intervention, text: str, category: str) -> None:
    """Write a person's hypothesis down; a language model makes a change of it before anything else."""
    categories = planner.program.space.categories
    if category not in categories:
        raise Refused(f"there is no category {category}; there are {', '.join(categories)}")
    if not text:
        raise Refused("a hypothesis needs words")
    for one in store.read.hypotheses():
        if (one.text, one.source, one.status) == (text, PERSON, HypothesisStatus.OPEN):
            raise Refused(f"hypothesis {one.number} says that already")
    for_model = planner.proposer.name != Playbook.name
    async with planner.proposing:
        if for_model:
            planner.check_budget(1)

        def write(db: Database) -> None:
            number = writes.add_hypothesis(db, text, category, source=PERSON)
            effect = f"hypothesis {number} was written down"
            if for_model:
                make_way(db)
                effect += f"; {planner.proposer.name} makes a change of it next"
            else:
                effect += ": it waits for a model (agent.model), the playbook cannot turn words into a change"
            writes.acknowledge(db, step.number, effect)

        await store.do(write)
        if for_model:
            planner.think_anew()


def _words(step: Intervention, what: str, longest: int) -> str:
    text = str(step.detail.get("text") or "").strip()
    if len(text) > longest:
        raise Refused(f"{what} has at most {longest:,} characters; this one has {len(text):,}")
    return text


def _value(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return text
