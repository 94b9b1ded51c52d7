"""Keep anyway: a person overrules a verdict."""

from __future__ import annotations

from checkpoints.records import Row
from runner import interventions
from tui.screens.follows import follows
from tui.screens.question import Choice, Question
from tui.snapshot import Snapshot


def keep(snapshot: Snapshot, row: Row) -> Question:
    """Asks for the reason.

    Raises:
        Refused: It is kept already, or was never judged.
    """
    number = row.experiment.number
    sentence = interventions.keep(snapshot.rows, snapshot.reigns, number).sentence(snapshot.champion)
    told = follows(row, "If it is kept anyway", f"{sentence}; the verdict stays on record")
    return Question(f"Keep #{number} anyway", told, [Choice("keep", "")], "why? (it is recorded with it)", needed=True)
