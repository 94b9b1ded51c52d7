"""Skip: ends an experiment in flight."""

from __future__ import annotations

from checkpoints.records import Row
from runner import interventions
from tui.screens.follows import follows
from tui.screens.question import Choice, Question
from tui.snapshot import Snapshot


def skip(snapshot: Snapshot, row: Row) -> Question:
    """Asks for a reason, which may be left out.

    Raises:
        Refused: It has ended, or cannot be skipped.
    """
    number = row.experiment.number
    sentence = interventions.skip(snapshot.rows, number).sentence(snapshot.champion)
    told = follows(row, "If it is skipped", f"{sentence} without a verdict; its change comes again only if you ask")
    return Question(f"Skip #{number}", told, [Choice("skip", "")], "why? (optional)")
