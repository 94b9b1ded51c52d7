"""Random kills of counting runs, as many as are asked for: of the runner, its trainer, the arena's server, or all.

Runners are forked from a process that has imported everything, so that a life is worth its start.
"""

from __future__ import annotations

import itertools
import os
import random
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import small_demo
from laws import Breach, Law

from chaos import loop
from chaos.checker import found_wrong
from chaos.faults import pids_of
from chaos.outside import Outside, Voter
from chaos.schedule import Who
from checkpoints.ownership import holder
from checkpoints.reader import Reader
from checkpoints.records import ENDS, RunState, State

EXPERIMENTS = 4

PAUSE_SECONDS = 0.5
"""Longest time from one kill to a look at who can be killed next."""

EARLY = 1 / 8
"""How many runners may be killed before they have the run."""

LOOK_SECONDS = 0.05
"""Longest time to the next look where nobody could be."""

END_SECONDS = 120.0
"""Longest time that a run which is killed no more may take to its end."""

HERE = Path(__file__).parents[1]

_FORKS = get_context("forkserver")
_FORKS.set_forkserver_preload(["chaos.loop"])


@dataclass
class Killed:
    """Who was killed, and what that broke."""

    kills: Counter[str] = field(default_factory=Counter[str])
    at_work: Counter[str] = field(default_factory=Counter[str])
    """Those of whom had something in hand: a runner the run, a trainer an order and no result."""

    rows: Counter[str] = field(default_factory=Counter[str])
    """What became of the runs."""

    found: list[tuple[str, Breach]] = field(default_factory=list[tuple[str, Breach]])
    """Laws broken, with the run's name."""

    def add(self, other: Killed) -> None:
        """Count what was done beside this, too."""
        self.kills += other.kills
        self.at_work += other.at_work
        self.rows += other.rows
        self.found += other.found

    def lines(self) -> Iterator[str]:
        """For a person."""
        for who in Who:
            yield f"  {f'kills of {who}':46} {self.kills[who]:6}, {self.at_work[who]} at work"
        yield from (f"  {name:46} {number:6}" for name, number in self.rows.items())
        broken = Counter(breach.law for _, breach in self.found)
        yield from (f"  {law:46} {broken[law]:6}" for law in Law)
        yield from (f"  ! {run}: {breach.law}: {breach.what}" for run, breach in self.found[:20])


