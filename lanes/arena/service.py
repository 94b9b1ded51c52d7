"""What every door of the arena's service works with: the ledger, the lineup, and writes that are durable."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from lanes.arena.ledger import Ledger
from lanes.arena.lineup import Lineup
from lanes.arena.showing import Showing
from lanes.arena.wanted import Wanted
from lanes.arena.writer import Writer

T = TypeVar("T")

LOOK_SECONDS = 0.2
"""How old the lineup may be."""


class Service:
    """One arena being served, from one event loop."""

    def __init__(self, folder: Path) -> None:
        """Open the ledger of an arena's folder.

        Raises:
            LedgerError: It cannot be opened.
        """
        self.folder = folder
        self.ledger = Ledger(folder)
        """For short reads in the event loop; writes go through ``write``."""

        self.writer = Writer(folder)
        self.showing = Showing()
        """Who looks at which pair of the voting page."""

        self.wanted = Wanted()

        self._lineup: Lineup | None = None
        self._models: frozenset[str] = frozenset()
        self._text: str | None = None
        self._looked_at = 0.0
        self._version = -1

    @property
    def lineup(self) -> Lineup | None:
        """Who may meet whom now; None while the lane has said nothing yet."""
        self._look()
        return self._lineup

    @property
    def models(self) -> frozenset[str]:
        """All models that ever were in a lineup."""
        self._look()
        return self._models

    async def write(self, work: Callable[[Ledger], T]) -> T:
        """Change the ledger; what is returned is on the disk.

        Args:
            work: Called in the writing thread, perhaps twice where it does not come about at first.

        Raises:
            Problem: 503, it could not be written and is not there.
        """
        return await self.writer.do(work)

    def close(self) -> None:
        """Finish the writes that were accepted, then let go of the ledger."""
        self.writer.close()
        self.ledger.disconnect()

    def _look(self) -> None:
        now = time.monotonic()
        if now - self._looked_at < LOOK_SECONDS:
            return
        self._looked_at = now
        version = self.ledger.data_version
        if version == self._version:
            return
        self._version, text = version, self.ledger.lineup_text()
        # Every vote changes the version, and few change the lineup.
        if text is not None and text != self._text:
            self._lineup, self._models, self._text = Lineup.model_validate_json(text), self.ledger.models(), text
