"""The whole loop for real: the real command, real trainings, a server, votes; and all of it again after kill -9."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

import pytest
import small_demo
from laws import Seen, broken_laws
from small_demo import kill_group, start, steps_taken, wait_until

from checkpoints.reader import Reader
from checkpoints.records import Lane, RunState, Stage, StageState

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

T = TypeVar("T")

CHECKPOINT_STEPS = 4
"""The small demo's."""


class Demo:
    """The small demo in a folder, started and killed as often as a test likes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.run = folder
        self.seen = Seen()
        self._loops: list[subprocess.Popen[bytes]] = []

    def write(self, experiments: int, steps: int = 12) -> None:
        self.run = small_demo.write_small_demo(self.folder, experiments, steps)

    def start(self) -> subprocess.Popen[bytes]:
        self._loops.append(start(self.folder))
        return self._loops[-1]

    def started_until(self, true: Callable[[Reader], object]) -> subprocess.Popen[bytes]:
        """Start or resume, and come back when something is true of the store."""
        loop = self.start()
        wait_until(lambda: small_demo.has_begun(self.run), loop)
        with closing(Reader(self.run)) as read:
            wait_until(lambda: true(read), loop, 180)
        return loop

    def ask(self, question: Callable[[Reader], T]) -> T:
        with closing(Reader(self.run)) as read:
            return question(read)

    def finish(self) -> None:
        """Resume, and hold the run that has ended against the laws."""
        assert self.start().wait(600) == 0, (self.folder / "said.txt").read_text()
        self.ask(self._obeys)
        assert not small_demo.worker_pids(self.run), "no process outlives the run"

    def _obeys(self, read: Reader) -> None:
        run = read.run()
        assert run and run.state is RunState.FINISHED
        assert broken_laws(read, run.experiments) == []
        assert self.seen.breaches(read) == []

    def end(self) -> None:
        for loop in self._loops:
            kill_group(loop)
        small_demo.kill_workers(self.run)


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    demo = Demo(tmp_path)
    yield demo
    demo.end()


def done(read: Reader, lane: Lane) -> dict[int, Stage]:
    return {one.experiment: one for one in read.stages() if one.lane is lane and one.state is StageState.DONE}


def test_a_run_ends_well_and_its_store_proves_that_the_lanes_overlapped(demo: Demo) -> None:
    demo.write(experiments=3)
    demo.finish()
    trained, evaluated = demo.ask(lambda read: (done(read, Lane.TRAIN), done(read, Lane.EVALUATE)))
    overlaps = [
        number
        for number in range(1, 4)
        if trained[number].started_at < (evaluated[number - 1].finished_at or 0)
        and evaluated[number - 1].started_at < (trained[number].finished_at or 0)
    ]
    assert overlaps, "no training went on while the one before was evaluated"
    for before, after in pairwise(trained.values()):
        assert (before.finished_at or 0) <= after.started_at
    waits = demo.ask(lambda read: read.waits())
    assert {wait.lane for wait in waits} == set(Lane)
    assert all(wait.what and wait.until is not None and wait.until >= wait.since for wait in waits)
    for number in range(4):
        assert steps_taken(demo.run, number) == list(range(1, len(steps_taken(demo.run, number)) + 1))


def test_a_trainer_that_outlives_its_loop_is_taken_up_and_does_no_step_again(demo: Demo) -> None:
    demo.write(experiments=1, steps=60)
    loop = demo.started_until(lambda read: len(read.metrics(0)) >= 2)
    (pid,) = small_demo.trainers(demo.run)
    kill_group(loop)
    demo.ask(demo.seen.look)
    loop = demo.started_until(lambda read: len(read.metrics(0)) >= 10)
    assert small_demo.trainers(demo.run) == {pid}
    kill_group(loop)
    demo.finish()
    assert [result.pid for result in small_demo.finished_trainings(demo.run)[0]] == [pid]
    assert steps_taken(demo.run, 0) == list(range(1, 61))


def test_a_loop_killed_with_all_its_workers_goes_on_where_it_was(demo: Demo) -> None:
    demo.write(experiments=2)

    def kill(loop: subprocess.Popen[bytes]) -> None:
        kill_group(loop)
        small_demo.kill_workers(demo.run)
        demo.ask(demo.seen.look)

    kill(demo.started_until(lambda _: len(steps_taken(demo.run, 0)) > CHECKPOINT_STEPS))  # in a training
    kill(demo.started_until(lambda read: done(read, Lane.TRAIN)))  # between two
    results = small_demo.finished_trainings(demo.run)
    kill(demo.started_until(lambda read: read.open_stage(Lane.EVALUATE) and len(read.votes(0)) > 0))  # in an evaluation
    votes = demo.ask(lambda read: read.votes(0))
    demo.finish()

    assert small_demo.finished_trainings(demo.run)[0] == results[0], "a finished training was done again"
    assert demo.ask(lambda read: read.votes(0))[: len(votes)] == votes
    assert small_demo.steps_again(demo.run, 0) <= CHECKPOINT_STEPS