def at_random(place: Path, kills: int, seed: int) -> Killed:
    """Kill run after run until there were so many kills, the same number of each target; each run then ends by itself.

    Args:
        place: A folder to have the runs in.
        kills: Together.
        seed: Of targets and moments.
    """
    os.environ["PYTHONPATH"] = os.pathsep.join((str(HERE.parent), str(HERE)))  # for the process that forks, too
    killed, left = Killed(), Counter({who: (kills + place) // len(Who) for place, who in enumerate(Who)})
    for number in itertools.count():
        _Run(place / f"killed-{seed}-{number}" / "run", killed, random.Random(f"{seed}/{number}")).through(left)
        if not left.total():
            return killed
    raise AssertionError


class _Run:
    """One run, killed until it has ended or there are no more kills to do."""

    def __init__(self, folder: Path, killed: Killed, chance: random.Random) -> None:
        self._folder, self._killed, self._chance = folder, killed, chance
        self._outside = Outside(folder)
        folder.parent.mkdir(parents=True)
        self._runner = self._started()

    def through(self, left: Counter[Who]) -> None:
        """Kill for as long as there are kills left to do, and count them off; then hold the run against the laws."""
        voter = Voter(self._folder, self._outside)
        voter.start()
        try:
            while left.total() and not self._has_finished():
                if not self._runner.is_alive():
                    self._start_again()
                if who := self._chosen(left):
                    self._kill(who)
                    left[who] -= 1
                    time.sleep(self._chance.uniform(0, PAUSE_SECONDS))
                else:
                    time.sleep(self._chance.uniform(0, LOOK_SECONDS))
            self._to_the_end()
        finally:
            voter.end()
        self._start_again()  # it takes in what came last, and changes nothing
        self._runner.join(END_SECONDS)
        self._judge()
        small_demo.kill_workers(self._folder)
        self._runner.kill()
        shutil.rmtree(self._folder.parent, ignore_errors=True)

    def _chosen(self, left: Counter[Who]) -> Who | None:
        """Whom to kill now: one of those that are there, the more likely the more often it is still to be killed.

        A runner is there when it has the run, one in eight before that; all are when a trainer is at work.
        """
        there = [who for who in Who if left[who] and (self._at_work(who) or (who is Who.RUNNER and self._early))]
        return self._chance.choices(there, [left[who] for who in there])[0] if there else None

    def _kill(self, who: Who) -> None:
        at_work, pids = self._at_work(who), self._pids(who)
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._killed.kills[who] += 1
        self._killed.at_work[who] += at_work
        if small_demo.has_begun(self._folder):
            self._outside.look()

    def _pids(self, who: Who) -> set[int]:
        return pids_of(self._folder, who, self._runner.pid if self._runner.is_alive() else None)

    def _at_work(self, who: Who) -> bool:
        """Whether a runner has the run, a trainer an order and no result, a server is there; for all: the first two."""
        if who is Who.ALL:
            return self._at_work(Who.RUNNER) and self._at_work(Who.TRAINER)
        return bool(self._pids(who)) and (who is not Who.RUNNER or holder(self._folder) is not None)

    def _to_the_end(self) -> None:
        until = time.monotonic() + END_SECONDS
        while not self._has_finished() or self._runner.is_alive():
            self._runner.join(max(0.0, until - time.monotonic()))
            if self._runner.is_alive():
                self._breach(Breach(Law.HANGS, f"the run has not ended within {END_SECONDS:g} s"))
                self._runner.kill()
                return
            if not self._has_finished():
                self._start_again()

    def _start_again(self) -> None:
        self._runner.join()
        if self._runner.exitcode not in (0, -signal.SIGKILL):
            self._breach(Breach(Law.HANGS, f"the loop ended with status {self._runner.exitcode}"))
        self._runner = self._started()

    def _started(self) -> ForkServerProcess:
        self._early = self._chance.random() < EARLY
        self._killed.rows["starts of a runner"] += 1
        process = _FORKS.Process(target=_drive, args=(self._folder,))
        process.start()
        return process

    def _has_finished(self) -> bool:
        if not small_demo.has_begun(self._folder):
            return False
        with closing(Reader(self._folder)) as read:
            run = read.run()
        return run is not None and run.state is RunState.FINISHED

    def _judge(self) -> None:
        """Hold a run that has ended against the laws."""
        if self._runner.exitcode != 0:
            self._breach(Breach(Law.HANGS, f"a run that had ended: status {self._runner.exitcode}"))
        for breach in found_wrong(self._folder, EXPERIMENTS, self._outside):
            self._breach(breach)
        with closing(Reader(self._folder)) as read:
            again = sum(small_demo.steps_again(self._folder, one.number) for one in read.experiments())
            self._killed.rows.update(
                {
                    "runs": 1,
                    "experiments ended": read.count(*ENDS),
                    "experiments whose trainer died twice": read.count(State.CRASHED),
                    "training steps done again": again,
                    "votes acknowledged": len(self._outside.votes),
                }
            )

    def _breach(self, breach: Breach) -> None:
        self._killed.found.append((self._folder.parent.name, breach))


def _drive(folder: Path) -> None:
    """A runner, in a process of its own that is not its parent's group."""
    os.setsid()
    with (folder.parent / "said.txt").open("ab") as said:
        for stream in (sys.stdout, sys.stderr):
            os.dup2(said.fileno(), stream.fileno())
    os.environ["OMP_NUM_THREADS"] = "1"
    sys.argv = ["chaos.loop", str(folder), str(EXPERIMENTS)]
    sys.exit(loop.main())
