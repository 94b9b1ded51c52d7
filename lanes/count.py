"""One question as its votes come in: looked at again and again, each voter as one, and shown how near its end is."""

from __future__ import annotations

import math
import time

from checkpoints import writes
from checkpoints.records import Lane, Progress, VoterMeans
from checkpoints.store import Store
from lanes.analyze.verdict import to_go
from lanes.analyze.win_rate import anytime, half_width
from lanes.terms import Terms


class Count:
    """What the store has of the votes on one question, whoever brought them there."""

    def __init__(self, store: Store, terms: Terms, whose: str) -> None:
        """Take up what the store has.

        Args:
            store: Of the run.
            terms: Who meets whom.
            whose: Who votes, as it is shown.
        """
        self._store, self._terms, self._whose = store, terms, whose
        self._began = time.monotonic()
        self.means = self._found()
        """Candidate against opponent so far, each voter as one."""

        self._before = self.means.voters
        self._told: VoterMeans | None = None

    @property
    def is_over(self) -> bool:
        """Whether the votes are enough."""
        return self._terms.is_over(self.means)

    async def look(self) -> None:
        """See what has come, and show it where it has changed. A look is one read, however many votes came."""
        await self._look(self._terms.session_seconds)

    async def close(self) -> None:
        """Count every voter who has voted: no more votes are waited for. Does nothing where the votes are enough."""
        if not self.is_over:
            await self._look(-math.inf)

    async def tell(self) -> None:
        """Show how near the end is."""
        await self._store.do(writes.set_progress, self._progress())

    async def _look(self, idle_seconds: float) -> None:
        terms, means = self._terms, self._found()
        if means.open:
            done = (terms.experiment, terms.test, idle_seconds, terms.votes_per_voter)
            if await self._store.do(writes.close_idle_sessions, *done):
                means = self._found()
        self.means = means
        if self.means != self._told:
            self._told = self.means
            self._store.submit(writes.set_progress, self._progress())

    def _found(self) -> VoterMeans:
        terms = self._terms
        return self._store.read.voter_means(terms.experiment, terms.candidate, terms.opponent, terms.test)

    def _progress(self) -> Progress:
        voters, total = self.means.voters, self._terms.voters
        detail, eta = self._detail(), self._eta(time.monotonic())
        return Progress(Lane.EVALUATE, self._terms.experiment, "voters", voters, total, detail, eta, time.time())

    def _detail(self) -> str:
        interval = anytime(self.means.wins, self.means.losses, self._terms.rule.alpha)
        fresh = f"promotion test {self._terms.test} · " if self._terms.test else ""
        against = f"{fresh}against {self._terms.opponent} · {self._whose}"
        if interval is None:
            return against
        left = self._to_go()
        more = f"{left:,} to go at this rate · " if left else "decided · " if left == 0 else ""
        return f"{100 * interval.estimate:.1f} ± {100 * half_width(interval):.1f} % · {more}{against}"

    def _eta(self, now: float) -> float | None:
        """Seconds until the cap or the nearest end, as fast as the votes came until now."""
        came, left = self.means.voters - self._before, self._to_go()
        if not came or left is None:
            return None
        return left * (now - self._began) / came

    def _to_go(self) -> int | None:
        """Further voters until the nearest end, if they vote as those before did; None before the first."""
        if self._terms.undecided:
            return max(0, self._terms.voters - self.means.voters)
        return to_go(self._terms.rule, self.means)
