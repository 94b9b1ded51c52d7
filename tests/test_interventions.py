"""The consequence of a veto, as it is told before and done after."""

from __future__ import annotations

import pytest

from checkpoints.records import Championship, Experiment, Proposal, Row, State
from runner.interventions import Refused, veto


def row(number: int, state: State, *contains: int) -> Row:
    parent = max(contains) if contains else None
    experiment = Experiment(number, state, Proposal("", "data", None, "test"), {}, parent, parent, 0.0, None, "")
    return Row(experiment, None, contains=frozenset(contains))


def reigns(*numbers: int) -> list[Championship]:
    return [Championship(n, float(at), None if n == numbers[-1] else at + 1.0, "") for at, n in enumerate(numbers)]


ROWS = [
    row(0, State.KEPT),
    row(1, State.KEPT, 0),
    row(2, State.DISCARDED, 0, 1),
    row(3, State.KEPT, 0, 1),
    row(4, State.TRAINING, 0, 1, 3),
    row(5, State.UPLOADED, 0, 1),
]
"""Keeps 1 and 3, one on the other; 4 and 5 are in flight, built on both and on the first."""


def test_vetoing_the_champion_brings_the_one_before_back() -> None:
    result = veto(ROWS, reigns(0, 1, 3), 3)
    assert (result.vetoed, result.champion, result.cancelled, result.contain) == ((3,), 1, (4,), ())


def test_vetoing_an_earlier_keep_leaves_the_champion_and_names_what_contains_it() -> None:
    result = veto(ROWS, reigns(0, 1, 3), 1)
    assert (result.vetoed, result.champion, result.cancelled, result.contain) == ((1,), None, (4, 5), (3,))


def test_vetoing_a_branch_takes_every_keep_that_contains_it_back() -> None:
    result = veto(ROWS, reigns(0, 1, 3), 1, branch=True)
    assert (result.vetoed, result.champion, result.cancelled, result.contain) == ((1, 3), 0, (4, 5), ())


@pytest.mark.parametrize(
    ("number", "why"),
    [(0, "the baseline cannot be vetoed"), (2, "experiment 2 is discarded"), (9, "there is no experiment 9")],
)
def test_what_cannot_be_vetoed_is_refused_with_the_reason(number: int, why: str) -> None:
    with pytest.raises(Refused, match=why):
        veto(ROWS, reigns(0, 1, 3), number)
