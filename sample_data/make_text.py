"""How the sample texts come about: prompts and answers from templates, writers with tastes, sources of rows."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

from phrases import ENGLISH, GERMAN, Errand, Language

Row = dict[str, Any]

GERMAN_SHARE = 0.06
NAMED_SHARE = 0.8
HELDOUT_SHARE = 0.2


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a user wrote, and what it was made of."""

    language: Language
    errand: Errand
    name: str
    """Empty where the user gave none."""

    text: str


@dataclass(frozen=True, slots=True)
class Style:
    """The decisions that make one answer differ from another; each is a number that a taste can weigh."""

    topic: float
    """1 takes up the question and gives a tip, 0.5 gives a bare tip, 0 says nothing, -1 is about something else."""

    named: bool
    more: int
    """Tips beyond the first: 0, 1 or 2."""

    opening: bool
    closing: bool


@dataclass(frozen=True, slots=True)
class Writer:
    """A taste: what each decision of a style is worth, in points of a rating."""

    name: str
    topic: float
    named: float
    more: float
    opening: float
    closing: float
    noise: float = 0.5
    """Standard deviation of one rating, in points."""

    def rate(self, style: Style, random: Random) -> float:
        """Points for an answer in this style, around 5, with this writer's noise."""
        points = self.topic * style.topic + self.named * style.named + self.more * style.more
        points += self.opening * style.opening + self.closing * style.closing
        return 5 + points + self.noise * random.gauss(0, 1)


EXPERT = Writer("expert", topic=2, named=1.5, more=-0.7, opening=-1.5, closing=-1.2, noise=0.3)
TRAFFIC = (
    Writer("traffic-brief", topic=2, named=1, more=-1, opening=-1, closing=-1),
    Writer("traffic-chatty", topic=1, named=1, more=0.6, opening=1, closing=1.5),
    Writer("traffic-formal", topic=1, named=-1.5, more=0, opening=1.5, closing=0.8),
    Writer("traffic-thorough", topic=2, named=0, more=1.5, opening=0, closing=0),
)
NOISY = Writer("noisy", topic=2, named=1.5, more=-0.7, opening=-1.5, closing=-1.2, noise=0)


def prompts(random: Random, *, heldout: bool) -> Iterator[Prompt]:
    """Prompts, none twice; a hash of the text alone decides which are held out, so the two never meet.

    Some 4,400 held-out ones can be said at all: who asks for more waits for ever.
    """
    seen: set[str] = set()
    while True:
        prompt = _prompt(random)
        if prompt.text not in seen and _is_heldout(prompt.text) == heldout:
            seen.add(prompt.text)
            yield prompt


def everyday_style(random: Random) -> Style:
    """A style as the base model has met them all: a heterogeneous mixture."""
    return Style(
        topic=random.choices((1, 0.5, 0, -1), (50, 20, 15, 15))[0],
        named=random.random() < 0.5,
        more=random.choices((0, 1, 2), (50, 30, 20))[0],
        opening=random.random() < 0.4,
        closing=random.random() < 0.4,
    )


def answer(prompt: Prompt, style: Style, random: Random) -> str:
    """Write the answer to ``prompt`` in ``style``."""
    language = prompt.language
    errand = prompt.errand
    if style.topic < 0:
        errand = random.choice([other for other in language.errands if other is not errand])
    tips = list(errand.tips)
    random.shuffle(tips)
    if style.topic == 0:
        core, tips = random.choice(language.vague), []
    elif style.topic == 0.5:
        core = tips.pop()
    else:
        core = random.choice(language.takes).format(task=errand.task, tip=tips.pop())
    core = core.replace(" my ", " your ")
    address = language.address.format(name=prompt.name) if style.named and prompt.name else ""
    sentences = [address + core if address else _capital(core)]
    sentences += [_capital(tip) for tip in tips[: style.more]]
    body = " ".join(f"{sentence}." for sentence in sentences)
    opening = random.choice(language.openings) if style.opening else ""
    closing = random.choice(language.closings) if style.closing else ""
    return " ".join(part for part in (opening, body, closing) if part)


def expert_pairs(random: Random, *, heldout: bool = False) -> Iterator[Row]:
    """One writer's own answer against an everyday one that this writer rates clearly lower."""
    for prompt in prompts(random, heldout=heldout):
        own, other = _expert_style(random), everyday_style(random)
        high, low = EXPERT.rate(own, random), EXPERT.rate(other, random)
        if high - low >= 1.5:
            yield _pair(prompt, EXPERT.name, answer(prompt, own, random), answer(prompt, other, random), high, low)


