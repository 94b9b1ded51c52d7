"""Pause: after the stages under way, or now."""

from __future__ import annotations

from rich.text import Text

from tui.screens.question import Choice, Question


def pause() -> Question:
    """Asks when; answered with ``stage`` or ``now``."""
    return Question(
        "Pause",
        Text("Nothing is lost either way; p goes on from there."),
        [
            Choice("stage", "After this stage", "what the lanes have in hand is finished, nothing new starts"),
            Choice("now", "Now", "the training saves its state and ends, the GPU is free; votes wait"),
        ],
    )
