"""What a training logged, by step, read as far as it has come."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from checkpoints.records import Metric

if TYPE_CHECKING:
    from checkpoints.reader import Reader


@dataclass(frozen=True, slots=True)
class Series:
    """What the trainer of an experiment logged, as far as it was read."""

    experiment: int
    train: tuple[Metric, ...] = ()
    """By step."""

    evals: tuple[Metric, ...] = ()

    def of(self, name: str, phase: str = "train") -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Steps and values of what was logged under a name, for example ``rewards/accuracies``."""
        logged = self.train if phase == "train" else self.evals
        found = [(float(metric.step), metric.values[name]) for metric in logged if name in metric.values]
        return tuple(step for step, _ in found), tuple(value for _, value in found)

    @property
    def names(self) -> tuple[str, ...]:
        """What was logged, by name."""
        return tuple(sorted({name for metric in (*self.train, *self.evals) for name in metric.values}))


def read_on(reader: Reader, number: int, before: Series | None) -> Series:
    """The series with what was logged since; from its first step where the training began again."""
    series = before if before and before.experiment == number else Series(number)
    train = _logged(reader, number, "train", series.train)
    evals = _logged(reader, number, "eval", series.evals)
    same = train is series.train and evals is series.evals
    return series if same else Series(number, train, evals)


def _logged(reader: Reader, number: int, phase: str, before: tuple[Metric, ...]) -> tuple[Metric, ...]:
    """What was logged; where the last that is in hand reads differently by now, it is of a training given up."""
    if before:
        newer = reader.metrics(number, phase, before[-1].step - 1)
        if newer and newer[0] == before[-1]:
            return (*before, *newer[1:]) if len(newer) > 1 else before
    return tuple(reader.metrics(number, phase))
