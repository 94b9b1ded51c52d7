"""Says when something in a folder changes: one watchdog observer for the whole process, started when first needed."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from watchdog.events import FileSystemEvent
    from watchdog.observers.api import BaseObserver, ObservedWatch

_lock = threading.Lock()
_observer: BaseObserver | None = None
_watches: dict[Path, tuple[ObservedWatch, int]] = {}
"""What is watched, and for how many callers."""


@contextlib.contextmanager
def watched(folder: Path, changed: asyncio.Event) -> Generator[None]:
    """Set an event of the running loop whenever a file directly in ``folder`` is made, written, moved or removed.

    Where the system can watch no more folders nothing is set; whoever waits also looks by itself from time to time.
    """
    # Watchdog takes a fifth of a second to import; who only looks at a run never needs it.
    from watchdog.events import FileSystemEventHandler

    loop = asyncio.get_running_loop()

    class Handler(FileSystemEventHandler):
        def on_any_event(self, event: FileSystemEvent) -> None:
            # The loop may be closed when a last event comes from the observer's thread.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(changed.set)

    handler = Handler()
    watching = _watch(folder, handler)
    try:
        yield
    finally:
        if watching:
            _unwatch(folder, handler)


def _watch(folder: Path, handler: object) -> bool:
    from watchdog.events import FileCreatedEvent, FileDeletedEvent, FileModifiedEvent, FileMovedEvent
    from watchdog.observers import Observer

    # Opening and closing would be told too, and then our own looking would wake us for ever.
    kinds = [FileCreatedEvent, FileModifiedEvent, FileMovedEvent, FileDeletedEvent]
    global _observer
    with _lock:
        if _observer is None or not _observer.is_alive():
            # Ended at the wrong moment it logs an error that says nothing, and unheard errors go to the terminal.
            logging.getLogger("watchdog").addHandler(logging.NullHandler())
            _observer = Observer()
            _observer.daemon = True
            _observer.start()
            _watches.clear()
        try:
            watch = _observer.schedule(handler, str(folder), event_filter=kinds)  # pyright: ignore[reportArgumentType]
        except OSError:
            return False
        _watches[folder] = (watch, _watches.get(folder, (watch, 0))[1] + 1)
        return True


def _unwatch(folder: Path, handler: object) -> None:
    with _lock, contextlib.suppress(KeyError, OSError):
        watch, callers = _watches.pop(folder)
        assert _observer is not None
        if callers > 1:
            _observer.remove_handler_for_watch(handler, watch)  # pyright: ignore[reportArgumentType]
            _watches[folder] = (watch, callers - 1)
        else:
            _observer.unschedule(watch)
