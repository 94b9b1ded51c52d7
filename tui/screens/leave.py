"""Quit: what becomes of the run when the person goes."""

from __future__ import annotations

from rich.text import Text

from tui.leaving import Leave
from tui.screens.question import Choice, Question


def leave() -> Question:
    """Asks how; answered with a value of ``Leave``."""
    told = Text("Whichever it is, nothing that was recorded is lost, and the same command goes on from there.")
    return Question(
        "Quit",
        told,
        [
            Choice(Leave.DETACH, "Detach", "the loop goes on without a screen; autoresearch-tui attach shows it again"),
            Choice(Leave.DRAIN, "Drain", "what the lanes have in hand is finished, then the run stops"),
            Choice(Leave.STOP, "Stop", "everything stops now; a training goes on from its last checkpoint next time"),
        ],
    )
