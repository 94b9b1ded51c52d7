"""The judge without voters: two models' order of the same held-out pairs, compared pair by pair."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from checkpoints.records import FailureKind, Tally
from lanes.lane import StageFailed
from lanes.order import TrainResult


def compare(candidate: Path, opponent: Path | None) -> tuple[Tally, float, float]:
    """Compare two trainings on the held-out pairs that both scored.

    A pair is won where the candidate puts it in the right order better than the opponent does: right beats undecided (a
    margin of exactly 0) beats wrong; a tie where both are alike.

    Args:
        candidate: ``result.json`` of the candidate's training.
        opponent: That of the opponent's; None for the model before any training, which is undecided on every pair.

    Returns:
        The pairs won, lost and tied, and ``val_pref_acc`` of both, 0 to 1, over the same pairs.

    Raises:
        StageFailed: A training scored no pairs, or they have none in common.
    """
    ours = _margins(candidate)
    theirs = dict.fromkeys(ours, 0.0) if opponent is None else _margins(opponent)
    common = sorted(ours.keys() & theirs.keys())
    if not common:
        line = f"{candidate} and {opponent} scored no held-out pair in common: was data.heldout.pairs changed?"
        raise StageFailed(FailureKind.INPUT, line)
    scores = [(_score(ours[row]), _score(theirs[row])) for row in common]
    wins = sum(one > other for one, other in scores)
    losses = sum(one < other for one, other in scores)
    tally = Tally(wins, losses, len(scores) - wins - losses)
    return tally, sum(one for one, _ in scores) / len(scores), sum(other for _, other in scores) / len(scores)


def _margins(file: Path) -> Mapping[str, float]:
    try:
        pairs = TrainResult.model_validate(json.loads(file.read_bytes())).pairs
    except (OSError, ValueError, ValidationError) as error:
        raise StageFailed(FailureKind.INPUT, f"{file} cannot be read ({type(error).__name__})") from error
    if not pairs:
        line = f"{file} has no scored pairs: name data.heldout.pairs and set train.eval_rows above 0 in program.md"
        raise StageFailed(FailureKind.INPUT, line)
    return {pair.row: pair.margin for pair in pairs}


def _score(margin: float) -> float:
    return 1.0 if margin > 0 else 0.5 if margin == 0 else 0.0
