"""What kill -9 breaks: a running loop killed at random moments and at every commit, then held against the laws.

Run: ``python -m bench.kills`` (sleeping lanes: 200 kills at random moments, and one before and after each commit of a
short run; about five minutes) or ``python -m bench.kills --real 10`` (kills of the demo with real, small trainings, its
server and its votes, one time in three with all its workers) or ``python -m bench.kills --counting 1000`` (runs of
trainers that count, the arena's server and votes over its door; a quarter of the kills each of the runner, the trainer,
the server and all; two runs at a time). The exit status is 1 when anything is above 0.
"""

from __future__ import annotations

import argparse
import itertools
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import Pipe, get_context
from multiprocessing.connection import Connection
from multiprocessing.context import ForkProcess
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[1] / "tests")]

import small_demo
from chaos.killing import Killed
from chaos.killing import at_random as kill_counting
from laws import Breach, Law, Seen, breaches
from loop_process import loop
from sleeping import VOTES
from small_demo import has_begun

from checkpoints.reader import Reader
from checkpoints.records import ENDS

EXPERIMENTS = 80
"""Of a run of sleeping lanes that is killed at random moments; when it has ended, the next one is killed."""

SLOWER = 4
"""Passages that are long enough for kills to meet them: 80 ms of training, 40 ms of votes."""

LIFE_SECONDS = 0.4
"""Longest life of a loop, from its first commit; every eighth is killed within this time from its start instead."""

SHORT_RUN = 2
"""Experiments of the run that is killed at each of its commits."""

REAL_LIFE_SECONDS = (1.0, 30.0)
REAL_EXPERIMENTS = 3
REAL_SECONDS = 600.0
"""Longest time that a run which is killed no more may take to its end."""


@dataclass
class Damage:
    """What was done to loops, and what it did to them."""

    kills: int = 0
    at_work: int = 0
    """Kills of a process that had begun a commit since it was started."""

    workers_killed: int = 0
    taken_up: int = 0
    """Trainings that the very process finished which had been left by a loop that was killed."""

    steps_again: int = 0
    """Steps that trainers did a second time, as their checkpoint was older."""

    resumes: int = 0
    runs: int = 0
    ended: int = 0
    found: list[str] = field(default_factory=list)
    by_law: Counter[Law] = field(default_factory=Counter)

    def add(self, folder: Path, found: list[Breach]) -> None:
        """What one run breaks."""
        self.by_law.update(breach.law for breach in found)
        self.found += [f"{folder.name}: {breach.law}: {breach.what}" for breach in found]

    def count(self, read: Reader) -> None:
        """The experiments of a run that is over."""
        self.runs += 1
        self.ended += read.count(*ENDS)

    def tell(self, what: str, seconds: float) -> None:
        """Print it."""
        print(f"\n{what}, {seconds:.0f} s")
        rows: list[tuple[str, int]] = [
            ("kills", self.kills), ("of a loop that was at work", self.at_work),
            ("worker processes killed along", self.workers_killed), ("resumes", self.resumes),
            ("trainers left alive that were taken up", self.taken_up), ("training steps done again", self.steps_again),
            ("runs", self.runs), ("experiments ended", self.ended), *((law, self.by_law[law]) for law in Law),
        ]  # fmt: skip
        for name, number in rows:
            print(f"  {name:46} {number:6}")
        for line in self.found[:20]:
            print(f"  ! {line}")


def main() -> int:
    asked = _asked()
    with tempfile.TemporaryDirectory() as place:
        if asked.counting:
            return counting(Path(place), asked.counting, asked.seed)
        if asked.real:
            all_damage = [
                timed("real trainings, a server and votes", partial(real, Path(place), asked.real, asked.seed)),
            ]
        else:
            all_damage = [
                timed("sleeping lanes, at random moments", partial(at_random, Path(place), asked.kills, asked.seed)),
                timed("sleeping lanes, before and after each commit", partial(at_each_commit, Path(place))),
            ]
    return 1 if any(damage.found for damage in all_damage) else 0


def timed(what: str, kill: Callable[[], Damage]) -> Damage:
    """Kill, and say what came of it."""
    began = time.monotonic()
    damage = kill()
    damage.tell(what, time.monotonic() - began)
    return damage


def at_random(place: Path, kills: int, seed: int) -> Damage:
    """Kill loops of sleeping lanes at random moments; each run is killed until it has ended."""
    damage, chance = Damage(), random.Random(seed)
    for number in itertools.count():
        if damage.kills >= kills:
            break
        folder, seen = place / f"random-{number}", Seen()
        while damage.kills < kills and _one_life(folder, damage, chance, seen):
            pass
        _finish(folder, damage, EXPERIMENTS, seen)
    return damage


def _one_life(folder: Path, damage: Damage, chance: random.Random, seen: Seen) -> bool:
    """Start or resume a loop and kill it after some time; False when it had ended by itself."""
    damage.resumes += has_begun(folder)
    at_work, tell = Pipe(duplex=False)
    process = _fork(folder, EXPERIMENTS, 0, SLOWER, tell.send)
    tell.close()
    if chance.random() > 1 / 8:
        at_work.poll(60)
    process.join(chance.uniform(0, LIFE_SECONDS))
    process.kill()
    process.join()
    if process.exitcode != -signal.SIGKILL:
        damage.add(folder, _wrong_end(process.exitcode))
        return False
    damage.kills += 1
    damage.at_work += _has_told(at_work)
    _look(folder, seen)
    return True


