"""What a dialogue about an experiment says first: what it is, and what follows from the step."""

from __future__ import annotations

from rich.text import Text

from checkpoints.records import Row
from tui.signs import BRIGHT
from tui.widgets.lines import said


def about(row: Row) -> Text:
    """The experiment with its change, and why it is what it is."""
    experiment = row.experiment
    text = Text().append(f"#{experiment.number} is {experiment.state}: ", f"bold {BRIGHT}")
    text.append_text(said(experiment.proposal.change or experiment.proposal.hypothesis))
    if why := experiment.note or (row.verdict.reason if row.verdict else ""):
        text.append("\n").append_text(said(why))
    return text


def follows(row: Row, when: str, sentence: str) -> Text:
    """The same with what follows.

    Args:
        when: For example ``If it is skipped``.
        sentence: The consequence.
    """
    return about(row).append(f"\n\n{when}: ", f"bold {BRIGHT}").append_text(said(sentence))
