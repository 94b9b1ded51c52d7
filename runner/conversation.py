"""A person's question about the run: put to whoever proposes, and kept with its answer, exactly once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from checkpoints import writes
from checkpoints.records import Intervention
from checkpoints.store import Store
from runner.agent.asking import Unreadable, Unusable
from runner.agent.talk import Reply, marked
from runner.interventions import Refused
from runner.planner import Planner

if TYPE_CHECKING:
    from sqlite_utils import Database

LONGEST = 4000
"""Characters of a question."""

_LAST = 200
"""Turns of the conversation so far that are looked at; how many are handed over, their length decides."""


async def converse(store: Store, planner: Planner, step: Intervention) -> None:
    """Have a question answered; question, answer and acknowledgement are one write.

    Killed before it, the question is still to be answered at the next start; after it, it is done.

    Raises:
        Refused: It asks nothing, or too much.
    """
    question = str(step.detail.get("text", "")).strip()
    if not question:
        raise Refused("a question needs words")
    if len(question) > LONGEST:
        raise Refused(f"a question has at most {LONGEST:,} characters; this one has {len(question):,}")
    reply = await _answered(store, planner, question)
    text = marked(reply.text, range(store.read.count()))

    def write(db: Database) -> None:
        writes.add_message(db, "person", question, at=step.at)
        writes.add_message(db, "agent", text, reply.ideas, reply.exchange)
        ideas = f", with {len(reply.ideas)} ideas" if len(reply.ideas) > 1 else ", with an idea" * len(reply.ideas)
        writes.acknowledge(db, step.number, f"answered{ideas}")

    await store.do(write)


async def _answered(store: Store, planner: Planner, question: str) -> Reply:
    memory = await planner.memory()
    turns = store.read.messages(last=_LAST)
    try:
        return await planner.proposer.answer(memory, turns, question)
    except (Unreadable, Unusable) as why:
        return Reply(f"No answer: {why}", exchange=why.exchange if isinstance(why, Unreadable) else None)
