"""What a training measured: a share or a loss over held-out pairs, or the number that a person's command printed."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from pydantic import Field, ValidationError

from lanes.analyze.metric_rule import MetricRule
from lanes.order import CommandResult, Message, PairScore, ScoreResult, Source, TrainResult

MetricJudge: TypeAlias = Literal["val_pref_acc", "eval_loss", "command"]

METRIC_JUDGES: frozenset[str] = frozenset({"val_pref_acc", "eval_loss", "command"})
"""Judges that are a number and not people."""


class Bound(Message):
    """Between what a number that the command prints has to lie."""

    min: float | None = None
    max: float | None = None


class Metric(Message):
    """What the program says of a scalar metric; a copy goes into each order."""

    judge: MetricJudge
    rule: MetricRule
    command: str | None = None
    pattern: str | None = None
    seconds: Annotated[float, Field(gt=0)] = 600.0
    """Time-out of the command."""

    guards: dict[str, Bound] = Field(default_factory=dict[str, Bound])
    """By the name of another number that the command prints."""

    folder: Path = Path()
    """Where the command runs."""

    locked: Source | None = None
    """Held-out pairs that are scored for keeps only."""

    loss_beta: float | None = None
    score_length: int | None = None
    """Of the program's own recipe: no recipe is measured differently."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What one training got."""

    value: float | None
    """None where there is no finite number."""

    standard_error: float | None = None
    """From the held-out rows alone; None where the metric has none."""

    failure: str = ""
    """Why there is no value, in one line."""

    broken: str = ""
    """The guard that it broke, in words."""

    rows: Mapping[str, float] = field(default_factory=dict[str, float])
    """Score by held-out row."""


def by_pairs(judge: MetricJudge, pairs: Sequence[PairScore]) -> Measured:
    """``val_pref_acc`` or ``eval_loss`` of one training over the pairs that it scored.

    ``val_pref_acc`` is the share of pairs whose implicit reward prefers the chosen answer, a margin of exactly 0 half,
    so that an untrained policy has 0.5. The standard error is that of a mean over pairs, ``s/√N``.
    """
    rows = {pair.row: _score(judge, pair) for pair in pairs}
    values = [*rows.values()]
    if not values or not all(math.isfinite(value) for value in values):
        return Measured(None, failure=f"{judge}: {'no' if not values else 'not every'} held-out pair has a number")
    error = statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else None
    return Measured(statistics.fmean(values), error, rows=rows)


def by_result(judge: MetricJudge, file: Path) -> Measured:
    """The same from the ``result.json`` of a training, or of a scoring of locked pairs."""
    try:
        found = json.loads(file.read_bytes())
        kind = TrainResult if "steps" in found else ScoreResult
        result = kind.model_validate(found)
    except (OSError, ValueError, ValidationError) as error:
        return Measured(None, failure=f"{file} cannot be read ({type(error).__name__})")
    if result.status != "done":
        return Measured(None, failure=result.error or f"{file} is no complete result")
    return by_pairs(judge, result.pairs)


def by_command(metric: Metric, found: CommandResult) -> Measured:
    """What the command said of one training."""
    if found.status != "done":
        return Measured(None, failure=found.error)
    return Measured(found.value, broken=broken_guard(metric.guards, found.named))


def broken_guard(guards: Mapping[str, Bound], named: Mapping[str, float]) -> str:
    """The first bound that does not hold, in words; empty where all do. A number that is missing holds no bound."""
    for name, bound in guards.items():
        value = named.get(name)
        if value is None:
            return f"the command did not print {name}, which evaluate.metric.guards bounds"
        if bound.max is not None and value > bound.max:
            return f"{name} {value:g} is above {bound.max:g}"
        if bound.min is not None and value < bound.min:
            return f"{name} {value:g} is below {bound.min:g}"
    return ""


def _score(judge: MetricJudge, pair: PairScore) -> float:
    if judge == "eval_loss":
        return math.nan if pair.loss is None else pair.loss
    if not math.isfinite(pair.margin):
        return math.nan
    return 1.0 if pair.margin > 0 else 0.5 if pair.margin == 0 else 0.0
