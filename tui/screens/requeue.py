"""Try again: the change of an experiment that has ended, as a new experiment."""

from __future__ import annotations

from checkpoints.records import Row
from runner import interventions
from tui.screens.follows import about
from tui.screens.question import Choice, Question
from tui.snapshot import Snapshot


def requeue(snapshot: Snapshot, row: Row) -> Question:
    """Asks whether.

    Raises:
        Refused: Its change cannot be tried again now.
    """
    number = row.experiment.number
    sentence = interventions.requeue(snapshot.rows, snapshot.reigns, number).sentence(snapshot.champion)
    how = f"as a new experiment, on the champion of that moment (now #{snapshot.champion}); {sentence}"
    return Question(f"Try #{number} again", about(row), [Choice("again", "Try it again next", how)])
