"""Time that passes while somebody looks: by it a silence is judged, and not by what passed while nobody did.

What stops this process (SIGSTOP, a container that is paused, a machine that is too busy) mostly stops its workers, too.
"""

from __future__ import annotations

import time

MOST_SECONDS = 3.0
"""Between two looks; whoever looks does it once a second."""


class WatchedTime:
    """A monotonic clock that stands still where nobody has looked for a while."""

    def __init__(self) -> None:
        self._watched, self._looked_at = 0.0, time.monotonic()

    def look(self) -> float:
        """Seconds that were watched until now."""
        now = time.monotonic()
        self._watched += min(now - self._looked_at, MOST_SECONDS)
        self._looked_at = now
        return self._watched

    def leave_out(self) -> None:
        """What has passed since the last look does not count."""
        self._looked_at = time.monotonic()
