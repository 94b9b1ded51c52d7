"""Who judged: people, simulated voters, both, or a metric; asked of the store in this one place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from checkpoints.records import Lane

if TYPE_CHECKING:
    from checkpoints.reader import Reader


def judge_of(read: Reader, experiment: int | None) -> str | None:
    """``votes`` or the metric in their place, as the evaluation of an experiment says; None where it does not."""
    evaluated = None if experiment is None else read.done_stage(experiment, Lane.EVALUATE)
    judge = evaluated.result.get("judge") if evaluated and evaluated.result else None
    return str(judge) if judge else None


def metric_of(read: Reader, champion: int | None) -> str:
    """What judges in the place of votes; empty while votes do."""
    judge = judge_of(read, champion)
    return judge if judge and judge != "votes" else ""
