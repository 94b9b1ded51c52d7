"""The wall clock jumps, and two processes want one run.

Elsewhere: timeouts of hanging trainings and scripts, which all are of the monotonic clock (``test_train_lane``,
``test_script_run``); a second instance is refused within a second and told who holds the run, a killed owner leaves it
to the next at once (``test_owner``); a pid that another process has by now is not taken for the worker's, nor killed
(``test_worker``).
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from itertools import pairwise
from pathlib import Path

import pytest
from laws import broken_laws
from loop_process import SECONDS
from sleeping import drive

from checkpoints import writes
from checkpoints.ownership import LOCK
from checkpoints.records import Choice, Level, Proposal, Vote
from checkpoints.store import Held, Store
from lanes.process import Identity, boot_id, still_runs

HOUR = 3600.0


class Jumping:
    """A wall clock that somebody sets."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.off = 0.0
        real = time.time
        monkeypatch.setattr(time, "time", lambda: real() + self.off)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Jumping:
    return Jumping(monkeypatch)


@pytest.mark.parametrize("off", [-HOUR, HOUR])
async def test_a_run_whose_clock_jumps_in_the_middle_goes_on_in_its_order(
    tmp_path: Path, clock: Jumping, off: float
) -> None:
    with Store(tmp_path) as store:
        began = time.monotonic()
        going = asyncio.create_task(drive(store, 4, SECONDS))
        while store.read.count_verdicts() < 2:
            await asyncio.sleep(0.005)
        clock.off = off
        await asyncio.wait_for(going, 60)
        assert time.monotonic() - began < 60, "nothing waits for the hour to pass"
        assert broken_laws(store.read, 4) == []
        fell = [event.experiment for event in store.read.events() if event.kind == "verdict"]
        assert [verdict.experiment for verdict in store.read.verdicts()] == fell
        stages = store.read.stages()
        assert all(one.finished_at is not None and one.finished_at > one.started_at for one in stages)
        assert all(one.seconds is not None and 0 <= one.seconds < 60 for one in stages), "durations are monotonic"
        assert all(one.at < next_one.at for one, next_one in pairwise(store.read.events()))


def test_a_clock_that_was_set_back_while_the_run_stood_still_is_known_by_its_last_event(
    tmp_path: Path, clock: Jumping
) -> None:
    with Store(tmp_path) as store:
        store.submit(writes.event, Level.INFO, "run", "before").result()
    clock.off = -HOUR
    with Store(tmp_path) as store:
        store.submit(writes.propose, Proposal("it helps", "data", None, "test")).result()
        (before, *_), experiment = store.read.events(), store.read.experiment(0)
        assert experiment.proposed_at > before.at


SESSION = 600.0


@pytest.fixture
def voted(tmp_path: Path) -> Path:
    """A run in which a voter has just cast their first vote."""
    with Store(tmp_path / "run") as store:
        for number in range(2):
            store.submit(writes.propose, Proposal("it helps", "data", None, "test"), str(number)).result()
        vote_now(store, "p1")
    return tmp_path / "run"


def vote_now(store: Store, prompt: str) -> None:
    cast = Vote(1, prompt, "ann", prompt, "exp-0001", "exp-0000", Choice.A, False, time.time())
    assert store.submit(writes.add_votes, [cast]).result() == 1


def closed(store: Store) -> int:
    return store.submit(writes.close_idle_sessions, 1, 0, SESSION, 100).result()


@pytest.mark.parametrize("off", [-HOUR, HOUR])
@pytest.mark.parametrize("started_again", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_a_clock_that_is_set_neither_ends_nor_prolongs_the_session_of_a_voter_who_goes_on(
    voted: Path, clock: Jumping, monkeypatch: pytest.MonkeyPatch, off: float, started_again: bool
) -> None:
    with Store(voted) as store:
        assert closed(store) == 0
        if not started_again:
            clock.off = off
            assert closed(store) == 0
    clock.off = off
    with Store(voted) as store:
        assert closed(store) == 0
        vote_now(store, "p2")
        assert closed(store) == 0
        real = time.monotonic
        monkeypatch.setattr(time, "monotonic", lambda: real() + SESSION + 1)
        clock.off += SESSION + 1
        assert closed(store) == 1
        assert store.read.voter_means(1, "exp-0001", "exp-0000").voters == 1


@pytest.mark.slow
def test_a_clock_that_was_set_back_while_the_machine_was_off_prolongs_no_session_by_what_it_was_set_back(
    voted: Path, clock: Jumping, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Store(voted) as store:
        monkeypatch.setattr("checkpoints.clock._boot", lambda: "the next boot")
        clock.off = -24 * HOUR
        assert closed(store) == 0
        real = time.monotonic
        monkeypatch.setattr(time, "monotonic", lambda: real() + SESSION + 1)
        clock.off += SESSION + 1
        assert closed(store) == 1


@pytest.mark.xfail(
    strict=True, raises=AssertionError,
    reason="over a boot nobody can tell a clock that was set from time that has passed",
)  # fmt: skip
def test_a_clock_that_was_set_forward_while_the_machine_was_off_ends_no_session(
    voted: Path, clock: Jumping, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Store(voted) as store:
        assert closed(store) == 0
        monkeypatch.setattr("checkpoints.clock._boot", lambda: "the next boot")
        clock.off = HOUR
        assert closed(store) == 0


def test_a_second_owner_in_the_same_process_is_refused_at_once_by_name_whatever_the_clock_says(
    tmp_path: Path, clock: Jumping
) -> None:
    with Store(tmp_path):
        clock.off = -24 * HOUR
        began = time.monotonic()
        with pytest.raises(Held, match=f"held by process {os.getpid()} on "):
            Store(tmp_path)
        assert time.monotonic() - began < 1


def test_a_lock_file_that_names_a_process_of_another_time_keeps_nobody_out(tmp_path: Path) -> None:
    """The pid is somebody's again: what counts is who holds the lock."""
    (tmp_path / LOCK).write_text(json.dumps({"pid": os.getpid(), "host": "here", "at": 0.0, "doing": ""}))
    Store(tmp_path).close()


def test_a_process_with_the_pid_and_another_start_or_boot_is_another(tmp_path: Path) -> None:
    ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
    assert still_runs(Identity(os.getpid(), ticks, boot_id()))
    assert not still_runs(Identity(os.getpid(), ticks - 1, boot_id()))
    assert not still_runs(Identity(os.getpid(), ticks, "another boot"))
