"""Veto: names what follows before it asks for the reason."""

from __future__ import annotations

from checkpoints.records import Row
from runner import interventions
from runner.consequence import named
from tui.screens.follows import about, follows
from tui.screens.question import Choice, Question
from tui.snapshot import Snapshot

THIS, BRANCH = "this", "branch"


def veto(snapshot: Snapshot, row: Row) -> Question:
    """Asks for the extent and the reason; answered with ``this`` or ``branch``.

    Raises:
        Refused: It cannot be vetoed; says why.
    """
    number = row.experiment.number
    alone = interventions.veto(snapshot.rows, snapshot.reigns, snapshot.promotions, number)
    label = f"Take back #{number}{' alone' if alone.contain else ''}"
    choices = [Choice(THIS, label, alone.sentence(snapshot.champion))]
    if alone.contain:
        branch = interventions.veto(snapshot.rows, snapshot.reigns, snapshot.promotions, number, branch=True)
        label = f"Take back the whole branch: {named(branch.vetoed)}"
        choices.append(Choice(BRANCH, label, branch.sentence(snapshot.champion)))
    told = about(row) if len(choices) > 1 else follows(row, "If it is taken back", choices[0].follows)
    return Question(
        f"Veto #{number}", told, choices, "why? (the agent reads it and does not try it again)", needed=True
    )
