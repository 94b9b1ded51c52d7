"""A language model that proposes: the hypothesis first, then one change; it is told what was wrong with an answer."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from checkpoints import writes
from checkpoints.records import Json, Level, Proposal
from checkpoints.store import Store
from checkpoints.thought import Message, Purpose
from runner.agent import taking_stock, talk
from runner.agent.asking import Answer, LanguageModel, Question, Unacceptable, Unreadable, Unusable
from runner.agent.checks import check
from runner.agent.memory import Memory
from runner.agent.memory_text import OPEN
from runner.agent.playbook import Playbook
from runner.agent.proposal import Belief, believed, owed, plans, read, schema, wanted
from runner.agent.quoting import RULE, inline, shortened, visible
from runner.agent.stock import Stock
from runner.agent.talk import Reply
from runner.change import ChangeRefused

if TYPE_CHECKING:
    from sqlite_utils import Database

REPAIRS = 3
"""How often a proposal that was refused is asked for again."""

FIRST = 5
"""A person's hypotheses that are put before everything else in one prompt."""

_WISH = 400
"""Characters of one."""

_SHOWN = 4000
"""Characters of its own answer that it is shown again, and that are kept of one that was refused."""

_SYSTEM = f"""\
You are the scientist of a research loop: it makes one change at a time to the champion, measures it against the
champion, and keeps what is better. Propose the next experiment: first what you believe and why, then the one change
that tests it, the effect that you expect with its size, and what would refute you. Prefer open plans, above all the
person's, and what was never tried, over one more step on a knob that gave nothing. A change is of one variable; what
may go along with it is said where it is. Everything is checked, and what does not fit is refused.
{RULE}"""


@dataclass(frozen=True, slots=True)
class _Refused:
    """An answer that did not become an experiment."""

    why: str
    text: str
    value: Json | None
    exchange: int


class Agent:
    """Proposes by asking a language model."""

    def __init__(self, model: LanguageModel, store: Store) -> None:
        self.model = model
        self.store = store

    @property
    def name(self) -> str:
        """The model's, which another revision of the program may change."""
        return self.model.name

    async def propose(self, memory: Memory) -> Proposal | None:
        """The next change, with the hypothesis that it tests written down.

        Raises:
            Unusable: The model cannot be asked, or said nothing acceptable however often it was told what was wrong.
        """
        first = Question(Purpose.PROPOSE, _messages(memory), schema(memory))
        turn, exchanges = first, list[int]()
        while True:
            found = await self._one(turn, memory)
            if isinstance(found, Proposal):
                return replace(found, exchanges=(*exchanges, *found.exchanges))
            exchanges.append(found.exchange)
            await self._keep_refusal(found, memory)
            if len(exchanges) > REPAIRS:
                break
            turn = replace(first, purpose=Purpose.REPAIR, messages=(*turn.messages, *_told(found)))
        belief = believed(found.value or {}, memory, [])
        if belief.number is None:  # what it believes stays open: nothing has tested it
            await self._write_down(belief, memory)
        asked = f"{len(exchanges)} times in a row, at last: {'; '.join(found.why.splitlines())}"
        raise Unacceptable(f"{self.name} proposed nothing acceptable {asked}")

    async def take_stock(self, memory: Memory, trigger: str, steering: str) -> Stock:
        """The model's, or the playbook's where it cannot be asked."""
        try:
            return await taking_stock.take_stock(self.model, memory, trigger, steering)
        except (Unreadable, Unusable) as why:
            return replace(await Playbook().take_stock(memory, trigger, steering), instead=str(why))

    async def answer(self, memory: Memory, turns: Sequence[Message], question: str) -> Reply:
        """What the model says to a question about the run.

        Raises:
            Unreadable: It did not answer, however often it was asked.
            Unusable: It cannot be asked.
        """
        return await talk.answer(self.model, memory, turns, question)

    async def close(self) -> None:
        """End what the model runs in."""
        await self.model.close()

    async def _one(self, turn: Question, memory: Memory) -> Proposal | _Refused:
        """Ask once."""
        try:
            answer = await self.model.ask(turn)
        except Unreadable as unreadable:
            return _Refused(str(unreadable), unreadable.text, None, unreadable.exchange)
        try:
            proposal = read(answer.value or {}, memory, self.name)
            check(proposal, memory)
        except ChangeRefused as refused:
            return _Refused(str(refused), answer.text, answer.value, answer.exchange)
        return await self._believed(proposal, answer, memory)

    async def _believed(self, proposal: Proposal, answer: Answer, memory: Memory) -> Proposal:
        """The proposal with its hypothesis written down, before anything tests it."""
        belief = believed(answer.value or {}, memory, [])
        number = belief.number if belief.number is not None else await self._write_down(belief, memory)
        return replace(proposal, belief=number, exchanges=(answer.exchange,))

    async def _write_down(self, belief: Belief, memory: Memory) -> int | None:
        """Its number; that of an open one that says the same, where there is one."""
        if not belief.text:
            return None
        for plan in plans(memory):
            if plan.text == belief.text:
                return plan.number
        said = belief.text, belief.category, None, "agent", belief.refuted_by
        return await self.store.do(writes.add_hypothesis, *said)

    async def _keep_refusal(self, refused: _Refused, memory: Memory) -> None:
        belief = owed(refused.value or {}, memory)
        proposal: Json = refused.value if refused.value is not None else {"text": shortened(refused.text, _SHOWN)}
        if len(json.dumps(proposal, default=str)) > 2 * _SHOWN:
            proposal = {"text": shortened(refused.text, _SHOWN)}

        def write(db: Database) -> None:
            writes.add_refusal(db, self.name, proposal, refused.why, refused.exchange, belief)
            writes.event(db, Level.WARNING, "proposal", f"a proposal of {self.name} was refused: {refused.why}")

        await self.store.do(write)


def _messages(memory: Memory) -> tuple[dict[str, str], ...]:
    text, open_now = memory.text(), memory.space.describe(memory.recipe).strip()
    parts = [text]
    if open_now not in text:  # it has no room for all of it, and a file that is edited has to be seen whole
        parts = [memory.text(space=False), f"## {OPEN}\n{open_now}"]
    if first := wanted(memory):
        lines = [f"H{one.number} ({one.category}): {inline(one.text, _WISH)}" for one in first[:FIRST]]
        lines += [f"and {len(first) - FIRST} more"] if len(first) > FIRST else []
        named = "\n".join(lines)
        parts.append(f"The person wants these tested before anything else; make a change of one of them:\n{named}")
    elif memory.barred:
        parts += [f"Not {category} now: {why}." for category, why in memory.barred.items()]
    parts.append("Propose the next experiment.")
    return ({"role": "system", "content": _SYSTEM}, {"role": "user", "content": "\n\n".join(parts)})


def _told(refused: _Refused) -> tuple[dict[str, str], ...]:
    """The answer, and what is wrong with it."""
    told = f"This was refused: {refused.why}. Propose once more, whole, with that put right."
    said = shortened(visible(refused.text), _SHOWN) or "(nothing)"
    return ({"role": "assistant", "content": said}, {"role": "user", "content": told})
