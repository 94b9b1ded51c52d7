"""Looks at a promotion test: which model its votes recommend after each voter, however many come in at once."""

from __future__ import annotations

from itertools import accumulate

from checkpoints import writes
from checkpoints.store import Store
from lanes.terms import Terms

FEWEST = 30
"""Voters that a promotion test asks for at least, so that there are looks enough to be steady at."""


class Looks:
    """Keeps them; begun again after a kill it goes on after the last one."""

    def __init__(self, store: Store, terms: Terms) -> None:
        self._store, self._terms = store, terms
        self._kept = [look.model for look in store.read.looks_of(terms.test)]

    def look(self) -> None:
        """Keep what the votes said after each voter whose session has closed since; all of it anew where voters who
        were counted are excluded by now."""
        said = self._said()
        if said[: len(self._kept)] != self._kept:
            self._store.submit(writes.forget_looks, self._terms.test)
            self._kept = []
        for voters, ahead in list(enumerate(said, 1))[len(self._kept) :]:
            self._store.submit(writes.add_look, ahead, voters, self._terms.test)
        self._kept = said

    def _said(self) -> list[str]:
        """Which model was ahead after each voter."""
        terms = self._terms
        _, means = self._store.read.closed_means(terms.experiment, terms.candidate, terms.opponent, test=terms.test)
        return [terms.candidate if wins > 0 else terms.opponent for wins in accumulate(means)]
