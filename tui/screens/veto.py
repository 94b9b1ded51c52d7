"""Veto: names what follows before it asks for the reason."""

from __future__ import annotations

from rich.text import Text

from checkpoints.records import Row
from runner.interventions import Consequence, consequence
from tui.screens.question import Choice, Question
from tui.signs import BRIGHT
from tui.snapshot import Snapshot
from tui.widgets.lines import said
from tui.words import numbers

THIS, BRANCH = "this", "branch"


def veto(snapshot: Snapshot, row: Row) -> Question:
    """Asks for the extent and the reason; answered with ``this`` or ``branch``.

    Raises:
        Refused: It cannot be vetoed; says why.
    """
    number = row.experiment.number
    alone = consequence(snapshot.rows, snapshot.reigns, number)
    label = f"Take back #{number}{' alone' if alone.contain else ''}"
    choices = [Choice(THIS, label, told(snapshot, alone))]
    if alone.contain:
        branch = consequence(snapshot.rows, snapshot.reigns, number, branch=True)
        label = f"Take back the whole branch: {numbers(branch.vetoed)}"
        choices.append(Choice(BRANCH, label, told(snapshot, branch)))
    text = Text().append(f"#{number} was kept: ", f"bold {BRIGHT}")
    text.append_text(said(row.experiment.proposal.change or row.experiment.proposal.hypothesis))
    if row.verdict:
        text.append("\n").append_text(said(row.verdict.reason))
    if len(choices) == 1:
        text.append("\n\nIf it is taken back: ", f"bold {BRIGHT}").append(choices[0].follows)
    return Question(
        f"Veto #{number}", text, choices, "why? (the agent reads it and does not try it again)", needed=True
    )


def told(snapshot: Snapshot, follows: Consequence) -> str:
    """What a veto does, in a sentence."""
    if follows.champion is None:
        parts = [f"champion #{snapshot.champion} goes on reigning"]
    else:
        parts = [f"champion #{snapshot.champion} → #{follows.champion}"]
    if follows.cancelled:
        parts.append(f"{numbers(follows.cancelled)} in flight {_is(follows.cancelled)} cancelled")
    if follows.contain:
        parts.append(f"kept later, with it inside, and staying: {numbers(follows.contain)}")
    return "; ".join(parts)


def _is(experiments: tuple[int, ...]) -> str:
    return "is" if len(experiments) == 1 else "are"
