"""Has what was trained measured by a worker of its own: by a person's command, or on locked held-out pairs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeAlias

from checkpoints.records import FailureKind, Json
from lanes.lane import StageFailed
from lanes.measure import Measured, Metric, broken_guard, by_result
from lanes.order import RESULT, CommandOrder, CommandResult, ScoreOrder, Source, TrainOrder

COMMAND, SCORE = "lanes.workers.command", "lanes.workers.score"

GRACE_SECONDS = 30.0
"""How much longer than its time-out a worker may take."""

Aside: TypeAlias = Callable[[Path, str, Json, float], Awaitable[Json]]
"""Has an order carried out: the worker's folder, its program, the order, seconds at most; returns its result."""


async def run_command(metric: Metric, aside: Aside, folder: Path, model: Path) -> CommandResult:
    """What the program's command says of a model.

    Raises:
        StageFailed: Its worker died or took too long.
        StagePaused: It was ended on purpose.
    """
    assert metric.command, "the program is refused without one"
    order = CommandOrder(
        command=metric.command, folder=metric.folder, model=model, name=metric.rule.metric, pattern=metric.pattern,
        seconds=metric.seconds,
    )  # fmt: skip
    said = await aside(folder, COMMAND, order.model_dump(mode="json"), metric.seconds + GRACE_SECONDS)
    return CommandResult.model_validate(said)


def check_command(metric: Metric, result: CommandResult) -> str:
    """What a person should know of the command after its first run, before a night is spent; empty for nothing.

    Args:
        metric: What the program says.
        result: Of the baseline.

    Raises:
        StageFailed: It printed no number, or none that a guard bounds.
    """
    if result.failure is FailureKind.INPUT:
        raise StageFailed(FailureKind.INPUT, result.error)
    if result.status != "done":
        return ""
    for name, bound in metric.guards.items():
        if name not in result.named:
            raise StageFailed(FailureKind.INPUT, broken_guard({name: bound}, result.named))
    broken = broken_guard(metric.guards, result.named)
    return f"the baseline itself breaks a guard, so what is like it will be discarded: {broken}" if broken else ""


async def score_locked(metric: Metric, aside: Aside, folder: Path, train: Json, pairs: Source) -> Measured:
    """What a trained model gets on locked pairs.

    Args:
        metric: What is measured.
        aside: Carries the order out.
        folder: The worker's.
        train: The order of the model's training.
        pairs: All of them are scored.

    Raises:
        StageFailed, StagePaused: As ``run_command`` does.
    """
    order = ScoreOrder(train=TrainOrder.model_validate(train), pairs=pairs)
    await aside(folder, SCORE, order.model_dump(mode="json"), GRACE_SECONDS + metric.seconds)
    return await asyncio.to_thread(by_result, metric.judge, folder / RESULT)
