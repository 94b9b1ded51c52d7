"""Undo: which step it takes back, and what follows."""

from __future__ import annotations

from rich.text import Text

from checkpoints.records import Intervention
from runner.interventions import Refused
from runner.undo import all_undoable
from runner.undo import undo as foretell
from tui.screens.question import Choice, Question
from tui.snapshot import Snapshot
from tui.widgets.lines import said
from tui.words import clock

_OFFERED = 3
"""Steps to choose from at most."""


def undo(snapshot: Snapshot) -> Question:
    """Asks which of the last steps to take back; answered with its number.

    Raises:
        Refused: None can be taken back; says why the last one cannot.
    """
    steps = all_undoable(snapshot.interventions)
    if not steps:
        raise Refused("nothing was done that could be undone")
    choices: list[Choice] = []
    hindered = ""
    for step in steps[: 2 * _OFFERED]:
        try:
            result = foretell(snapshot.rows, snapshot.reigns, snapshot.interventions, step.number)
        except Refused as refused:
            hindered = hindered or f"the {_named(step)} cannot be undone: {refused}"
            continue
        choices.append(Choice(str(step.number), f"Undo the {_named(step)}", result.sentence(snapshot.champion)))
    if not choices:
        raise Refused(hindered)
    return Question("Undo", Text(hindered), choices[:_OFFERED])


def _named(step: Intervention) -> str:
    """The step as a person remembers it."""
    what = f"{step.step} of #{step.experiment}" if step.experiment is not None else str(step.step)
    words = step.reason or str(step.detail.get("text", ""))
    return said(f"{what} at {clock(step.at)}{f': {words}' if words else ''}").plain
