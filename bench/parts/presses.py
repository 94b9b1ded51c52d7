"""How long a key takes: from writing it to the pseudo-terminal until what it changes has come back."""

from __future__ import annotations

import random
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain

from bench.parts.terminal import COLUMNS, ROWS, Piece, Terminal

LONGEST = 3.0
"""Seconds after which a key counts as not answered."""

LEAST, MOST = 0.12, 0.6
"""Seconds between two keys, as a person types."""


@dataclass
class Presses:
    """Presses keys at a person's pace and remembers how long each took."""

    shown: Terminal
    live: frozenset[tuple[int, int]]
    """Rows and columns that change by themselves, which answer no key."""

    first: dict[str, list[float]] = field(default_factory=dict)
    """Seconds until something had changed, by kind of key."""

    whole: dict[str, list[float]] = field(default_factory=dict)
    """Seconds until the last of it had come, before the next key."""

    own: list[float] = field(default_factory=list)
    """Seconds until something had changed, less those in which the program waited for a processor that others had."""

    unanswered: list[str] = field(default_factory=list)
    strays: int = 0
    """Changes outside of what is live that no key had asked for."""

    random: random.Random = field(default_factory=lambda: random.Random(7))

    def press(self, kind: str, *keys: str) -> None:
        """Press keys, one after the other, each when a person would."""
        for key in keys:
            self.strays += self._drawn_meanwhile()
            before, queued = self._seen(), self.shown.queued()
            began = self.shown.write(key.encode())
            changes: list[Piece] = []
            waited, pause = 0.0, self.random.uniform(LEAST, MOST)
            while waited < pause or (not changes and waited < LONGEST):
                self.shown.read(pause)
                waited += pause
                for piece in self.shown.draw():
                    if (now := self._seen()) != before:
                        before = now
                        changes.append(piece)
            if changes:
                self.first.setdefault(kind, []).append(changes[0].at - began)
                self.whole.setdefault(kind, []).append(changes[-1].at - began)
                self.own.append(changes[0].at - began - (changes[0].queued - queued))
            else:
                self.unanswered.append(f"{kind} {key!r}")

    def _drawn_meanwhile(self) -> int:
        before = self._seen()
        for _ in self.shown.draw():
            pass
        return int(self._seen() != before)

    def _seen(self) -> list[object]:
        """Every cell that is not live, with its colours."""
        buffer = self.shown.screen.buffer
        return [buffer[y][x] for y in range(ROWS) for x in range(COLUMNS) if (y, x) not in self.live]

    def table(self) -> Iterable[str]:
        """A line a kind of key, and one for all."""
        yield f"{'key':<22} {'presses':>7} {'p50':>8} {'p99':>8} {'max':>8}   until all of it: {'p50':>7} {'max':>8}"
        for kind in self.first:
            yield _line(kind, self.first[kind], self.whole[kind])
        yield _line("all", *([*chain.from_iterable(times.values())] for times in (self.first, self.whole)))


def p99(times: Sequence[float]) -> float:
    """The time that one press in a hundred exceeds."""
    return sorted(times)[max(0, -(-99 * len(times) // 100) - 1)]


def _line(kind: str, first: Sequence[float], whole: Sequence[float]) -> str:
    ms = [1000 * time for time in (statistics.median(first), p99(first), max(first))]
    late = [1000 * time for time in (statistics.median(whole), max(whole))]
    return (
        f"{kind:<22} {len(first):>7} {ms[0]:5.0f} ms {ms[1]:5.0f} ms {ms[2]:5.0f} ms"
        f"{'':<19} {late[0]:4.0f} ms {late[1]:5.0f} ms"
    )
