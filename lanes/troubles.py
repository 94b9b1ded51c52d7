"""What a server of a run could not do as it should, kept for whoever looks after it: its health tells it."""

from __future__ import annotations

import threading


class Troubles:
    """Of one server since it was started."""

    def __init__(self) -> None:
        """None yet."""
        self._one_at_a_time = threading.Lock()
        self.times = 0
        self.last = ""
        """For a person; empty where there was none."""

    def add(self, line: str) -> None:
        """There was one; from any thread."""
        with self._one_at_a_time:
            self.last = line
            self.times += 1

    def told(self) -> dict[str, object]:
        """As ``/health`` has it."""
        return {"troubles": self.times, "last_trouble": self.last}
