"""How one voter votes, from their ballots."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

from checkpoints.records import Choice
from lanes.arena.ballots import DECOY, Source, VoterFigures


def figures(voter: str, rows: Sequence[tuple[Any, ...]]) -> VoterFigures:
    """Figures of a voter.

    Args:
        voter: Their name.
        rows: Source, first model, choice, seconds and time of each of their ballots.
    """
    choices = [choice for source, _, choice, _, _ in rows if source != Source.ATTENTION]
    checks = [(model_a, choice) for source, model_a, choice, _, _ in rows if source == Source.ATTENTION]
    passed = sum(choice == (Choice.B if model_a == DECOY else Choice.A) for model_a, choice in checks)
    seconds = [each for source, _, _, each, _ in rows if each is not None and source != Source.ATTENTION]
    return VoterFigures(
        voter, len(choices), choices.count(Choice.A), choices.count(Choice.B),
        statistics.median(seconds) if seconds else None, min(seconds, default=None), passed, len(checks) - passed,
        max((at for *_, at in rows), default=0.0),
    )  # fmt: skip
