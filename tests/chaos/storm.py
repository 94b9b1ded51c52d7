"""One run through one schedule of faults, from its start to its end, and what it broke."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import small_demo
from laws import Breach, Law
from small_disk import SmallDisk

from chaos.checker import found_wrong
from chaos.faults import Admitted, Storm
from chaos.loop import UNUSABLE
from chaos.outside import Outside, Voter
from chaos.samples import Sampler
from chaos.schedule import Fault, What
from checkpoints.reader import Reader
from checkpoints.records import RunState

END_SECONDS = 240.0
"""Longest time that a run which nothing is done to any more may take to its end."""

MEGABYTES = 300
"""Of the disk that a run has to itself."""

HERE = Path(__file__).parents[1]

KINDS = tuple(what for what in What if what is not What.EDIT)
"""What may happen to a counting run; it reads no ``program.md`` again."""


@dataclass
class Passed:
    """What a schedule did to a run, and what that broke."""

    done: Counter[str] = field(default_factory=Counter)
    """Faults that met something, by name."""

    breaches: list[Breach] = field(default_factory=list)
    starts: int = 0
    votes: int = 0
    steps: int = 0
    experiments: int = 0
    bytes: int = 0
    """Of the database at the end."""


def through(folder: Path, faults: Sequence[Fault], experiments: int, sampler: Sampler | None = None) -> Passed:
    """Drive a counting run through a schedule to its end, and hold it against the laws.

    Args:
        folder: That is not there yet; the run is in ``run`` below it.
        faults: To be done, one after the other.
        experiments: Of the run's budget.
        sampler: Is told whom to look at.
    """
    with _disk(folder) as disk:
        run, passed = folder / "run", Passed()
        outside = Outside(run)
        driver = _Driver(run, experiments, passed, sampler)
        voter = Voter(run, outside)
        voter.start()
        storm = Storm(run, driver.start, outside, disk, None)
        try:
            for fault in faults:
                driver.wait(fault.after)
                passed.done[fault.name] += storm.strike(fault, driver.process)
                if small_demo.has_begun(run):
                    outside.look()
            driver.to_the_end()
        except (Admitted, TimeoutError) as wrong:
            passed.breaches.append(Breach(Law.HANGS, str(wrong)))
        finally:
            voter.end()
            small_demo.kill_group(driver.process)
        if not passed.breaches:
            driver.once_more()
            passed.breaches += found_wrong(run, experiments, outside)
            with closing(Reader(run)) as read:
                passed.experiments = read.count()
        small_demo.kill_workers(run)
        passed.votes, passed.steps = len(outside.votes), len(outside.steps)
        passed.bytes = (run / "run.db").stat().st_size
    return passed


class _Driver:
    """Keeps a process at the run, as whoever looks after it does."""

    def __init__(self, run: Path, experiments: int, passed: Passed, sampler: Sampler | None) -> None:
        self._run, self._experiments = run, experiments
        self._passed, self._sampler = passed, sampler
        self.process = self._started()

    def start(self) -> subprocess.Popen[bytes]:
        """A process that drives the run, if it may."""
        self._run.parent.mkdir(parents=True, exist_ok=True)
        path = os.pathsep.join((str(HERE.parent), str(HERE)))
        with (self._run.parent.with_suffix(".said")).open("ab") as said:
            return subprocess.Popen(
                [sys.executable, "-m", "chaos.loop", str(self._run), str(self._experiments)],
                stdin=subprocess.DEVNULL, stdout=said, stderr=said, start_new_session=True,
                env=os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
            )  # fmt: skip

    def wait(self, seconds: float) -> None:
        """Let it go on for a while, started again whenever it is gone."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if self._gone(left) and not self._has_finished():
                self.process = self._started()
            elif self.process.poll() is not None:
                time.sleep(max(0.0, left))

    def to_the_end(self) -> None:
        """Nothing more is done to it: it is to end, and well.

        Raises:
            TimeoutError: It does not.
        """
        until = time.monotonic() + END_SECONDS
        while not (self._gone(until - time.monotonic()) and self.process.returncode == 0 and self._has_finished()):
            if time.monotonic() > until:
                raise TimeoutError(f"the run has not ended within {END_SECONDS:g} s")
            self.process = self._started()

    def once_more(self) -> None:
        """A run that has ended is started again: it takes in what came last, and changes nothing."""
        self.process = self._started()
        if not self._gone(END_SECONDS) or self.process.returncode:
            self._passed.breaches.append(Breach(Law.HANGS, "a run that had ended goes on, or ends badly"))

    def _started(self) -> subprocess.Popen[bytes]:
        self._passed.starts += 1
        process = self.start()
        if self._sampler:
            self._sampler.watch("runner", process.pid, self._run)
        return process

    def _gone(self, seconds: float) -> bool:
        try:
            status = self.process.wait(max(0.0, seconds))
        except subprocess.TimeoutExpired:
            return False
        if status > 0 and status != UNUSABLE:
            self._passed.breaches.append(Breach(Law.HANGS, f"the loop ended with status {status}"))
            raise TimeoutError(self._last_words())
        return True

    def _last_words(self) -> str:
        places = (self._run.parent.with_suffix(".said"), self._run / "headless.log")
        lines = [
            line
            for place in places
            if place.exists()
            for line in place.read_text(encoding="utf-8", errors="replace").splitlines()
        ]
        return lines[-1] if lines else "it said nothing"

    def _has_finished(self) -> bool:
        if not small_demo.has_begun(self._run):
            return False
        with closing(Reader(self._run)) as read:
            run = read.run()
        return run is not None and run.state is RunState.FINISHED


@contextmanager
def _disk(folder: Path) -> Iterator[SmallDisk | None]:
    """A small disk at a folder, for as long as a run is on it; none where this machine does not let us mount one."""
    folder.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={MEGABYTES}m", "tmpfs", str(folder)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        yield None
        return
    try:
        yield SmallDisk(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