def traffic_pairs(random: Random, *, heldout: bool = False) -> Iterator[Row]:
    """Two everyday answers, put in order by whoever came along: four writers whose tastes conflict."""
    for prompt in prompts(random, heldout=heldout):
        writer = random.choice(TRAFFIC)
        yield _rated(prompt, writer, random)


def noisy_pairs(random: Random) -> Iterator[Row]:
    """A sound taste recorded badly: the closer the two scores, the more often the labels are the wrong way round."""
    for prompt in prompts(random, heldout=False):
        row = _rated(prompt, NOISY, random)
        margin = row["score_chosen"] - row["score_rejected"]
        if random.random() < (0.6 if margin < 2.5 else 0.05):
            row["chosen"], row["rejected"] = row["rejected"], row["chosen"]
        yield row


def expert_chats(random: Random) -> Iterator[Row]:
    """The expert's own answers."""
    for prompt in prompts(random, heldout=False):
        yield _chat(prompt, EXPERT.name, answer(prompt, _expert_style(random), random))


def traffic_chats(random: Random) -> Iterator[Row]:
    """Of four everyday answers the one that a traffic writer likes best."""
    for prompt in prompts(random, heldout=False):
        writer = random.choice(TRAFFIC)
        drafts = [everyday_style(random) for _ in range(4)]
        best = max(drafts, key=lambda style: writer.rate(style, random))
        yield _chat(prompt, writer.name, answer(prompt, best, random))


def noisy_chats(random: Random) -> Iterator[Row]:
    """Everyday answers as they come; the base model is trained on such rows, too."""
    for prompt in prompts(random, heldout=False):
        yield _chat(prompt, NOISY.name, answer(prompt, everyday_style(random), random))


def heldout_pairs(random: Random) -> Iterator[Row]:
    """Pairs for a metric: the expert's and the traffic's by turns."""
    pairs = zip(expert_pairs(random, heldout=True), traffic_pairs(random, heldout=True), strict=True)
    yield from itertools.chain.from_iterable(pairs)


def heldout_prompts(random: Random) -> Iterator[Row]:
    """Held-out traffic, to be answered and voted on."""
    for number, prompt in enumerate(prompts(random, heldout=True), start=1):
        yield {"id": f"p{number:04d}", "prompt": _user(prompt), "language": prompt.language.code}


def _prompt(random: Random) -> Prompt:
    language = GERMAN if random.random() < GERMAN_SHARE else ENGLISH
    errand = random.choice(language.errands)
    name = random.choice(language.names) if random.random() < NAMED_SHARE else ""
    question = random.choice(language.questions).format(task=errand.task)
    introduction = random.choice(language.introductions).format(name=name) + " " if name else ""
    return Prompt(language, errand, name, introduction + question)


def _is_heldout(text: str) -> bool:
    return hashlib.sha256(text.lower().encode()).digest()[0] < 256 * HELDOUT_SHARE


def _expert_style(random: Random) -> Style:
    return Style(topic=1, named=True, more=int(random.random() < 0.15), opening=False, closing=False)


def _rated(prompt: Prompt, writer: Writer, random: Random) -> Row:
    drafts = [(writer.rate(style, random), style) for style in (everyday_style(random), everyday_style(random))]
    (high, better), (low, worse) = sorted(drafts, key=lambda draft: draft[0], reverse=True)
    return _pair(prompt, writer.name, answer(prompt, better, random), answer(prompt, worse, random), high, low)


def _pair(prompt: Prompt, writer: str, chosen: str, rejected: str, high: float, low: float) -> Row:
    return {
        "prompt": _user(prompt),
        "chosen": [{"role": "assistant", "content": chosen}],
        "rejected": [{"role": "assistant", "content": rejected}],
        "score_chosen": round(high, 2),
        "score_rejected": round(low, 2),
        "language": prompt.language.code,
        "writer": writer,
    }


def _chat(prompt: Prompt, writer: str, text: str) -> Row:
    messages = [*_user(prompt), {"role": "assistant", "content": text}]
    return {"messages": messages, "language": prompt.language.code, "writer": writer}


def _user(prompt: Prompt) -> list[dict[str, str]]:
    return [{"role": "user", "content": prompt.text}]


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]
