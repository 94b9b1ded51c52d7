"""A language model steps outside the frame: the generic question over everything that was tried, and what it answers.

The question names no answer: what was never tried is counted by the program, the rest is the model's to find.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from checkpoints.records import Json
from checkpoints.thought import Idea, Purpose
from runner.agent.asking import Answer, LanguageModel, Question
from runner.agent.left import left
from runner.agent.memory import Memory
from runner.agent.mending import Wrong, asked, closed, list_in, text_in
from runner.agent.quoting import RULE, visible
from runner.agent.stock import Stock, counted

LONGEST, SENTENCE = 8000, 400
"""Characters of its text, and of one direction, that are kept."""

DIRECTIONS = 8
"""Directions that are kept."""

_SYSTEM = f"""\
You take part in a research loop that changes one thing at a time and keeps what measures better. Step outside of it
now: do not propose a change, look at all that was done from the outside.
{RULE}"""

_QUESTION = """\
Take stock of all experiments. Which categories were never tried? Is this the right problem, and the right metric?
Propose what this loop has not explored. As many of the next proposals as you name categories must come from them, and
your directions are handed to whoever proposes: make each a concrete sentence that an experiment could refute."""


@dataclass(frozen=True, slots=True)
class _Said:
    """What could be taken from an answer, and what is wrong with it."""

    text: str
    doubts: str
    categories: tuple[str, ...]
    directions: tuple[Idea, ...]
    added: str
    """The category that the program named, as the answer names none that will do, and why; empty where it did not."""

    wrong: tuple[str, ...]


async def take_stock(model: LanguageModel, memory: Memory, trigger: str, steering: str) -> Stock:
    """Ask a language model to take stock of the whole history.

    What it names is checked: the categories are the space's open ones, and where no person said where to look, one of
    those is among them that were never tried, if there are any, and else one that streaks and quotas leave; told and
    still without, the program names the first of them.

    Raises:
        Unreadable: It did not answer the question, however often it was asked.
        Unusable: It cannot be asked.
    """
    open_to = left(memory) or memory.space.categories
    never = tuple(category for category in never_tried(memory) if category in open_to)
    question = Question(Purpose.ZOOM_OUT, _messages(memory, open_to, trigger, steering), schema(open_to))

    def read(answer: Answer, last: bool) -> Stock:
        said = _taken_apart(answer.value or {}, open_to, () if steering else never, () if steering else worn(memory))
        if said.wrong and not (last and said.categories):
            raise Wrong("; ".join(said.wrong))
        return _stock(said, memory, trigger, steering)

    return await asked(model, question, read)


def never_tried(memory: Memory) -> tuple[str, ...]:
    """Open categories from which nothing was tried, nor is under way."""
    tried = {one.category for one in memory.tried}
    return tuple(category for category in memory.space.categories if category not in tried)


def worn(memory: Memory) -> tuple[str, ...]:
    """Categories that streaks and quotas bar now, whatever the last zoom-out asks for."""
    return tuple(category for category in memory.barred if category in (memory.allowed or memory.barred))


def schema(open_to: tuple[str, ...]) -> Json:
    """JSON schema of the answer.

    Args:
        open_to: Categories that may be named.
    """
    category = {"type": "string", "enum": list(open_to)}
    sentence = {"type": "string", "description": "what to try there, concretely, in one sentence"}
    doubts = "what speaks against this being the right problem or the right metric; empty if nothing does"
    return closed(
        taking_stock={"type": "string", "description": "what all experiments together say, in at most 200 words"},
        doubts={"type": "string", "description": doubts},
        categories={
            "type": "array",
            "items": category,
            "description": "where the next proposals must come from, the least explored first",
        },
        directions={
            "type": "array",
            "items": closed(category=category, text=sentence),
            "description": f"at most {DIRECTIONS}, each of a category that you name",
        },
    )


def _messages(memory: Memory, open_to: tuple[str, ...], trigger: str, steering: str) -> tuple[Mapping[str, str], ...]:
    never = ", ".join(never_tried(memory)) or "none of them"
    parts = [
        memory.text(whole=True),
        f"This zoom-out is {trigger}.",
        f"Categories that are open: {', '.join(open_to)}. Never tried so far: {never}.",
        _QUESTION,
    ]
    if steering:
        parts.append(f"The person who runs this asks you to look at: {visible(steering)}")
    return ({"role": "system", "content": _SYSTEM}, {"role": "user", "content": "\n\n".join(parts)})


def _taken_apart(value: Json, open_to: tuple[str, ...], never: tuple[str, ...], worn_out: tuple[str, ...]) -> _Said:
    """What an answer says. It fits the schema where the model's maker keeps to it; nobody is trusted with that."""
    wrong, added = list[str](), ""
    named = [str(each) for each in list_in(value.get("categories"))]
    categories = tuple(dict.fromkeys(each for each in named if each in open_to))
    if strange := [each for each in named if each not in open_to]:
        wrong.append(f"not open: {', '.join(strange)}; open are {', '.join(open_to)}")
    if not categories:
        wrong.append("no category is named")
    elif never and not set(never) & set(categories):
        wrong.append(f"categories names none of those that were never tried: {', '.join(never)}")
        added = f"{never[0]}: it was never tried, nor named"
        categories = (never[0], *categories)
    elif set(categories) <= set(worn_out) and (fresh := [each for each in open_to if each not in worn_out]):
        wrong.append(f"categories names only what is worn out: {', '.join(categories)}; name another, too")
        added = f"{fresh[0]}: all that was named is worn out"
        categories = (fresh[0], *categories)
    directions = _directions(list_in(value.get("directions")), categories)
    if not directions:
        wrong.append(f"no direction is of a category that is named ({', '.join(categories)})")
    text = text_in(value.get("taking_stock"), LONGEST)
    if not text:
        wrong.append("taking_stock is empty")
    return _Said(text, text_in(value.get("doubts"), LONGEST), categories, directions, added, tuple(wrong))


def _directions(said: list[object], categories: tuple[str, ...]) -> tuple[Idea, ...]:
    found = [cast(Json, each) for each in said if isinstance(each, dict)]
    ideas = dict.fromkeys(Idea(text_in(each.get("text"), SENTENCE), str(each.get("category"))) for each in found)
    return tuple(idea for idea in ideas if idea.text and idea.category in categories)[:DIRECTIONS]


def _stock(said: _Said, memory: Memory, trigger: str, steering: str) -> Stock:
    """The text as it is kept: what the program counts, what the model says of it, and where it leads."""
    never = never_tried(memory)
    categories = tuple(sorted(said.categories, key=lambda category: category not in never))
    parts = [
        "\n".join(counted(memory.tried, trigger, steering)),
        f"Never tried: {', '.join(never) or 'nothing that the space opens'}.",
        said.text,
        f"Is it the right problem, the right metric? {said.doubts}" if said.doubts else "",
        "\n".join(f"→ {idea.category}: {idea.text}" for idea in said.directions),
        f"The program adds {said.added}." if said.added else "",
        f"Next from: {', '.join(categories)}.",
    ]
    return Stock("\n\n".join(part for part in parts if part), categories, said.directions)
