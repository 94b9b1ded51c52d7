"""The chaos harness itself: a seed gives its schedule again, a schedule shrinks, and what is broken is found."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest
from chaos.checker import found_wrong
from chaos.kill_points import dies
from chaos.killing import at_random
from chaos.outside import Outside
from chaos.samples import Held
from chaos.schedule import TARGETS, Fault, What, Who, drawn
from chaos.shrinking import shrunken
from chaos.storm import KINDS, through
from hypothesis import given
from hypothesis import strategies as st

from checkpoints.records import Step


def fault(what: What, who: Who | None = None, after: float = 0.5, lasting: float = 0.5) -> Fault:
    return Fault(what, who, after, lasting)


@given(seed=st.integers(), faults=st.integers(0, 30))
def test_a_seed_gives_the_same_schedule_again(seed: int, faults: int) -> None:
    schedule = drawn(seed, faults, KINDS, 1.5)
    assert schedule == drawn(seed, faults, KINDS, 1.5) and len(schedule) == faults


@given(everything=st.lists(st.integers(0, 99), unique=True, min_size=1), data=st.data())
def test_what_is_left_of_a_schedule_is_what_it_takes_to_fail(everything: list[int], data: st.DataObject) -> None:
    guilty = set(data.draw(st.lists(st.sampled_from(everything), min_size=1, max_size=3, unique=True)))

    def fails(part: Sequence[int]) -> bool:
        return guilty <= set(part)

    assert set(shrunken(everything, fails)) == guilty


@pytest.mark.parametrize("seconds", [100, 700, 10_000])
def test_the_first_and_last_tenth_of_what_was_held_are_told_apart_however_long_it_took(seconds: int) -> None:
    held = Held()
    for at in range(seconds):
        held.add(at, float(10 * at // seconds))
    assert (held.median(last=False), held.median(last=True), held.most) == (0, 9, 9)


@pytest.mark.slow
def test_kills_at_random_of_each_and_of_all_break_no_law(tmp_path: Path) -> None:
    """A few; ``python -m bench.kills --counting 1000`` has more."""
    killed = at_random(tmp_path, 12, seed=5)
    assert killed.found == [] and set(killed.kills.values()) == {3} and killed.kills.keys() == set(Who)
    assert killed.at_work[Who.ALL] and killed.rows["experiments ended"] >= 5


@pytest.mark.slow
def test_a_run_through_a_storm_breaks_no_law(tmp_path: Path) -> None:
    """A short one; ``make chaos`` has longer ones."""
    passed = through(tmp_path / "storm", [fault(What.KILL, Who.RUNNER, 1.5), fault(What.KILL, Who.ALL)], 1)
    assert passed.breaches == []
    assert passed.done["SIGKILL to the runner"] == 1 and passed.starts >= 3


@pytest.mark.slow
def test_every_kind_of_fault_after_the_other_breaks_no_law(tmp_path: Path) -> None:
    faults = [fault(what, who, 0.8) for what in KINDS for who in TARGETS.get(what, (None,))]
    assert through(tmp_path / "storm", faults, 8).breaches == []


@pytest.mark.slow
def test_what_a_run_has_lost_or_done_twice_is_found(tmp_path: Path) -> None:
    run = tmp_path / "run"
    outside = Outside(run)
    assert not dies(0, "chaos.loop", run, 2, deaths=tmp_path / "deaths")
    assert found_wrong(run, 2, outside) == []
    outside.votes, outside.steps = ["never-counted"], {1: Step.PAUSE}
    (run / "stray").touch()
    (run / "published" / "exp-0001" / "weights.json").write_text("{}")
    with closing(sqlite3.connect(run / "run.db")) as db, db:
        db.execute("DELETE FROM metrics WHERE experiment = 1 AND step = 3")
    told = {breach.what.split(": ")[0] for breach in found_wrong(run, 2, outside)}
    assert told >= {
        "vote never-counted was acknowledged and is there 0 times", "pause 1 of a person is not on record",
        "nobody knows what stray is for", "published exp-0001",
    }  # fmt: skip
    assert any(what.startswith("metrics of experiment 1 have steps") for what in told)
