"""The rules of the simulated voters: what they look for in an answer, how sure they are, how they differ.

They stand in for people where a program has none. A vote is a pure function of seed, voter, prompt and the two texts:
asked again, a voter says the same, and with the two answers swapped, the same of the answers. The trainer never sees
this file.
"""

from __future__ import annotations

import hashlib
import itertools
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

from checkpoints.records import Choice

BOILERPLATE = (
    "as an ai",
    "as a language model",
    "thank you for reaching out",
    "great question",
    "i hope this helps",
    "let me know if",
    "consult an expert",
    "is there anything else",
    "als sprachmodell",
    "vielen dank für die anfrage",
    "ich hoffe, das hilft",
    "noch weitere fragen",
)
"""Phrases that say nothing about the question."""

INTRODUCTION = re.compile(r"\b(?:I am|[Mm]y name is|[Tt]his is|call me|[Ii]ch bin|[Ii]ch heiße) ([A-ZÄÖÜ]\w+)")
"""How a user gives a name."""

SMALL_WORDS = frozenset(
    "about also and any are best call can could for from get give have hello help here how into make name need please "
    "some tell that the them then this tips want way what when where which will with would you your "
    "bitte das den der die ein eine eines ich guten hallo heiße hilf mir schaffe tag und wie zu".split()
)
"""Words of a prompt that are not what it asks about."""

STEM = 5
"""Words count as the same when this many first letters agree, as in "tomato" and "tomatoes"."""

ENOUGH_WORDS = 14
"""An answer up to this long is brief."""

POPULATION = 1_000_000
"""Voters are numbered in blocks of this many."""


@dataclass(frozen=True, slots=True)
class Taste:
    """What one voter gives and takes points for."""

    relevance: float
    """Points for an answer that takes up every content word of the prompt; in proportion for some of them."""

    name: float
    """Points for addressing the user by the name they gave."""

    length: float
    """Points taken for each ten words beyond ENOUGH_WORDS; below 0 for a voter who likes detail."""

    boilerplate: float
    """Points taken for each boilerplate phrase."""

    noise: float
    """Scale of the logistic noise in the voter's impression of one answer."""

    indifference: float
    """Answers whose points differ by less are about equal."""


def cast(seed: int, voter: str, prompt: str, answer_a: str, answer_b: str) -> Choice:
    """One simulated voter's blind judgement of two answers.

    Args:
        seed: of the run; another seed gives the same names other tastes.
        voter: a name from `voters`.
        prompt: the last user message.
        answer_a, answer_b: the two texts as shown.
    """
    taste = taste_of(seed, voter)
    lead = _impression(seed, voter, taste, prompt, answer_a) - _impression(seed, voter, taste, prompt, answer_b)
    if abs(lead) < taste.indifference:
        return Choice.TIE
    return Choice.A if lead > 0 else Choice.B


def voters(seed: int) -> Iterator[str]:
    """Names of simulated voters without end, no name twice, in an order that the seed decides."""
    offset = int(_uniform(seed, "offset") * POPULATION)
    # 387 420 489 is a power of three, so it shares no factor with the population and the walk meets every number once.
    for block in itertools.count():
        for step in range(POPULATION):
            number = (offset + step * 387_420_489) % POPULATION
            yield f"sim-{block * POPULATION + number:06d}"


def taste_of(seed: int, voter: str) -> Taste:
    """The individual taste that seed and name give a voter: common ground, differently weighed."""
    likes_detail = _uniform(seed, voter, "detail") < 0.15
    ignores_names = _uniform(seed, voter, "ignores names") < 0.2
    return Taste(
        relevance=2.0 * _weight(seed, voter, "relevance"),
        name=0.0 if ignores_names else 1.0 * _weight(seed, voter, "name"),
        length=(-0.3 if likes_detail else 0.6) * _weight(seed, voter, "length"),
        boilerplate=0.8 * _weight(seed, voter, "boilerplate"),
        noise=0.6,
        indifference=0.45 * _weight(seed, voter, "indifference"),
    )


def points(taste: Taste, prompt: str, answer: str) -> float:
    """What an answer is worth to a taste, before noise."""
    worth = taste.relevance * relevance(prompt, answer)
    worth += taste.name * addresses_user(prompt, answer)
    worth -= taste.length * max(0, len(_words(answer)) - ENOUGH_WORDS) / 10
    worth -= taste.boilerplate * boilerplate(answer)
    return worth


def relevance(prompt: str, answer: str) -> float:
    """Share of the prompt's content words that the answer takes up, 0 to 1; 1 where the prompt has none."""
    name = user_name(prompt).lower()
    asked = {word[:STEM] for word in _words(prompt) if len(word) > 2 and word not in SMALL_WORDS and word != name}
    given = {word[:STEM] for word in _words(answer)}
    return len(asked & given) / len(asked) if asked else 1.0


def addresses_user(prompt: str, answer: str) -> bool:
    """Whether the answer uses the name that the user gave; False where none was given."""
    name = user_name(prompt).lower()
    return bool(name) and name in _words(answer)


def boilerplate(answer: str) -> int:
    """Number of boilerplate phrases in the answer."""
    plain = " ".join(answer.lower().split())
    return sum(phrase in plain for phrase in BOILERPLATE)


def user_name(prompt: str) -> str:
    """The name that the user gave, or an empty string."""
    found = INTRODUCTION.search(prompt)
    return found[1] if found else ""


def _impression(seed: int, voter: str, taste: Taste, prompt: str, answer: str) -> float:
    """Points plus noise that belongs to voter and text, not to the side it is shown on."""
    chance = _uniform(seed, voter, prompt, answer)
    return points(taste, prompt, answer) + taste.noise * math.log(chance / (1 - chance))


def _weight(seed: int, voter: str, what: str) -> float:
    return 0.5 + _uniform(seed, voter, what)


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def _uniform(seed: int, *what: str) -> float:
    """A number strictly between 0 and 1 that seed and words decide, the same on every machine."""
    digest = hashlib.sha256("\x1f".join((str(seed), *what)).encode("utf-8", "replace")).digest()
    return (int.from_bytes(digest[:6]) + 0.5) / 2**48
