"""Whether the arena is still wanted: as long as the run has an owner, or somebody makes use of it."""

from __future__ import annotations

import time
from collections.abc import Callable

OWNERLESS_SECONDS = 60.0
"""Without an owner of the run, and without a vote or an answer that somebody was given, for so long it serves on."""


class Wanted:
    """When the arena was last of use; a page that is left open, or a request that is refused, is none."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._used_at = clock()
        self._ownerless_since: float | None = None

    def used(self) -> None:
        """A vote was counted, or a user was answered."""
        self._used_at = self._clock()

    def is_over(self, ownerless: bool) -> bool:
        """Whether to end; asked every few seconds.

        Args:
            ownerless: Nobody owns the run.
        """
        if not ownerless:
            self._ownerless_since = None
            return False
        now = self._clock()
        self._ownerless_since = now if self._ownerless_since is None else self._ownerless_since
        return now - max(self._ownerless_since, self._used_at) > OWNERLESS_SECONDS
