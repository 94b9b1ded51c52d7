"""What is counted of a job that was killed: from the lines outside alone."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as some

from bench.parts.small_job import STAGES, Line, again, lines, lost, note, under_way

STEPS = some.tuples(some.integers(0, 3), some.sampled_from(list(STAGES)))


def test_an_experiment_that_lacks_one_effect_is_lost_and_under_way(tmp_path: Path) -> None:
    for number in range(2):
        for stage in STAGES:
            note(tmp_path, "begun", number, stage)
            if (number, stage) != (1, "evaluate"):
                note(tmp_path, "done", number, stage)
    assert lost(tmp_path, 2) == 1
    assert under_way(lines(tmp_path)) == {1}
    assert again(lines(tmp_path)) == []


def test_of_a_job_that_never_began_everything_is_lost(tmp_path: Path) -> None:
    assert lines(tmp_path) == []
    assert lost(tmp_path, 3) == 3


@given(some.lists(STEPS))
def test_each_effect_but_the_first_of_its_stage_came_again(steps: list[tuple[int, str]]) -> None:
    done = [Line(float(at), "done", step) for at, step in enumerate(steps)]
    begun = [Line(float(at), "begun", step) for at, step in enumerate(steps)]
    assert len(again(done)) == len(steps) - len(set(steps))
    assert again(begun) == []
