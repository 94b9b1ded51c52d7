"""A schedule: faults one after the other, drawn from a seed, so that the same can be had again whole or in part."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class What(StrEnum):
    """What is done to a run."""

    KILL = "SIGKILL"
    TERM = "SIGTERM"
    STOP = "SIGSTOP, then SIGCONT"
    HUP = "SIGHUP"
    SECOND = "a second instance"
    LOCK = "a locked database"
    FULL = "a full disk"
    LIMIT = "files that cannot grow"
    VETO = "a veto"
    PIN = "a pin, then none"
    PAUSE = "a pause, then on"
    SKIP = "a skip"
    EDIT = "an edit of program.md"


class Who(StrEnum):
    """Which processes of the run it is done to."""

    RUNNER = "the runner"
    TRAINER = "the trainer"
    SERVER = "the server"
    ALL = "all"


SIGNALS = (What.KILL, What.TERM, What.STOP)

TARGETS: dict[What, tuple[Who, ...]] = dict.fromkeys(SIGNALS, tuple(Who)) | {
    What.HUP: (Who.RUNNER,),
    What.LIMIT: (Who.RUNNER, Who.TRAINER, Who.SERVER),
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is done, some time after the one before."""

    what: What
    who: Who | None
    """Whom it is done to, where it is not done to the run."""

    after: float
    """Seconds."""

    lasting: float
    """Seconds, of what goes on for a while."""

    def __str__(self) -> str:
        to = f" to {self.who}" if self.who else ""
        return f"after {self.after:.2f} s {self.what}{to}" + (f", for {self.lasting:.2f} s" if self.lasts else "")

    @property
    def lasts(self) -> bool:
        """Whether it goes on for a while."""
        return self.what in (What.STOP, What.LOCK, What.FULL, What.LIMIT, What.PIN, What.PAUSE)

    @property
    def name(self) -> str:
        """Under which it is counted."""
        return f"{self.what} to {self.who}" if self.who else str(self.what)


def drawn(seed: int, faults: int, kinds: Sequence[What], pace: float) -> tuple[Fault, ...]:
    """The schedule of a seed.

    Args:
        seed: The same gives the same.
        faults: How many.
        kinds: What may happen; SIGKILL three times as often as anything else.
        pace: Longest time between two, and that anything lasts, in seconds.
    """
    chance = random.Random(seed)
    weighted = [*kinds, *(What.KILL,) * 2]
    return tuple(_fault(chance, chance.choice(weighted), pace) for _ in range(faults))


def _fault(chance: random.Random, what: What, pace: float) -> Fault:
    who = chance.choice(TARGETS[what]) if what in TARGETS else None
    return Fault(what, who, round(chance.uniform(0, pace), 3), round(chance.uniform(0.1, pace), 3))
