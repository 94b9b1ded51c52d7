"""When a candidate is taken out at once, and what counts as declining to answer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanes.arena.ballots import Exposure
from lanes.arena.guards import GuardBounds, breach
from lanes.arena.refusals import is_refusal

ALL = GuardBounds(errors=0.2, refusals=0.1, length_ratio=3, seconds=8, min_answers=20)


def given_of(model: str, answers: int = 100, characters: int = 100, seconds: float = 1, **counts: int) -> Exposure:
    """What users were given of a model, from means per answer."""
    return Exposure(7, model, answers, characters=answers * characters, seconds=answers * seconds, **counts)


def said(bounds: GuardBounds, candidate: Exposure) -> str | None:
    return breach(bounds, candidate, given_of("exp-0000"))


def test_a_candidate_within_every_bound_stays() -> None:
    assert said(ALL, given_of("exp-0007", 80, 300, 8, errors=20, refusals=8)) is None


@pytest.mark.parametrize(
    ("candidate", "sentence"),
    [
        (
            given_of("exp-0007", 18, errors=6),
            "errors: 6 of 24 answers failed, 25 % > evaluate.guards.errors 20 %",
        ),
        (
            given_of("exp-0007", 40, refusals=5, errors=10),
            "refusals: 5 of 40 answers declined to answer, 12.5 % > evaluate.guards.refusals 10 %",
        ),
        (
            given_of("exp-0007", characters=301),
            "length: its answers have 301 characters on average and exp-0000's 100, more than "
            "evaluate.guards.length_ratio 3 apart",
        ),
        (
            given_of("exp-0007", characters=33),
            "length: its answers have 33 characters on average and exp-0000's 100, more than "
            "evaluate.guards.length_ratio 3 apart",
        ),
        (
            given_of("exp-0007", seconds=8.5),
            "seconds: 100 answers took 8.5 s on average > evaluate.guards.seconds 8",
        ),
    ],
)
def test_past_a_bound_the_sentence_says_what_was_counted_and_the_bound(candidate: Exposure, sentence: str) -> None:
    assert said(ALL, candidate) == sentence


def test_before_the_least_number_of_answers_no_guard_speaks() -> None:
    assert said(ALL, given_of("exp-0007", 0, errors=19)) is None
    assert said(ALL, given_of("exp-0007", 0, errors=20)) is not None
    few = given_of("exp-0000", 19)
    assert breach(ALL, given_of("exp-0007", characters=900), few) is None, "the champion's mean is not known yet"


@given(st.builds(given_of, st.just("exp-0007"), *[st.integers(0, 99)] * 3, errors=st.integers(0, 99)))
def test_without_bounds_nobody_is_taken_out(candidate: Exposure) -> None:
    assert said(GuardBounds(errors=None), candidate) is None


@pytest.mark.parametrize(
    "answer",
    [
        "I'm sorry, but I can't help with that.",
        "I’m sorry, I cannot answer this question. Is there anything else?",
        "As of now I can’t answer that.",
        "As a language model, I am unable to give medical advice.",
        "Unfortunately we are not permitted to say.",
        "Es tut mir leid, aber dabei kann ich dir nicht helfen.",
        "Ich darf zu diesem Thema leider keine Auskunft geben.",
        "Désolé, je ne peux pas répondre à cette question.",
        "Lo siento, no puedo ayudarte con eso.",
        "Desculpe, não posso ajudar com isso.",
        "Mi dispiace, non posso rispondere.",
        "抱歉，我无法回答这个问题。",
        "申し訳ありませんが、お答えできません。",
    ],
)
def test_an_answer_that_begins_by_declining_is_a_refusal(answer: str) -> None:
    assert is_refusal(answer)


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "I'm sorry to hear that. Rest, drink enough, and see a doctor if it lasts.",
        "I can't wait to see your garden! Plant the roses in October.",
        "I cannot recommend this book enough: start with chapter two.",
        "Preheat the oven to 230 °C. If you cannot find rye flour, use spelt.",
        "Ich kann dir gern helfen: Heize den Ofen auf 230 °C vor.",
        "Sure. First knead the dough. Then let it rest. I can't tell how warm your kitchen is, so look at it.",
    ],
)
def test_an_answer_that_helps_is_none_whatever_words_are_in_it(answer: str) -> None:
    assert not is_refusal(answer)
