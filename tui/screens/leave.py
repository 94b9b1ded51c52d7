"""Quit: what becomes of the run when the person goes."""

from __future__ import annotations

from rich.text import Text

from tui.leaving import Leave
from tui.screens.question import Choice, Question

_DETACH = Choice(Leave.DETACH, "Detach", "the loop goes on without a screen; the same command shows it again")
_LEAVE = Choice(Leave.DETACH, "Leave", "the loop goes on where it is; the same command shows it again")
_DRAIN = Choice(Leave.DRAIN, "Drain", "what the lanes have in hand is finished, then the run stops")
_STOP = Choice(Leave.STOP, "Stop", "everything stops now; a training goes on from its last checkpoint next time")


def leave(owned: bool) -> Question:
    """Asks how; answered with a value of ``Leave``.

    Args:
        owned: Whether the loop is in this process; else another one drives it, and does what is chosen here.
    """
    told = Text("Whichever it is, nothing that was recorded is lost, and the same command goes on from there.")
    return Question("Quit", told, [_DETACH if owned else _LEAVE, _DRAIN, _STOP])
