"""Zoom-out: have stock taken before the next proposal."""

from __future__ import annotations

from rich.text import Text

from tui.screens.question import Choice, Question


def zoom_out() -> Question:
    """Asks for a direction, which may be left out."""
    told = Text(
        "Before the next proposal the agent steps back: what was tried, what was never tried, where to go from here."
        " This holds also for a proposal that is already prepared."
    )
    return Question("Zoom-out", told, [Choice("zoom-out", "")], "look at … (optional)")
