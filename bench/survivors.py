"""The same small job in our loop, in DBOS and in Optuna, killed at the same random moments and counted from outside.

    python -m bench.survivors

Each does experiments of three short stages; what a stage does is a line in a file that no database knows of. Each is
killed with SIGKILL until 80 kills have met it, started again each time, and at last left alone until it says that it is
done. Then a second instance is started beside a running one, ten times. DBOS and Optuna, both on SQLite and used as
their own guides have it, are installed with pip into the environment of ``bench.peers``; one that cannot be is left out
with a line. About half an hour, most of it Optuna with its heartbeat; the exit status is 1 when ours has lost anything
or left anything hanging.
"""

from __future__ import annotations

import argparse
import math
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.parts.small_job import Step, again, lines, lost, under_way
from bench.parts.survivors import Survivor, last_words, survivors

EXPERIMENTS = 20
"""Of a job; when it is done, the next one is killed."""

LIFE_SECONDS = 0.4
"""Longest life, from the first stage that is begun; every eighth ends within this time from its start instead."""

JOB_SECONDS = 120.0
"""Longest time that a job which is killed no more may take to its end."""

LOOK_SECONDS = 0.005


@dataclass
class Toll:
    """What the kills did."""

    name: str
    kills: int = 0
    jobs: int = 0
    lost: int = 0
    again: int = 0
    """Effects of stages that came once more, though the database had them as done when the process was dead."""

    unrecorded: int = 0
    """Effects that came once more, as the process had died between the effect and its record."""

    hanging: int = 0
    wrong: list[str] = field(default_factory=list)
    progress: list[float] = field(default_factory=list)
    """Seconds from a new start to the first stage that is begun."""

    resumed: list[float] = field(default_factory=list)
    """Seconds from a kill to the next sign of an experiment that was under way."""

    seconds: float = 0.0

    @property
    def line(self) -> str:
        """Of the table."""
        counts = "".join(f"{count:9}" for count in (self.kills, self.lost, self.again, self.unrecorded, self.hanging))
        return f"{self.name:26}{counts}  {_times(self.progress)}  {_times(self.resumed)}"


@dataclass
class Company:
    """What second instances did."""

    name: str
    failed: list[float] = field(default_factory=list)
    """Seconds from their start to their end, where they ended with an error."""

    said: str = ""
    twice: list[int] = field(default_factory=list)
    """Effects that came more than once, by round."""

    @property
    def line(self) -> str:
        """Of the table."""
        fate = f"all {len(self.twice)} worked along"
        if self.failed:
            seconds = f"{statistics.median(self.failed):.2f} s, slowest {max(self.failed):.2f} s"
            fate = f"{len(self.failed)} of {len(self.twice)} ended with an error, in {seconds} ({self.said})"
        doubled = sum(count > 0 for count in self.twice)
        return f"{self.name:26}{sum(self.twice)} effects twice, in {doubled} of {len(self.twice)} jobs; {fate}"


def main() -> int:
    """Kill and accompany one after the other, then print the tables."""
    asked = _asked()
    tolls: list[Toll] = []
    company: list[Company] = []
    with tempfile.TemporaryDirectory() as name:
        for number, survivor in enumerate(survivors()):
            place = Path(name) / str(number)
            place.mkdir()
            tolls.append(killed(survivor, place, asked.kills, asked.seed))
            print(f"{tolls[-1].line}  ({tolls[-1].jobs} jobs, {tolls[-1].seconds:.0f} s)", flush=True)
            company.append(accompanied(survivor, place, asked.rounds))
            print(company[-1].line, flush=True)
    heads = "".join(f"{head:>9}" for head in ("kills", "lost", "again", "not yet", "hanging"))
    print(f"\n{'':26}{heads}  {'start to progress':>17}  {'kill to resumed':>17}")
    print(f"{'':71}  {'p50':>7}{'p99':>10}  {'p50':>7}{'p99':>10}")
    print(
        *(toll.line for toll in tolls), *(f"! {toll.name}: {what}" for toll in tolls for what in toll.wrong), sep="\n"
    )
    print("\na second instance beside a running one", *(one.line for one in company), sep="\n")
    return 1 if any(toll.lost or toll.again or toll.hanging or toll.wrong for toll in tolls[:2]) else 0


