"""Progress by experiment, as figures: a value of each with its interval, keeps joined, marks for what a person did."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import TYPE_CHECKING, TypeAlias

from checkpoints.records import Interval, Intervention, Row, Standing, State, Step, ZoomOut
from runner.figures import BLUE, EVEN, GREEN, LOOKS, ORANGE, SKY, Band, Figure, Line, Mark, Points, Rule

if TYPE_CHECKING:
    from lanes.analyze.noise import NoiseFloor

Value: TypeAlias = Callable[[Row], Interval | None]
"""What is shown of an experiment, in the unit of the axis; None where it has none."""

ELO_REFERENCE = 1000.0
"""Elo of the reference."""

_ELO = 400 / math.log(10)
_SURE = 0.999
"""Win rate from which an interval on the Elo scale is cut: one vote all on one side has no end there."""

_CHANGING = frozenset(Step) - {Step.PAUSE, Step.RESUME, Step.STOP, Step.VOTE, Step.ASK, Step.ZOOM_OUT}
"""Steps that change what is tried or who reigns; a zoom-out has a mark of its own."""

_OUTLYING = 3.0
"""Spreads of the middle half beyond which a value does not move the axis: it stands at its end."""


@dataclass(frozen=True, slots=True)
class Trail:
    """The figure of a view, with what its axes must hold."""

    figure: Figure
    seen: tuple[float, ...]
    """Values that the upright axis must have: not the intervals of those discarded after a few votes."""

    last: int
    """The newest experiment that has a place."""


def progress(
    rows: Sequence[Row],
    interventions: Sequence[Intervention] = (),
    zoom_outs: Sequence[ZoomOut] = (),
    metric: str = "",
    simulated: bool = False,
    floor: NoiseFloor | None = None,
) -> Figure:
    """Win rate against the reference by experiment, on limits of its own.

    Args:
        rows: All experiments by number; those without a verdict are left out.
        interventions, zoom_outs: Marked on the axis where they happened.
        metric: What judges in the place of votes; its value is then the height. Empty while votes do.
        simulated: Whether the votes are those of simulated voters, which the label then says.
        floor: In which single runs of the champion's recipe fall, where a number judges that varies with the seed.
    """
    found = win_rates(rows, metric, simulated, floor)
    if found is not None and is_scalar(rows):
        margin = 0.06 * (max(found.seen) - min(found.seen)) or 0.5
        return framed(
            found, (min(found.seen) - margin, max(found.seen) + margin), marks(rows, interventions, zoom_outs)
        )
    if found is None:
        return Figure("Win rate by experiment", "experiment", "")
    margin = max(1.0, 0.06 * (max(found.seen) - min(found.seen)))
    limits = max(0.0, min(found.seen) - margin), min(100.0, max(found.seen) + margin)
    return framed(found, limits, marks(rows, interventions, zoom_outs))


def win_rates(rows: Sequence[Row], metric: str, simulated: bool, floor: NoiseFloor | None = None) -> Trail | None:
    """Win rate against the reference, per cent; where a metric judges, its value, in its own unit where trainings were
    repeated for it, with the band in which single runs of the champion's recipe fall."""
    if is_scalar(rows):
        less = less_is_better(rows)
        label = f"{metric}, {'less' if less else 'more'} is better"
        found = trail(rows, value_of, f"{metric} by experiment", label, less_is_better=less)
        return found and with_floor(found, floor)
    voters = ", simulated voters" if simulated else ""
    label = f"{metric}, % of held-out pairs" if metric else f"win rate against the reference, %{voters}"
    return trail(rows, win_rate, f"{metric or 'Win rate'} by experiment", label, Rule(EVEN, "even"))


def is_scalar(rows: Sequence[Row]) -> bool:
    """Whether a number that was measured over trainings judges: then the baseline's verdict has one."""
    return bool(rows and rows[0].verdict and rows[0].verdict.value)


def less_is_better(rows: Sequence[Row]) -> bool:
    """Whether a metric is to go down: an effect above 0 is better, whatever it does to the value."""
    agreement = 0.0
    for row in rows:
        over = row.experiment.opponent
        against = rows[over].verdict if over is not None and over < len(rows) else None
        if row.verdict and row.verdict.effect and row.verdict.value and against and against.value:
            agreement += row.verdict.effect.estimate * (row.verdict.value.estimate - against.value.estimate)
    return agreement < 0


def value_of(row: Row) -> Interval | None:
    """The metric as measured, in its own unit."""
    found = row.verdict.value if row.verdict else None
    return found if found and all(map(math.isfinite, (found.estimate, found.low, found.high))) else None


def with_floor(trail: Trail, floor: NoiseFloor | None) -> Trail:
    """The trail with the band that progress has to leave."""
    if floor is None:
        return trail
    ends = (-0.5, trail.last + 0.5)
    band = Band("noise of one run", SKY, ends, (floor.low,) * 2, (floor.high,) * 2)
    return replace(trail, figure=replace(trail.figure, bands=(band,)), seen=(*trail.seen, floor.low, floor.high))


