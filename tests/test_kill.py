"""The loop, killed: nothing lost, nothing judged or counted twice, nothing left hanging."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from laws import broken_laws
from sleeping import VOTES

from checkpoints.reader import DATABASE, Reader
from checkpoints.records import Lane, RunState

LOOP = [sys.executable, str(Path(__file__).parent / "loop_process.py")]


def run_killed(folder: Path, experiments: int, *fatal_commit: int) -> int:
    return subprocess.run([*LOOP, str(folder), str(experiments), *map(str, fatal_commit)], timeout=60).returncode


def check(folder: Path, experiments: int) -> None:
    read = Reader(folder)
    run = read.run()
    assert run
    assert run.state is RunState.FINISHED
    assert broken_laws(read, experiments, VOTES) == []
    read.close()


@pytest.mark.parametrize("first", [pytest.param(1, marks=pytest.mark.slow), pytest.param(2, marks=pytest.mark.slow), 5])
def test_a_kill_before_or_after_a_commit_loses_nothing(tmp_path: Path, first: int) -> None:
    """Each process dies at a later commit of its life than the one before: start, middle and end are all met."""
    fatal, deaths = first, 0
    while run_killed(tmp_path, 3, fatal) == -signal.SIGKILL:
        deaths += 1
        fatal += 8
    assert deaths >= 3
    check(tmp_path, 3)


@pytest.mark.slow
def test_kills_at_random_moments_lose_nothing(tmp_path: Path) -> None:
    chance = random.Random(1)
    for _ in range(12):
        process = subprocess.Popen([*LOOP, str(tmp_path), "20"])
        time.sleep(chance.uniform(0.3, 0.9))
        process.kill()
        process.wait()
    assert run_killed(tmp_path, 20) == 0
    check(tmp_path, 20)


def test_the_store_says_who_waited_for_what_and_nobody_waited_while_nobody_ran(tmp_path: Path) -> None:
    process = subprocess.Popen([*LOOP, str(tmp_path), "20"])
    while not (tmp_path / "train-3-1.done").exists():
        time.sleep(0.02)
    process.kill()
    process.wait()
    killed = time.time()
    time.sleep(0.3)
    resumed = time.time()
    assert run_killed(tmp_path, 20) == 0
    with closing(Reader(tmp_path)) as read:
        waits = read.waits()
    assert {wait.lane for wait in waits} == set(Lane)
    assert all(wait.until is not None and wait.since <= wait.until for wait in waits)
    assert not [wait for wait in waits if wait.since < killed and (wait.until or resumed) > killed]
    assert {wait.what for wait in waits if wait.lane is Lane.UPLOAD} == {"a trained model"}


def test_a_run_that_was_killed_before_it_began_begins(tmp_path: Path) -> None:
    (tmp_path / DATABASE).touch()
    assert run_killed(tmp_path, 1) == 0
    check(tmp_path, 1)