def killed(survivor: Survivor, place: Path, kills: int, seed: int) -> Toll:
    """Kill one as often as asked, job after job; each job is left alone at last until it says that it is done."""
    toll, chance, began = Toll(survivor.name), random.Random(seed), time.monotonic()
    while toll.kills < kills:
        job = Job(survivor, place / f"job-{toll.jobs}")
        while toll.kills + len(job.lives) < kills and job.live(chance):
            pass
        job.finish()
        job.count(toll)
    toll.seconds = time.monotonic() - began
    return toll


@dataclass
class Job:
    """One job of one program, over its deaths."""

    survivor: Survivor
    folder: Path
    lives: list[tuple[float, float]] = field(default_factory=list)
    """From start to kill, monotonic."""

    recorded: dict[Step, float] = field(default_factory=dict)
    """When the database was first seen to say that a stage is done."""

    under_way: list[tuple[float, int]] = field(default_factory=list)
    """Experiments that were under way when it was killed, and when that was."""

    wrong: str = ""

    def live(self, chance: random.Random) -> bool:
        """Start it and kill it after some time; False when it had come to its end by itself."""
        early, life = chance.random() < 1 / 8, chance.uniform(0, LIFE_SECONDS)
        process, began = self.survivor.start(self.folder, EXPERIMENTS), time.monotonic()
        if not early:
            wait_for_work(process, self.folder, began)
        status = _ended(process, life)
        if status is not None:
            self._end(status)
            return False
        found, dead = lines(self.folder), time.monotonic()
        self.lives.append((began, dead))
        self.under_way += [(dead, number) for number in under_way(found)]
        for step in self.survivor.recorded(self.folder):
            self.recorded.setdefault(step, dead)
        return True

    def finish(self) -> None:
        """Let it come to its end."""
        process = self.survivor.start(self.folder, EXPERIMENTS)
        self._end(_ended(process, JOB_SECONDS))

    def _end(self, status: int | None) -> None:
        if status != 0:
            self.wrong = f"ended with {status}: {last_words(self.folder)}" if status else "did not come to its end"

    def count(self, toll: Toll) -> None:
        """What came of it."""
        found = lines(self.folder)
        toll.jobs += 1
        toll.kills += len(self.lives)
        toll.lost += lost(self.folder, EXPERIMENTS)
        toll.hanging += self.survivor.hanging(self.folder)
        for line in again(found):
            known = self.recorded.get(line.step, math.inf) < line.at
            toll.again, toll.unrecorded = toll.again + known, toll.unrecorded + (not known)
        for began, dead in self.lives:
            toll.progress += [line.at - began for line in found if line.what == "begun" and began < line.at < dead][:1]
        for dead, number in self.under_way:
            toll.resumed += [line.at - dead for line in found if line.step[0] == number and line.at > dead][:1]
        toll.wrong += [self.wrong] if self.wrong else []


def accompanied(survivor: Survivor, place: Path, rounds: int) -> Company:
    """Start a second one beside a first that is at work, and let both come to their ends."""
    company = Company(survivor.name)
    for number in range(rounds):
        folder = place / f"company-{number}"
        first, began = survivor.start(folder, EXPERIMENTS), time.monotonic()
        wait_for_work(first, folder, began)
        second, began = survivor.start(folder, EXPERIMENTS), time.monotonic()
        if _ended(second, JOB_SECONDS):
            company.failed.append(time.monotonic() - began)
            company.said = last_words(folder)
        _ended(first, JOB_SECONDS)
        company.twice.append(len(again(lines(folder))))
    return company


def wait_for_work(process: subprocess.Popen[bytes], folder: Path, since: float) -> None:
    """Wait until a stage was begun since then, or the process has ended."""
    until = time.monotonic() + JOB_SECONDS
    while process.poll() is None and time.monotonic() < until:
        if any(line.what == "begun" and line.at > since for line in lines(folder)[-8:]):
            return
        time.sleep(LOOK_SECONDS)


def _ended(process: subprocess.Popen[bytes], seconds: float) -> int | None:
    """Exit status of a process that ends within a time; one that does not is killed, which is None."""
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return None


def _times(found: Sequence[float]) -> str:
    """Median and 99th percentile, in seconds."""
    if not found:
        return f"{'–':>7}{'–':>10}"
    at = sorted(found)
    return f"{statistics.median(at):5.2f} s{at[math.ceil(0.99 * len(at)) - 1]:8.2f} s"


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=80, help="of each")
    parser.add_argument("--rounds", type=int, default=10, help="second instances of each")
    parser.add_argument("--seed", type=int, default=1, help="of the moments")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
