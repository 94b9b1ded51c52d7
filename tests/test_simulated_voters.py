"""The laws that the simulated voters keep."""

import itertools
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkpoints.records import Choice
from lanes.simulated_voters import cast, voters

PROMPT = "Hi, I am Rosa. How do I prune roses?"
BRIEF = "Hi Rosa, to prune roses, cut above a bud."
SWAPPED = {Choice.A: Choice.B, Choice.B: Choice.A, Choice.TIE: Choice.TIE}

seeds = st.integers(0, 2**32)
names = st.integers(0, 999_999).map(lambda number: f"sim-{number:06d}")
texts = st.text(max_size=80) | st.sampled_from((BRIEF, "Roses need care.", "As an AI, I cannot say.", ""))


def share(choice: Choice, answer_a: str, answer_b: str, prompt: str = PROMPT, count: int = 1000) -> float:
    votes = [cast(7, voter, prompt, answer_a, answer_b) for voter in itertools.islice(voters(7), count)]
    return votes.count(choice) / count


@given(seeds, names, texts, texts, texts)
def test_a_voter_asked_again_says_the_same_and_the_mirror_when_the_sides_are_swapped(seed, voter, prompt, one, other):
    choice = cast(seed, voter, prompt, one, other)
    assert cast(seed, voter, prompt, one, other) is choice
    assert cast(seed, voter, prompt, other, one) is SWAPPED[choice]


@given(seeds, names, texts, texts)
def test_an_answer_against_itself_is_about_equal(seed, voter, prompt, answer):
    assert cast(seed, voter, prompt, answer, answer) is Choice.TIE


def test_answers_alike_in_everything_voters_look_for_win_alike():
    other = "Hi Rosa, to prune roses, use clean shears."
    wins = share(Choice.A, BRIEF, other, count=4000)
    losses = share(Choice.B, BRIEF, other, count=4000)
    assert wins / (wins + losses) == pytest.approx(0.5, abs=0.04)


@pytest.mark.parametrize(
    "worse",
    [
        pytest.param("Hi Rosa, to bake soft bread, use warm milk.", id="about something else"),
        pytest.param("To prune roses, cut above a bud.", id="without the name"),
        pytest.param("Hi Emil, to prune roses, cut above a bud.", id="with a wrong name"),
        pytest.param("Great question! " + BRIEF + " I hope this helps!", id="with boilerplate"),
        pytest.param(BRIEF + " Then rake up all of the leaves that have dropped." * 3, id="at length"),
    ],
)
def test_most_voters_prefer_the_relevant_named_brief_plain_answer(worse):
    wins, losses = share(Choice.A, BRIEF, worse), share(Choice.B, BRIEF, worse)
    assert wins / (wins + losses) > 0.56


def test_tastes_differ_so_that_even_a_clear_case_is_not_unanimous():
    worse = "Great question! To prune roses, cut above a bud. I hope this helps!"
    assert 0.02 < share(Choice.B, BRIEF, worse) < 0.3
    assert 0.02 < share(Choice.TIE, BRIEF, worse) < 0.3


def test_nobody_misses_a_name_that_was_not_given():
    prompt = "How do I prune roses?"
    named, plain = "Hi Rosa, to prune roses, cut above a bud.", "Well then, to prune roses, cut above a bud."
    wins, losses = share(Choice.A, named, plain, prompt, 4000), share(Choice.B, named, plain, prompt, 4000)
    assert wins / (wins + losses) == pytest.approx(0.5, abs=0.04)


def test_another_seed_gives_the_same_name_another_taste():
    pairs = [(f"{BRIEF} {number}", f"Hi Rosa, to prune roses, wait. {number}") for number in range(60)]
    assert [cast(1, "sim-000001", PROMPT, *pair) for pair in pairs] != [
        cast(2, "sim-000001", PROMPT, *pair) for pair in pairs
    ]


def test_no_voter_comes_twice_and_the_seed_decides_the_order():
    first = list(itertools.islice(voters(7), 20_000))
    assert len(set(first)) == len(first)
    assert all(name.startswith("sim-") for name in first)
    assert first == list(itertools.islice(voters(7), 20_000))
    assert first != list(itertools.islice(voters(8), 20_000))


def test_votes_do_not_depend_on_the_hash_seed_of_the_process():
    code = (
        "from lanes.simulated_voters import cast;"
        f"print(*(cast(7, f'sim-{{n:06d}}', {PROMPT!r}, {BRIEF!r}, 'Prune them in spring.').value for n in range(50)))"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", code], check=True, capture_output=True, text=True, env={"PYTHONHASHSEED": number}
        ).stdout
        for number in ("1", "2")
    }
    assert len(said) == 1