def trail(
    rows: Sequence[Row], value: Value, title: str, y_label: str, rule: Rule | None = None, less_is_better: bool = False
) -> Trail | None:
    """One value by experiment; None while no experiment has it.

    Args:
        rows: All experiments by number; those without a verdict are left out.
        value: What is shown of each.
        title, y_label: Of the figure.
        rule: Where a line is drawn across.
        less_is_better: Whether the best of those kept has the lowest value.
    """
    found: dict[State, list[tuple[int, Interval | None]]] = {state: [] for state in LOOKS}
    last = 0
    for row in rows:
        state = row.experiment.state
        if row.verdict is None or state not in LOOKS:
            continue
        height = value(row)
        if height is not None or state is State.CRASHED:
            found[state].append((row.experiment.number, height))
            last = row.experiment.number
    heights = {state: [height for _, height in places if height] for state, places in found.items()}
    if not any(heights.values()):
        return None
    figure = Figure(
        title=title,
        x_label="experiment",
        y_label=y_label,
        rules=() if rule is None else (rule,),
        lines=_best(found[State.KEPT], last, min if less_is_better else max),
        points=tuple(_points(state, places) for state, places in found.items() if places),
    )
    return Trail(figure, tuple(_seen(heights) + ([] if rule is None else [rule.y])), last)


def framed(trail: Trail, limits: tuple[float, float], marks: Sequence[Mark]) -> Figure:
    """The figure on its axis, from the lower to the upper end: what crashed stands at the foot."""
    points = tuple(
        replace(one, ys=(limits[0],) * len(one.ys), low=(), high=()) if one.sign == "cross" else one
        for one in trail.figure.points
    )
    return replace(trail.figure, points=points, marks=tuple(marks), y_limits=limits)


def marks(rows: Sequence[Row], interventions: Sequence[Intervention], zoom_outs: Sequence[ZoomOut]) -> tuple[Mark, ...]:
    """Zoom-outs, and what a person did that changed something, where they happened."""
    steps = [one.at for one in interventions if one.step in _CHANGING and one.acknowledged_at and not one.refused]
    stock = [Mark(x, "zoom-out", "square", GREEN) for x in placed(rows, [one.at for one in zoom_outs])]
    return (*stock, *(Mark(x, "a person's step", "triangle", ORANGE) for x in placed(rows, steps)))


def placed(rows: Sequence[Row], times: Sequence[float]) -> list[float]:
    """Where on the axis of experiments something happened: half a step after the last one proposed by then.

    Args:
        rows: All experiments by number.
        times: UTC seconds.
    """
    proposed = [row.experiment.proposed_at for row in rows]
    return [max(bisect_right(proposed, at) - 0.5, -0.5) for at in times]


def win_rate(row: Row) -> Interval | None:
    """Against the reference, per cent."""
    rate = row.verdict.reference if row.verdict else None
    return rate and Interval(100 * rate.estimate, 100 * rate.low, 100 * rate.high)


def final_loss(row: Row) -> Interval | None:
    """The last that the trainer logged; one training has no interval."""
    return _alone(row.final_loss)


def held_out(row: Row) -> Interval | None:
    """Share of held-out pairs in the right order, per cent."""
    return _alone(None if row.val_pref_acc is None else 100 * row.val_pref_acc)


def elo(rows: Sequence[Row], standings: Sequence[Standing], simulated: bool) -> Trail | None:
    """Elo as the ranking stands now, by the interval of the win rate against the reference."""
    found = {
        one.experiment: Interval(one.elo, _points_of(one.reference.low), _points_of(one.reference.high))
        for one in standings
        if one.experiment is not None
    }
    label = f"Elo{', simulated voters' if simulated else ''}"
    return trail(
        rows, lambda row: found.get(row.experiment.number), "Elo by experiment", label, Rule(ELO_REFERENCE, "reference")
    )


def _points_of(rate: float) -> float:
    held = min(max(rate, 1 - _SURE), _SURE)
    return ELO_REFERENCE + _ELO * math.log(held / (1 - held))


def _alone(value: float | None) -> Interval | None:
    return None if value is None or not math.isfinite(value) else Interval(value, value, value)


def _points(state: State, places: Sequence[tuple[int, Interval | None]]) -> Points:
    look = LOOKS[state]
    heights = [height or Interval(0.0, 0.0, 0.0) for _, height in places]
    alone = all(height.low == height.high for height in heights)
    return Points(
        look.word,
        look.sign,
        look.colour,
        tuple(float(number) for number, _ in places),
        tuple(height.estimate for height in heights),
        () if alone else tuple(height.low for height in heights),
        () if alone else tuple(height.high for height in heights),
    )


def _best(
    kept: Sequence[tuple[int, Interval | None]], last: int, better: Callable[[float, float], float]
) -> tuple[Line, ...]:
    """The best of those kept so far that stand: not who reigned, as votes on another opponent decide that."""
    places = [(float(number), height.estimate) for number, height in kept if height]
    if not places:
        return ()
    xs, ys = [x for x, _ in places], list(accumulate((y for _, y in places), better))
    return (Line("best kept", BLUE, (*xs, float(last)), (*ys, ys[-1]), steps=True),)


def _seen(heights: Mapping[State, Sequence[Interval]]) -> list[float]:
    kept = [end for height in heights[State.KEPT] for end in (height.low, height.estimate, height.high)]
    others = sorted(
        height.estimate
        for state, found in heights.items()
        if state not in (State.KEPT, State.CRASHED)
        for height in found
    )
    return kept + _near(others, kept)


def _near(values: Sequence[float], always: Sequence[float]) -> list[float]:
    """The least and the most of sorted values, those left out that would flatten all others."""
    if not values:
        return []
    low, high = values[len(values) // 4], values[3 * len(values) // 4]
    low, high = min([low, *always]), max([high, *always])
    reach = _OUTLYING * (high - low)
    near = [value for value in values if low - reach <= value <= high + reach]
    return [near[0], near[-1]] if near else []
