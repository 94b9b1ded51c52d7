"""Requests that arrive together are answered together: one thread owns the models, the others leave notes for it."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from lanes.workers.chat import Ask, Refused, Said
from lanes.workers.generate import Models

QUIET_SECONDS = 0.025
"""A batch begins when no further request came for so long."""

WINDOW_SECONDS = 0.6
"""And at the latest so long after its first request."""


class Batcher:
    """The thread that works with the models, and its queue."""

    def __init__(self, models: Models, batch_size: int) -> None:
        self._models, self._size = models, batch_size
        self._queue: queue.SimpleQueue[_Waiting | Callable[[], None]] = queue.SimpleQueue()
        threading.Thread(target=self._work, name="models", daemon=True).start()

    def ask(self, ask: Ask) -> Future[Said]:
        """Queue a chat; the future holds the answer, or raises ``Refused``."""
        waiting = _Waiting(ask)
        self._queue.put(waiting)
        return waiting.future

    def change(self, change: Callable[[Models], Any]) -> Future[Any]:
        """Load or unload between two batches; the future raises what the change raises."""
        future: Future[Any] = Future()

        def run() -> None:
            try:
                future.set_result(change(self._models))
            except Exception as error:
                future.set_exception(error)

        self._queue.put(run)
        return future

    def _work(self) -> None:
        while True:
            first = self._queue.get()
            if not isinstance(first, _Waiting):
                first()
                continue
            batch, change = self._gather(first)
            self._answer(batch)
            if change:
                change()

    def _gather(self, first: _Waiting) -> tuple[list[_Waiting], Callable[[], None] | None]:
        batch, latest = [first], time.monotonic() + WINDOW_SECONDS
        while len(batch) < self._size and time.monotonic() < latest:
            try:
                item = self._queue.get(timeout=QUIET_SECONDS)
            except queue.Empty:
                break
            if not isinstance(item, _Waiting):
                return batch, item
            batch.append(item)
        return batch, None

    def _answer(self, batch: list[_Waiting]) -> None:
        batch = [waiting for waiting in batch if waiting.future.set_running_or_notify_cancel()]
        if not batch:
            return
        try:
            answers = self._models.answer([waiting.ask for waiting in batch])
        except Exception as error:
            for waiting in batch:
                waiting.future.set_exception(error)
            return
        for waiting, answer in zip(batch, answers, strict=True):
            if isinstance(answer, Refused):
                waiting.future.set_exception(answer)
            else:
                waiting.future.set_result(answer)


class _Waiting:
    """A chat and the future of its answer."""

    def __init__(self, ask: Ask) -> None:
        self.ask = ask
        self.future: Future[Said] = Future()
