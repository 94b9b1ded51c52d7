"""Looks at a promotion test: which model its votes recommend after each voter, however many come in at once."""

from __future__ import annotations

from checkpoints import writes
from checkpoints.store import Store
from lanes.terms import Terms

FEWEST = 30
"""Voters that a promotion test asks for at least, so that there are looks enough to be steady at."""


class Looks:
    """Keeps them; begun again after a kill it goes on after the last one."""

    def __init__(self, store: Store, terms: Terms) -> None:
        self._store, self._terms = store, terms
        self._mark, self._voters, self._wins = 0.0, 0, 0.0
        kept = store.read.looks_of(terms.test)
        self._known = kept[-1].voters if kept else 0

    def look(self) -> None:
        """Keep what the votes said after each voter whose session has closed since."""
        terms = self._terms
        self._mark, means = self._store.read.closed_means(
            terms.experiment, terms.candidate, terms.opponent, self._mark, terms.test
        )
        for mean in means:
            self._voters += 1
            self._wins += mean
            if self._voters > self._known:
                ahead = terms.candidate if self._wins > 0 else terms.opponent
                self._store.submit(writes.add_look, ahead, self._voters, terms.test)
