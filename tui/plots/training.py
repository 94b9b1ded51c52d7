"""What trainings logged, as figures: the candidate over its champion, as logged and averaged, and tested."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from rich.text import Text

from runner.figures import BLUE, GREY, ORANGE, Figure, Line, Points
from tui.axes import Limits, around
from tui.plots.canvas import Frame, is_plain
from tui.plots.painter import paint
from tui.plots.thinning import smooth, smoothing
from tui.series import Series

Roles: TypeAlias = tuple[str, str]
"""What the one in front and the one behind it are called."""

LOSS = "loss"

NAMES = {
    LOSS: "Loss",
    "rewards/accuracies": "Reward accuracy",
    "rewards/margins": "Reward margin",
    "learning_rate": "Learning rate",
    "grad_norm": "Gradient norm",
    "tokens_per_second": "Tokens a second",
    "mean_token_accuracy": "Token accuracy",
    "entropy": "Entropy",
    "rewards/chosen": "Reward of the chosen",
    "rewards/rejected": "Reward of the rejected",
    "logps/chosen": "Log-probability of the chosen",
    "logps/rejected": "Log-probability of the rejected",
    "logits/chosen": "Logits of the chosen",
    "logits/rejected": "Logits of the rejected",
    "val_pref_acc": "Held-out pairs in order (val_pref_acc)",
}
"""What a person calls a series, by the trainer's name for it, in the order in which they are shown."""

_CLOCKS = frozenset({"epoch", "step", "num_tokens"})
"""Series that only tell how far a training is."""

_EXACT = frozenset({"learning_rate"})
"""Series without noise: an average would only make them wrong."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A series of one training, ready to be drawn."""

    experiment: int
    steps: tuple[float, ...]
    values: tuple[float, ...]
    """As logged."""

    averages: tuple[float, ...]
    tests: tuple[tuple[float, ...], tuple[float, ...]]
    """Steps and values of what was measured on held-out data."""

    @property
    def last(self) -> float:
        """The newest value: of the average, or of the test where nothing else was logged."""
        return (self.averages or self.tests[1])[-1]

    @property
    def all(self) -> tuple[float, ...]:
        """Every value."""
        return self.values + self.tests[1]


def named(name: str) -> str:
    """What a person calls a series."""
    return NAMES.get(name, name)


def logged(*trainings: Series | None) -> list[str]:
    """Series that can be shown of these trainings: loss first, then as people ask for them."""
    names = {name for series in trainings if series for name in series.names}
    found = {name.removeprefix("eval_") if name.startswith("eval_") else name for name in names} - _CLOCKS
    known = [name for name in NAMES if name in found]
    return known + sorted(found - set(known))


def shown(series: Series, name: str, right: float) -> Shown | None:
    """One series of a training; None where it was not logged.

    Args:
        series: What was logged.
        name: The trainer's name for it.
        right: Last step of the axis: the longer it is, the more steps are averaged.
    """
    steps, values = series.of(name)
    tests = series.of(name, "eval")
    tests = tests if tests[0] else series.of(f"eval_{name}", "eval")
    if not values and not tests[1]:
        return None
    averages = values if name in _EXACT else tuple(smooth(values, smoothing(right)))
    return Shown(series.experiment, steps, values, averages, tests)


def training(name: str, candidate: Shown, rival: Shown | None, roles: Roles = ("candidate", "champion")) -> Figure:
    """The figure of one series.

    Args:
        name: The trainer's name for it.
        candidate: In front.
        rival: Behind it, dashed.
        roles: What the two are called.
    """
    raw = () if name in _EXACT else (Line("", GREY, candidate.steps, candidate.values, faint=True),)
    over = f" over {roles[1]} #{rival.experiment}" if rival else ""
    return Figure(
        title=f"{named(name)} of {roles[0]} #{candidate.experiment}{over}",
        x_label="step",
        y_label=named(name),
        lines=raw + tuple(_lines(candidate, rival, roles)),
        points=tuple(_tests(candidate, rival, roles)),
    )


def series_lines(name: str, own: Series, other: Series | None, roles: Roles, width: int, height: int) -> list[Text]:
    """One series as lines of text on axes of its own; none where ``own`` has not logged it.

    Args:
        name: The trainer's name for it, as ``logged`` gives it.
        own: In front.
        other: Behind it, dashed.
        roles: What the two are called.
        width, height: Cells.
    """
    ends = [one.step for series in (own, other) if series for one in (*series.train[-1:], *series.evals[-1:])]
    right = float(max(ends, default=1))
    front, behind = shown(own, name, right), other and shown(other, name, right)
    if front is None:
        return []
    values = [*front.all, *(behind.all if behind else ())]
    limits = around(values)
    frame = Frame(width, height, Limits(0, max(right, 1.0)), limits, plain=is_plain())
    return paint(training(name, front, behind, roles), frame, not rises(values, limits.lower, limits.upper))


def number(value: float) -> str:
    """A value with four digits that count, at a width that seldom changes."""
    size = abs(value)
    if size and size < 1e-3:
        return f"{value:.1e}"
    return f"{value:.{0 if size >= 1000 else 1 if size >= 100 else 2 if size >= 10 else 3}f}"


def _lines(candidate: Shown, rival: Shown | None, roles: Roles) -> Iterator[Line]:
    for one, role, colour in ((rival, roles[1], BLUE), (candidate, roles[0], ORANGE)):
        if one and one.values:
            label = f"{role} #{one.experiment} {number(one.last)}"
            yield Line(label, colour, one.steps, one.averages, dashed=one is rival)


def _tests(candidate: Shown, rival: Shown | None, roles: Roles) -> Iterator[Points]:
    for one, role, sign, colour in ((candidate, roles[0], "square", ORANGE), (rival, roles[1], "triangle", BLUE)):
        if one and one.tests[0]:
            yield Points(f"{role} #{one.experiment} tested {number(one.tests[1][-1])}", sign, colour, *one.tests)


def rises(values: Sequence[float], lower: float, upper: float) -> bool:
    """Whether the last third lies in the upper half: then there is room for names at the bottom."""
    last = values[-max(len(values) // 3, 1) :]
    return sum(last) / len(last) > (lower + upper) / 2
