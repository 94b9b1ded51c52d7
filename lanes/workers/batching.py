"""Chats that come together are answered together, and who comes later joins: one thread owns the models."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lanes.workers.chat import Busy
from lanes.workers.reply import Reply

if TYPE_CHECKING:
    from lanes.workers.generate import Models
    from lanes.workers.rows import Row

QUIET_SECONDS = 0.025
"""A batch begins when no further request came for so long."""

WINDOW_SECONDS = 0.6
"""And at the latest so long after its first request."""

MOST = 256
"""Most chats that wait or are being answered."""


@dataclass(frozen=True, slots=True)
class _Change:
    """A model that is to be loaded or unloaded."""

    model: str
    run: Callable[[], None]


class Batcher:
    """The thread that works with the models, and its queue."""

    def __init__(self, models: Models, batch_size: int) -> None:
        self._models, self._size = models, batch_size
        self.troubles = models.troubles
        """What did not go as it should, and how often."""

        self._queue: queue.SimpleQueue[Reply | _Change] = queue.SimpleQueue()
        self._rows: list[Row] = []
        self._change: _Change | None = None
        """Waits until nobody is answered by its model any more; who asks after it waits for it."""

        self._open: set[Reply] = set()
        threading.Thread(target=self._work, name="models", daemon=True).start()

    @property
    def is_busy(self) -> bool:
        """Whether an answer is owed to anybody."""
        return bool(self._open)

    def ask(self, reply: Reply) -> None:
        """Queue a chat; its reply is told pieces and the answer, or ``Refused``.

        Raises:
            Busy: Too many wait already.
        """
        if len(self._open) >= MOST:
            self.troubles.add(f"{MOST} chats waited for an answer, and who asked then was told to ask again")
            raise Busy(f"{MOST} chats wait for an answer: ask again in a moment")
        self._open.add(reply)
        reply.said.add_done_callback(lambda _: self._open.discard(reply))
        self._queue.put(reply)

    @property
    def names(self) -> list[str]:
        """What can be asked, the reference first."""
        return self._models.names

    def change(self, model: str, change: Callable[[Models], None]) -> Future[None]:
        """Load or unload a model between two tokens; the future raises what the change raises.

        Args:
            model: Its name; who asked for it before is answered before.
            change: What is done to the models.
        """
        future: Future[None] = Future()

        def run() -> None:
            try:
                future.set_result(change(self._models))
            except Exception as error:
                future.set_exception(error)

        self._queue.put(_Change(model, run))
        return future

    def _work(self) -> None:
        while True:
            if not self._change:
                self._gather()
            if self._change and not self._answers(self._change):
                self._change.run()
                self._change = None
            elif self._rows:
                self._go_on()

    def _gather(self) -> None:
        """Take in who waits: whoever does so now where answers are under way, else as many as come together."""
        patience: float | None = 0.0 if self._rows else None
        latest: float | None = None
        while len(self._rows) < self._size:
            try:
                item = self._queue.get(timeout=patience)
            except queue.Empty:
                return
            if isinstance(item, _Change):
                self._change = item
                return
            if row := self._models.begin(item):
                self._rows.append(row)
            if patience != 0:
                latest = latest or time.monotonic() + WINDOW_SECONDS
                patience = max(0.0, min(QUIET_SECONDS, latest - time.monotonic()))

    def _go_on(self) -> None:
        """Go on with the answers of some weights, until they are whole or others want a turn."""
        first, *others = self._models.together(self._rows)
        self._models.go_on(first, lambda: bool(others) or self._is_room_wanted())
        waiting = [row for group in others for row in group]
        self._rows = waiting + [row for row in first if not row.over]

    def _is_room_wanted(self) -> bool:
        """Whether somebody waits for whom there is room, or a change that nobody is in the way of any more."""
        if self._change:
            return not self._answers(self._change)
        going = sum(not row.over for row in self._rows)
        return going < self._size and not self._queue.empty()

    def _answers(self, change: _Change) -> bool:
        return any(row.ask.model == change.model and not row.over for row in self._rows)
