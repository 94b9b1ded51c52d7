"""Signs and colours: one sign, one word and one colour for each state; the sign alone tells them apart."""

from __future__ import annotations

from dataclasses import dataclass

from checkpoints.records import Level, RunState, State

# Okabe and Ito's palette, lightened where it would be too dim on a dark ground.
BLUE = "#56b4e9"
ORANGE = "#e69f00"
GREEN = "#2fc99a"
RED = "#ff7a45"
PINK = "#eba6d2"
YELLOW = "#f0e442"
BRIGHT = "#f2f5f8"
GREY = "#939eaa"
DIM = "#768290"
FAINT = "#596572"

CURSOR = "#26323f"
"""The ground of the line that keys apply to."""


@dataclass(frozen=True, slots=True)
class Sign:
    """How a state looks."""

    mark: str
    """One cell."""

    word: str
    colour: str


STATES = {
    State.PROPOSED: Sign("·", "next", GREY),
    State.TRAINING: Sign("▶", "training", ORANGE),
    State.TRAINED: Sign("▷", "trained", ORANGE),
    State.UPLOADING: Sign("▲", "uploading", ORANGE),
    State.UPLOADED: Sign("△", "uploaded", ORANGE),
    State.EVALUATING: Sign("◆", "voting", ORANGE),
    State.EVALUATED: Sign("◇", "voted", ORANGE),
    State.KEPT: Sign("●", "kept", BLUE),
    State.DISCARDED: Sign("○", "discarded", GREY),
    State.INCONCLUSIVE: Sign("◐", "inconclusive", YELLOW),
    State.CRASHED: Sign("×", "crashed", RED),
    State.VETOED: Sign("⊘", "vetoed", PINK),
    State.CANCELLED: Sign("–", "cancelled", GREY),
}

RUN_STATES = {
    RunState.RUNNING: Sign("▶", "RUN", GREEN),
    RunState.PAUSED: Sign("⏸", "PAUSED", YELLOW),
    RunState.FINISHED: Sign("■", "FINISHED", BLUE),
}

ABANDONED = Sign("■", "STOPPED", RED)
"""A run that is to go on, but that no process drives."""

LEVELS = {
    Level.INFO: Sign("·", "info", GREY),
    Level.GOOD: Sign("●", "good", BLUE),
    Level.WARNING: Sign("⚠", "warning", YELLOW),
    Level.ERROR: Sign("×", "error", RED),
}