def _has_told(at_work: Connection) -> bool:
    with closing(at_work):
        try:
            return at_work.poll() and at_work.recv() > 0
        except EOFError:
            return False


def at_each_commit(place: Path) -> Damage:
    """Kill a short run before and after its first, its second, … commit, and let each one go on to its end."""
    damage = Damage()
    for commit in itertools.count(1):
        folder, seen = place / f"commit-{commit}", Seen()
        process = _fork(folder, SHORT_RUN, commit)
        process.join()
        if process.exitcode != -signal.SIGKILL:
            break
        damage.kills += 1
        damage.at_work += commit > 1
        damage.resumes += 1
        _look(folder, seen)
        _finish(folder, damage, SHORT_RUN, seen)
    return damage


def _fork(folder: Path, *how: object) -> ForkProcess:
    """A loop in a process of its own that need not import anything; it has no children, so it is its whole group."""
    process = get_context("fork").Process(target=loop, args=(folder, *how))
    process.start()
    return process


def _finish(folder: Path, damage: Damage, experiments: int, seen: Seen) -> None:
    """Let a run go on to its end, and hold it against the laws."""
    process = _fork(folder, experiments)
    process.join(300)
    process.kill()
    found = _wrong_end(process.exitcode)
    with closing(Reader(folder)) as read:
        found += breaches(read, experiments, VOTES) + seen.breaches(read)
        damage.count(read)
    done = Counter(file.name.rpartition("-")[0] for file in folder.glob("train-*.done"))
    found += [Breach(Law.AGAIN, f"{name} was done {times} times") for name, times in done.items() if times > 1]
    damage.add(folder, found)


def real(place: Path, kills: int, seed: int) -> Damage:
    """Kill the demo at random moments, one time in three with all its workers."""
    damage, chance = Damage(), random.Random(seed)
    for number in itertools.count():
        if damage.kills >= kills:
            return damage
        _real_run(place / f"real-{number}", damage, kills, chance)
    raise AssertionError


def _real_run(folder: Path, damage: Damage, kills: int, chance: random.Random) -> None:
    """One run of the demo, killed until it has ended or there were enough kills, and held against the laws."""
    run = small_demo.write_small_demo(folder, REAL_EXPERIMENTS)
    seen, trained, left, found = Seen(), dict[int, small_demo.Finished](), set[int](), list[Breach]()
    while True:
        damage.resumes += has_begun(run)
        process = small_demo.start(folder)
        try:
            ended = process.wait(chance.uniform(*REAL_LIFE_SECONDS) if damage.kills < kills else REAL_SECONDS)
            break
        except subprocess.TimeoutExpired:
            ended = small_demo.kill_group(process)
            if damage.kills == kills:
                break
        damage.at_work += has_begun(run)
        damage.workers_killed += small_demo.kill_workers(run) if chance.random() < 1 / 3 else 0
        left |= small_demo.trainers(run)
        damage.kills += 1
        _look(run, seen)
        found += _trained_again(run, trained)
    found += _wrong_end(ended) + _trained_again(run, trained)
    if lost := small_demo.worker_pids(run):
        found.append(Breach(Law.HANGS, f"{len(lost)} worker processes were left"))
    damage.taken_up += len(left & {result.pid for result in trained.values()})
    damage.steps_again += sum(small_demo.steps_again(run, number) for number in trained)
    with closing(Reader(run)) as read:
        found += breaches(read, REAL_EXPERIMENTS) + seen.breaches(read)
        damage.count(read)
        print(f"{folder.name}: " + "; ".join(f"{verdict.experiment} {verdict.outcome}" for verdict in read.verdicts()))
    damage.add(folder, found)


def _wrong_end(status: int | None) -> list[Breach]:
    """A loop that ended by itself ends well."""
    return [Breach(Law.HANGS, f"the loop ended with status {status}")] if status else []


def counting(place: Path, kills: int, seed: int) -> int:
    """Kill runs of trainers that count, two at a time, say what came of it, and return the exit status."""
    began, killed = time.monotonic(), Killed()
    with ProcessPoolExecutor(2, get_context("spawn")) as side_by_side:
        for part in side_by_side.map(kill_counting, (place,) * 2, (kills // 2, kills - kills // 2), (seed, seed + 1)):
            killed.add(part)
    print(f"\ntrainers that count, {time.monotonic() - began:.0f} s")
    print("\n".join(killed.lines()))
    return 1 if killed.found else 0


def _trained_again(run: Path, known: dict[int, small_demo.Finished]) -> list[Breach]:
    """Trainings whose result is not the one that was there at an earlier look, or that have two."""
    found: list[Breach] = []
    for experiment, results in small_demo.finished_trainings(run).items():
        if len(results) > 1 or known.setdefault(experiment, results[0]) != results[0]:
            found.append(Breach(Law.AGAIN, f"experiment {experiment} was trained again"))
    return found


def _look(folder: Path, seen: Seen) -> None:
    if has_begun(folder):
        with closing(Reader(folder)) as read:
            seen.look(read)


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200, help="at random moments of loops of sleeping lanes")
    parser.add_argument("--seed", type=int, default=1, help="of the moments")
    parser.add_argument("--real", type=int, default=0, help="kill real trainings so often, instead of sleeping lanes")
    parser.add_argument("--counting", type=int, default=0, help="kill runs of trainers that count so often, instead")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
