"""What many runs under faults came to, added up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from laws import Law

from chaos.storm import Passed


class Total:
    """Of all runs so far; it takes no more room the more there are."""

    def __init__(self) -> None:
        self.broken = Counter[Law]()
        """How often each law."""

        self._runs = Counter[str]()
        self._done = Counter[str]()
        self._sizes = Counter[int]()

    def add(self, passed: Passed) -> None:
        """One more run."""
        self.broken.update(breach.law for breach in passed.breaches)
        self._done.update(passed.done)
        self._runs.update(
            {
                "runs": 1,
                "experiments": passed.experiments,
                "starts of a runner": passed.starts,
                "votes acknowledged at the door": passed.votes,
                "steps of a person acknowledged": passed.steps,
            }
        )
        if passed.experiments:
            self._sizes[round(passed.bytes / passed.experiments / 1e3)] += 1

    def lines(self) -> Iterator[str]:
        """For a person."""
        yield "done to the runs, where there was anything to do it to:"
        yield from (f"  {name:40} {times:6}" for name, times in sorted(self._done.items()))
        yield "what became of them:"
        yield from (f"  {name:40} {number:6}" for name, number in self._runs.items())
        yield f"  {'laws broken':40} {self.broken.total():6}"
        yield from (f"  ! {law}: {times}" for law, times in self.broken.items())
        if self._sizes:
            sizes = sorted(self._sizes.elements())
            yield f"database, kB an experiment: {sizes[0]} to {sizes[-1]}, median {sizes[len(sizes) // 2]}"
