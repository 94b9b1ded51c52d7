"""What a reply says, and what a judge is worth on labels: the rules by themselves."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkpoints.records import Choice
from lanes.judge.calibration import Report, compare, describe
from lanes.judge.questions import read_reply
from lanes.judge.records import Label, Pair, Reading, turned

A, B, TIE = Choice.A, Choice.B, Choice.TIE

CHOICES = st.sampled_from(Choice)
MAYBE = st.none() | CHOICES
PAIRS = st.builds(Pair, st.just("q"), st.text("x", max_size=3), st.text("x", max_size=3))


@pytest.mark.parametrize(
    ("reply", "choice"),
    [
        ('{"reason": "B is longer", "choice": "A"}', A),
        ('{"choice": "equal"}', TIE),
        ('Let me see.\n```json\n{"choice": "A"}\n```\nB is fine, too.', A),
        ('{"reason": "A says less", "choice": "B', B),
        ("**B**", B),
        ("A good answer names the user, so I take B.", B),
        ("Answer A wins", A),
        ("Neither A nor B: EQUAL", None),
        ('{"choice": "C"}', None),
        ('{"choice": ["A"]}', A),
        ("[" * 100_000, None),
        ("", None),
    ],
)
def test_a_reply_is_read_in_whatever_form_and_never_guessed_at(reply: str, choice: Choice | None) -> None:
    assert read_reply(reply) is choice


@given(st.text())
def test_whatever_a_judge_gives_as_its_reason_its_choice_is_read(reason: str) -> None:
    assert read_reply(json.dumps({"reason": reason, "choice": "B"})) is B


def steady(choice: Choice) -> Reading:
    return Reading(choice, choice)


def report(said: Sequence[Choice], judged: Sequence[Reading]) -> Report:
    return compare([Label(Pair("q", "long answer", "short"), choice) for choice in said], judged)


def test_sixteen_of_twenty_pass_and_fifteen_do_not() -> None:
    said = [A] * 12 + [B] * 8
    assert report(said, [steady(A)] * 12 + [steady(B)] * 4 + [steady(A)] * 4).passed
    failed = report(said, [steady(A)] * 12 + [steady(B)] * 3 + [steady(A)] * 5)
    assert failed.lacks == ["agreement of 80 %"]
    assert "75.0 % [53.1, 88.8]" in failed.reason and "it may not vote" in failed.reason


def test_nineteen_labels_are_too_few_however_well_they_are_met() -> None:
    assert report([A] * 19, [steady(A)] * 19).lacks == ["1 more labels: 19 of 20 are there"]


def test_who_calls_everything_equal_does_not_pass_on_pairs_that_are() -> None:
    lazy = report([TIE] * 30 + [A] * 5, [steady(TIE)] * 35)
    assert lazy.agreed / lazy.labels > 0.8
    assert not lazy.passed and "labels with a preference" in lazy.lacks[0]


def test_who_decides_by_the_place_agrees_with_no_preference() -> None:
    by_place = report([A, B] * 10, [Reading(A, B)] * 20)
    assert by_place.agreed == 0 and by_place.consistency == 0 and by_place.leaning == (20, 0)
    assert "it leans towards a place" in "\n".join(describe(by_place, "judge"))


def test_who_likes_length_better_than_people_do_is_told_so() -> None:
    by_length = report([A] * 10 + [B] * 10, [steady(A)] * 20)
    assert by_length.longer == (20, 0) and by_length.people_longer == (10, 10)
    assert "it judges length otherwise than people" in "\n".join(describe(by_length, "judge"))


def test_a_pair_without_a_judgement_agrees_with_nothing_and_is_shown() -> None:
    silent = report([A] * 20, [steady(A)] * 16 + [Reading(A, None, "it is empty")] * 4)
    assert silent.passed and silent.agreed == 16 and silent.silent == 4 and silent.consistency == 1
    lines = describe(silent, "judge")
    assert "no judgement  4 of 20 pairs: it is empty" in lines and "no judgement" in lines[5]


@given(st.lists(st.tuples(PAIRS, CHOICES, MAYBE, MAYBE)))
def test_the_counts_add_up_and_the_other_way_round_nothing_changes(
    rows: list[tuple[Pair, Choice, Choice | None, Choice | None]],
) -> None:
    there = compare([Label(pair, said) for pair, said, *_ in rows], [Reading(one, two) for *_, one, two in rows])
    back = compare(
        [Label(pair.other_way_round(), turned(said)) for pair, said, *_ in rows],
        [Reading(two and turned(two), one and turned(one)) for *_, one, two in rows],
    )
    assert sum(there.confusion.values()) == there.labels == len(rows)
    assert there.agreed == sum(n for (said, judged), n in there.confusion.items() if said is judged)
    assert there.preferences <= there.agreed <= there.labels - there.silent
    assert (there.agreed, there.consistent, there.leaning, there.longer, there.people_longer) == (
        back.agreed, back.consistent, back.leaning, back.longer, back.people_longer,
    )  # fmt: skip
    assert describe(there, "judge")
