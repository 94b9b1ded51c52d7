"""The conversation about a run: what a person asks is answered from the memory, with what the agent would try."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from checkpoints.records import Json
from checkpoints.thought import Idea, Message, Purpose
from runner.agent.asking import Answer, LanguageModel, Question
from runner.agent.memory import Memory
from runner.agent.mending import Wrong, asked, closed, list_in, text_in
from runner.agent.quoting import RULE, shortened, visible
from runner.agent.tokens import tokens

LONGEST, SENTENCE, IDEAS = 6000, 400, 5
"""Characters of an answer and of an idea, and ideas, that are kept."""

_WHOLE, _SHORT = 4, 240
"""Last turns that are handed over whole, and characters of each of those before."""

_PART = 2
"""What part of the memory's budget, beside it, the conversation so far may take."""

_TURN = 4000
"""Characters of a turn that is handed over whole."""

_SYSTEM = f"""\
You propose what a research loop tries next: it changes one thing at a time and keeps what measures better. A person who
runs it asks you about the run. Answer from the record that you are given, briefly and plainly; name experiments as #12,
and say so where the record does not tell. Give as ideas what you would try, if anything: concrete sentences that an
experiment could refute. You cannot do anything to the run: the person decides.
{RULE}"""

_NUMBER = re.compile(r"(?:#|\bexp-0*|\bexperiments? #?)(\d{1,6})\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Reply:
    """What is said to a person's question."""

    text: str
    ideas: tuple[Idea, ...] = ()
    """What the agent would try; a person may inject each."""

    exchange: int | None = None
    """The exchange with a language model that it came from."""


async def answer(model: LanguageModel, memory: Memory, turns: Sequence[Message], question: str) -> Reply:
    """Ask a language model what a person asks.

    Args:
        model: Whom to ask.
        memory: What it answers from.
        turns: The conversation so far, the oldest first.
        question: The person's.

    Raises:
        Unreadable: It did not answer, however often it was asked.
        Unusable: It cannot be asked.
    """
    about = ({"role": "system", "content": _SYSTEM}, {"role": "user", "content": memory.text()})
    messages = (*about, *so_far(turns, memory.budget // _PART), {"role": "user", "content": visible(question)})
    open_to = memory.space.categories

    def read(said: Answer, last: bool) -> Reply:
        return _reply(said, last, open_to)

    return await asked(model, Question(Purpose.ASK, messages, _schema(open_to)), read)


def so_far(turns: Sequence[Message], budget: int) -> tuple[Mapping[str, str], ...]:
    """The conversation within a budget in tokens: its last turns whole, those before shortened, the oldest left out.

    Args:
        turns: The oldest first.
        budget: Most tokens.
    """
    kept: list[Mapping[str, str]] = []
    for age, turn in enumerate(reversed(turns)):
        text = shortened(visible(turn.text), _TURN if age < _WHOLE else _SHORT)
        budget -= tokens(text)
        if budget < 0:
            break
        kept.append({"role": "assistant" if turn.role == "agent" else "user", "content": text})
    return tuple(reversed(kept))


def marked(text: str, known: Collection[int]) -> str:
    """A text in which experiments that do not exist are said to be none.

    Args:
        text: What a model said.
        known: Numbers of all experiments.
    """

    def mark(found: re.Match[str]) -> str:
        return found[0] if int(found[1]) in known else f"{found[0]} (there is no such experiment)"

    return _NUMBER.sub(mark, text)


def _schema(open_to: tuple[str, ...]) -> Json:
    category = {"type": "string", "enum": list(open_to)}
    idea = closed(category=category, text={"type": "string", "description": "what you would try, in one sentence"})
    return closed(
        answer={"type": "string", "description": "what you say to the person"},
        ideas={"type": "array", "items": idea, "description": f"at most {IDEAS}; empty where you would try nothing"},
    )


def _reply(said: Answer, last: bool, open_to: tuple[str, ...]) -> Reply:
    value = said.value or {}
    text = text_in(value.get("answer"), LONGEST)
    if not text:
        raise Wrong("answer is empty")
    named = [cast(Json, each) for each in list_in(value.get("ideas")) if isinstance(each, dict)]
    ideas = tuple(Idea(text_in(each.get("text"), SENTENCE), str(each.get("category"))) for each in named)
    strange = sorted({idea.category for idea in ideas} - {*open_to})
    if strange and not last:
        raise Wrong(f"not open: {', '.join(strange)}; open are {', '.join(open_to)}")
    left_out = "".join(f"\n(Left out: an idea of {name}, which the space does not open.)" for name in strange)
    good = [idea for idea in dict.fromkeys(ideas) if idea.text and idea.category in open_to]
    return Reply(text + left_out, tuple(good[:IDEAS]), said.exchange)
