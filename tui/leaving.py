"""The ways to leave the dashboard, and signals that come before anybody can answer them."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Generator
from contextlib import contextmanager
from enum import StrEnum

ANSWERED = frozenset({signal.SIGHUP, signal.SIGTERM, signal.SIGINT})
"""Signals that have a meaning for a run; their default is to end the process at once."""


class Leave(StrEnum):
    """How a person left the dashboard."""

    DETACH = "detach"
    """The loop goes on without a screen."""

    DRAIN = "drain"
    """The stages under way are finished, then the run stops."""

    STOP = "stop"
    """Everything stops now; the next start goes on from there."""


@contextmanager
def signals_held_back() -> Generator[None]:
    """Have signals wait while what answers them is imported, until ``answer_signals`` or the end of this."""
    signal.pthread_sigmask(signal.SIG_BLOCK, ANSWERED)
    try:
        yield
    finally:
        answer_signals()


def answer_signals() -> None:
    """What was held back comes now."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ANSWERED)


def answer_no_more(loop: asyncio.AbstractEventLoop) -> None:
    """All is recorded and the process is about to end: what comes from now on comes too late to end it otherwise."""
    signal.pthread_sigmask(signal.SIG_BLOCK, ANSWERED)
    for number in ANSWERED:
        loop.remove_signal_handler(number)
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ANSWERED)
