"""A circuit breaker: after some failures in a row nobody is asked for a growing while, and then one question probes."""

from __future__ import annotations

import time
from collections.abc import Callable

FAILURES = 3
"""In a row, until it opens."""

FIRST_SECONDS, LONGEST_SECONDS = 30.0, 600.0
"""It stays open for so long, doubled each time that the probe fails, at most so long."""

LONGEST_WISH = 3600.0
"""Most seconds that a service may ask to be left alone."""


class Breaker:
    """Whether a service is to be asked now, by how the last questions to it went."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Closed: everybody may ask.

        Args:
            clock: In seconds.
        """
        self._clock = clock
        self._failures, self._openings = 0, 0
        self._until: float | None = None
        self._probing = False
        self.why = ""
        """What failed last."""

    @property
    def rests(self) -> float:
        """Seconds for which nobody is asked; 0 where somebody may ask."""
        if self._until is None:
            return 0.0
        left = max(0.0, self._until - self._clock())
        return left if left else float(self._probing)

    def enter(self) -> bool:
        """Begin a question; returns whether it is the one that probes."""
        self._probing = self._until is not None
        return self._probing

    def withdraw(self, probe: bool) -> None:
        """A question was taken back: nothing is known of how it would have gone."""
        if probe:
            self._probing = False

    def worked(self, probe: bool) -> bool:
        """A question was answered; returns whether that closes it."""
        self.withdraw(probe)
        was_open = self._until is not None
        self._failures, self._openings, self._until = 0, 0, None
        return was_open

    def failed(self, why: str, probe: bool, hopeless: bool = False, wait: float = 0.0) -> float:
        """A question failed for good.

        Args:
            why: For a person.
            probe: Whether it was the one that probes.
            hopeless: The next one fails likewise unless somebody changes something.
            wait: Seconds that the service asks to be left alone.

        Returns:
            Seconds for which it is open now; 0 where it did not open.
        """
        self.withdraw(probe)
        self.why = why
        self._failures += 1
        if not (probe or hopeless or wait or (self._until is None and self._failures >= FAILURES)):
            return 0.0
        seconds = LONGEST_SECONDS if hopeless else min(FIRST_SECONDS * 2**self._openings, LONGEST_SECONDS)
        seconds = max(seconds, min(wait, LONGEST_WISH))
        self._openings += 1
        self._until = self._clock() + seconds
        return seconds
