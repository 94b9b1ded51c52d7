"""When to step outside the frame: on schedule, or because the loop has stopped getting anywhere."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile

from checkpoints.records import BASELINE, Outcome, Row, State, ZoomOut
from runner.agent.diversity import streak
from runner.settings import ZoomOut as Settings


def due(rows: Sequence[Row], zoom_outs: Sequence[ZoomOut], settings: Settings) -> str | None:
    """Why a zoom-out is due before the next proposal; None when it is not.

    Counts from the last zoom-out on, so that one never follows from what the one before has seen.

    Args:
        rows: All experiments of the run.
        zoom_outs: All of the run, the newest last.
        settings: ``every`` (experiments), ``plateau`` (verdicts since the last keep), ``streak`` (proposals of one
            category in a row without a keep).
    """
    since = zoom_outs[-1].at if zoom_outs else 0.0
    proposed = [
        row
        for row in rows
        if row.experiment.number != BASELINE
        and row.experiment.state is not State.CANCELLED
        and row.experiment.proposed_at > since
    ]
    if len(proposed) >= settings.every:
        return "scheduled"
    verdicts = sorted((row.verdict for row in proposed if row.verdict), key=lambda one: one.decided_at)
    outcomes = [verdict.outcome for verdict in reversed(verdicts)]
    if len([*takewhile(lambda outcome: outcome is not Outcome.KEEP, outcomes)]) >= settings.plateau:
        return "plateau"
    if streak(proposed) >= settings.streak:
        return "streak"
    return None
