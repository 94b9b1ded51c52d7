"""The checklist for choosing a score: what is nearest to what is wanted first, a language model's opinion last."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Score:
    """What judges in a program, and why."""

    template: Literal["study", "online"]
    reason: str
    """For a comment in the program."""

    llm_judge: str = ""
    """litellm model string of a judge that votes beside people; empty for none."""


@dataclass(frozen=True, slots=True)
class Question:
    """One question of the checklist; the first that is answered with yes decides."""

    text: str
    default: bool
    yes: str
    """What follows from yes, in a line."""

    no: str
    score: Score


QUESTIONS: Sequence[Question] = (
    Question(
        "Does an event in your product tell whether an answer was good: a purchase, a retry, a thumb up or down?",
        default=False,
        yes="the event is what you want, so it votes: your product reports it to the arena, POST /v1/votes",
        no="then something has to stand for it",
        score=Score("online", "an event in the product tells which answer was good; the product reports it as a vote"),
    ),
    Question(
        "Is it a property that held-out preference pairs measure: how often the model prefers the better answer?",
        default=False,
        yes="val_pref_acc measures it after each training, with nobody to wait for",
        no="other properties are not measured here; the nearest is a rule in your own code",
        score=Score("study", "a property decides: the share of held-out pairs that the model puts in the right order"),
    ),
    Question(
        "Can a rule in code say which of two answers is better: a test passes, a number is right, JSON parses?",
        default=False,
        yes="no rule runs in here; your code asks the arena for two answers, POST /v1/battles, and votes by its rule",
        no="then somebody has to compare answers",
        score=Score("online", "a rule in code says which of two answers is better; that code votes as a product does"),
    ),
    Question(
        "Will people compare two answers and say which one they prefer?",
        default=True,
        yes="they vote blind in the arena, your users in your product or people whom you invite to its page",
        no="then only a judge is left, the weakest score of all",
        score=Score("online", "people say which of two answers they prefer, blind"),
    ),
)

JUDGE_QUESTION = "A language model as judge, as litellm names it (openai/gpt-4o-mini); Enter names none yet"

JUDGE = (
    "it votes once 20 labels of people have passed it (autoresearch-tui judge calibrate), and weighs as one voter: "
    "where nobody else will vote, begin with `autoresearch-tui init study` instead"
)
"""What follows from having only a judge, in a line."""


def judged(model: str) -> Score:
    """The score where nothing but a language model's opinion is to be had."""
    reason = "no event, property or rule, and few people: a calibrated language model votes beside whoever else does"
    return Score("online", reason, model.strip())


def with_score(text: str, score: Score) -> str:
    """The text of a program with the reason for its score, and its judge, under ``evaluate``."""
    lines = [f"  # Why this score: {score.reason}."]
    if score.llm_judge:
        lines += [f"  llm_judge: {json.dumps(score.llm_judge, ensure_ascii=False)}"]
    return text.replace("\nevaluate:\n", "\n".join(("\nevaluate:", *lines, "")), 1)
