"""The consequence of a person's step, as it is told before and done after."""

from __future__ import annotations

from dataclasses import replace

import pytest

from checkpoints.records import (
    Championship,
    Experiment,
    Intervention,
    Outcome,
    Proposal,
    Row,
    State,
    Step,
    Verdict,
)
from checkpoints.trust import Promotion
from runner.interventions import Refused, keep, pin, unpin, veto
from runner.undo import all_undoable, paused, undo


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
    result = veto(ROWS, reigns(0, 1, 3), (), 3)
    assert (result.vetoed, result.champion, result.cancelled, result.contain) == ((3,), 1, (4,), ())


def test_vetoing_an_earlier_keep_leaves_the_champion_and_names_what_contains_it() -> None:
    result = veto(ROWS, reigns(0, 1, 3), (), 1)
    assert (result.vetoed, result.champion, result.cancelled, result.contain) == ((1,), None, (4, 5), (3,))


def test_vetoing_a_branch_takes_every_keep_that_contains_it_back() -> None:
    result = veto(ROWS, reigns(0, 1, 3), (), 1, branch=True)
    assert (result.vetoed, result.champion, result.cancelled, result.contain) == ((1, 3), 0, (4, 5), ())


def promotions(*numbers: int) -> list[Promotion]:
    untils = [*[1.0] * (len(numbers) - 1), None]
    return [Promotion(n, 0.0, until, None, "", None, "") for n, until in zip(numbers, untils, strict=True)]


def test_vetoing_the_promoted_model_demotes_it_to_the_one_before_that_was_not_vetoed() -> None:
    told = veto(ROWS, reigns(0, 1, 3), promotions(1, 3), 3).sentence(3)
    assert told == "#3 is taken back; champion #3 → #1; #3 is demoted, #1 is promoted again; #4 is cancelled"
    assert veto(ROWS, reigns(0, 1, 3), promotions(1, 3), 1).demoted is None, "another one is promoted"
    both = veto(ROWS, reigns(0, 1, 3), promotions(1, 3), 1, branch=True)
    assert "; #3 is demoted, nothing is promoted; " in both.sentence(3)
    rows = [*ROWS[:1], row(1, State.VETOED, 0), *ROWS[2:]]
    assert veto(rows, reigns(0, 3), promotions(1, 3), 3).promoted is None


def test_an_undone_veto_says_that_its_model_stays_demoted() -> None:
    taken_back = took(1, Step.VETO, 3)
    taken_back.done.update(vetoed=[3], demoted=3)
    told = undo(ROWS, reigns(0, 1), [taken_back], 1).sentence(1)
    assert "#3 stays demoted: `autoresearch-tui promote` promotes it again" in told


@pytest.mark.parametrize(
    ("number", "why"),
    [(0, "the baseline cannot be vetoed"), (2, "experiment 2 is discarded"), (9, "there is no experiment 9")],
)
def test_what_cannot_be_vetoed_is_refused_with_the_reason(number: int, why: str) -> None:
    with pytest.raises(Refused, match=why):
        veto(ROWS, reigns(0, 1, 3), (), number)


def test_a_veto_has_those_judged_against_the_champion_judged_again_in_the_same_breath() -> None:
    rows = [*ROWS[:5], replace(ROWS[5], experiment=replace(ROWS[5].experiment, state=State.EVALUATING, opponent=3))]
    result = veto(rows, reigns(0, 1, 3), (), 3)
    assert result.again == (5,)
    assert result.sentence(3) == (
        "#3 is taken back; champion #3 → #1; #4 is cancelled; #5 is judged again from the start"
    )


def test_a_pinned_champion_is_followed_by_the_newest_keep_that_beat_it_meanwhile_else_by_itself() -> None:
    pinned = [*reigns(0, 1, 3)[:-1], replace(reigns(3)[0], until=9.0), Championship(1, 9.0, None, "", pinned=True)]
    assert unpin(ROWS, pinned).champion == 1
    beat_it = Verdict(3, Outcome.KEEP, 9, 1, 0, None, None, None, None, "", 10.0)
    rows = [*ROWS[:3], replace(ROWS[3], verdict=beat_it), *ROWS[4:]]
    assert unpin(rows, pinned).champion == 3
    assert unpin(rows, pinned).sentence(1) == "champion #1 → #3"
    assert veto(rows, pinned, (), 1).champion == 3, "a veto lets it go, too"
    with pytest.raises(Refused, match="no champion is pinned"):
        unpin(ROWS, reigns(0, 1))


def test_only_what_was_published_and_judged_can_be_pinned_and_only_what_was_judged_kept_anyway() -> None:
    assert pin(ROWS, reigns(0, 1, 3), 2).sentence(3) == "champion #3 → #2, pinned"
    assert keep(ROWS, reigns(0, 1, 3), 2).sentence(3) == "#2 is kept; champion #3 → #2"
    with pytest.raises(Refused, match="experiment 4 is training; only a model that was published and judged"):
        pin(ROWS, reigns(0, 1, 3), 4)
    with pytest.raises(Refused, match="experiment 4 is training: it has no verdict yet"):
        keep(ROWS, reigns(0, 1, 3), 4)
    with pytest.raises(Refused, match="experiment 3 is kept already"):
        keep(ROWS, reigns(0, 1, 3), 3)


def took(number: int, step: Step, experiment: int | None = None, **detail: object) -> Intervention:
    done = {"before": [1, True], "then": [3, True], "vetoed": [], "cancelled": [], "notes": {}}
    return Intervention(number, step, experiment, dict(detail), "", 0.0, 1.0, "done", done)


def test_an_undo_of_a_pin_brings_the_pin_before_it_back() -> None:
    pins = [took(1, Step.PIN, 1), took(2, Step.PIN, 3)]
    now = [*reigns(0, 1), Championship(3, 9.0, None, "", pinned=True)]
    result = undo(ROWS, now, pins, 2)
    assert (result.champion, result.pinned) == (1, True)
    with pytest.raises(Refused, match="the pin that came after the pin must be undone first"):
        undo(ROWS, now, pins, 1)
    with pytest.raises(Refused, match="the pin was undone before"):
        undo(ROWS, now, [*pins, took(3, Step.UNDO, of=2)], 2)


def test_the_last_step_that_can_be_undone_is_neither_a_vote_nor_one_that_was_refused_or_undone() -> None:
    pending = Intervention(6, Step.SKIP, 4, {}, "", 0.0, None, "")
    refused = Intervention(5, Step.SKIP, 4, {}, "", 0.0, 1.0, "refused: experiment 4 has ended")
    steps = [
        took(1, Step.VETO, 3),
        took(2, Step.PIN, 1),
        took(3, Step.UNDO, of=2),
        took(4, Step.VOTE),
        refused,
        pending,
    ]
    assert [one.number for one in all_undoable(steps)] == [1]
    for number, why in (
        (4, "a vote stays counted"),
        (3, "an undo is not undone"),
        (5, "was refused"),
        (6, "under way"),
    ):
        with pytest.raises(Refused, match=why):
            undo(ROWS, reigns(0, 1), steps, number)


def test_a_run_is_paused_by_a_person_until_it_is_resumed_or_the_pause_is_undone() -> None:
    stopped, on = took(1, Step.PAUSE), took(2, Step.RESUME)
    assert paused([stopped]) and not paused([stopped, on]) and not paused([stopped, took(2, Step.UNDO, of=1)])
    assert paused([stopped, on, took(3, Step.UNDO, of=2)])
