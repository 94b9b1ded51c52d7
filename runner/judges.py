"""Who judged: people, simulated voters, both, or a metric; asked of the store in this one place."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from checkpoints.records import Json, Lane

if TYPE_CHECKING:
    from checkpoints.reader import Reader


def judge_of(read: Reader, experiment: int | None) -> str | None:
    """``votes`` or the metric in their place, as the evaluation of an experiment says; None where it does not."""
    evaluated = None if experiment is None else read.done_stage(experiment, Lane.EVALUATE)
    judge = evaluated.result.get("judge") if evaluated and evaluated.result else None
    return str(judge) if judge else None


def metric_of(read: Reader, champion: int | None) -> str:
    """What judges in the place of votes, by the name that the program gives it; empty while votes do."""
    judge = judge_of(read, champion)
    if not judge or judge == "votes" or champion is None:
        return ""
    trained = read.done_stage(champion, Lane.TRAIN)
    metric = cast(Json, (trained.order if trained else {}).get("metric") or {})
    return str(cast(Json, metric.get("rule") or {}).get("metric") or judge)
