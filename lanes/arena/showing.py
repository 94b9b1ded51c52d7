"""Which pair a person sees: theirs again until they have voted, then an attention check or the pair that needs it most.

A pair that somebody looks at is not shown to others meanwhile, as far as its votes are enough; so twenty people
who come together vote on twenty pairs.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from lanes.arena.attention import check_due
from lanes.arena.ballots import Pair
from lanes.arena.ledger import Ledger
from lanes.arena.lineup import Lineup

HOLD_SECONDS = 180.0
"""How long a pair is somebody's who does not vote on it; they may vote on it later all the same."""


@dataclass(frozen=True, slots=True)
class _Look:
    """Which pair somebody looks at, and when they were shown it."""

    pair: str
    first: float
    last: float


class Showing:
    """Who looks at which pair; forgotten when the service ends, and nothing is lost by that."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._looks: dict[str, _Look] = {}

    def next(self, ledger: Ledger, lineup: Lineup, voter: str) -> Pair | None:
        """The pair that a person sees now, in nobody's order yet; None where there is none for them.

        Args:
            ledger: To choose from; an attention check has to be added to it.
            lineup: What is asked now.
            voter: Who looks.
        """
        before = self._looks.get(voter)
        pair = ledger.pair(before.pair) if before else None
        if pair is None or pair.closed or ledger.has_voted(voter, pair.id):
            pair = check_due(ledger, lineup, voter) or ledger.next_pair(voter, self._held(voter))
        if pair is None:
            self._looks.pop(voter, None)
        else:
            now = self._clock()
            first = before.first if before and before.pair == pair.id else now
            self._looks[voter] = _Look(pair.id, first, now)
        return pair

    def seconds(self, voter: str, pair: str) -> float | None:
        """How long ago a person was shown a pair first; None where it is not what they look at, as far as is known."""
        look = self._looks.get(voter)
        return self._clock() - look.first if look and look.pair == pair else None

    def more(self, ledger: Ledger, voter: str) -> bool:
        """Whether there is a further pair for a person."""
        return ledger.next_pair(voter, self._held(voter)) is not None

    def _held(self, voter: str) -> list[str]:
        """What others look at."""
        latest = self._clock() - HOLD_SECONDS
        return [look.pair for name, look in self._looks.items() if name != voter and look.last > latest]
