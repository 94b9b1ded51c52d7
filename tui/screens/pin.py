"""Pin: makes a model champion and holds it there; on the pinned champion, lets it go."""

from __future__ import annotations

from checkpoints.records import Row
from runner import interventions
from tui.screens.follows import about, follows
from tui.screens.question import Choice, Question
from tui.snapshot import Snapshot


def pin(snapshot: Snapshot, row: Row) -> Question:
    """Asks for a reason, which may be left out; for the pinned champion, whether to let it go.

    Raises:
        Refused: It has no model that could be champion.
    """
    number = row.experiment.number
    if snapshot.pinned and snapshot.champion == number:
        sentence = interventions.unpin(snapshot.rows, snapshot.reigns).sentence(snapshot.champion)
        return Question(f"Unpin #{number}", about(row), [Choice("unpin", "Let the votes decide again", sentence)])
    sentence = interventions.pin(snapshot.rows, snapshot.reigns, number).sentence(snapshot.champion)
    told = follows(
        row, "If it is pinned", f"{sentence}; what beats it is kept, but does not reign until it is unpinned"
    )
    return Question(f"Pin #{number} as champion", told, [Choice("pin", "")], "why? (optional)")
