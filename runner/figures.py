"""Figures as data: what a picture shows, whoever draws it. Light to import; drawing has a process of its own."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, cast

from checkpoints.records import Interval, Intervention, Json, Row, State, Step, ZoomOut

EVEN = 50.0
"""Win rate in per cent at which two models are equally good."""

# Okabe and Ito's palette: told apart on white and on black, and by the colour-blind.
BLUE = "#0072b2"
SKY = "#56b4e9"
GREEN = "#009e73"
ORANGE = "#e69f00"
RED = "#d55e00"
PINK = "#cc79a7"
GREY = "#8a8f98"

INK = "#1c2733"
"""Of text and axes: what a page with a theme of its own puts its colour of text in the place of."""

PAPER = "#fefefe"
"""Of the ground and of the inside of open signs: what such a page puts its ground in the place of."""


@dataclass(frozen=True, slots=True)
class Look:
    """How the experiments in one state are drawn; sign and colour each tell the states apart."""

    word: str
    sign: str
    """``dot``, ``ring``, ``half``, ``cross``, ``barred``, ``square`` or ``triangle``."""

    colour: str


LOOKS = {
    State.KEPT: Look("kept", "dot", BLUE),
    State.DISCARDED: Look("discarded", "ring", GREY),
    State.INCONCLUSIVE: Look("inconclusive", "half", ORANGE),
    State.CRASHED: Look("crashed", "cross", RED),
    State.VETOED: Look("vetoed", "barred", PINK),
}
"""Of the states in which an experiment has a place in a plot; what is drawn last comes first."""


@dataclass(frozen=True, slots=True)
class Points:
    """Signs at places, with intervals where ``low`` and ``high`` are given; all in the units of the axes."""

    label: str
    sign: str
    colour: str
    xs: tuple[float, ...]
    ys: tuple[float, ...]
    low: tuple[float, ...] = ()
    """As long as ``ys``, or empty."""

    high: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Line:
    """Places joined."""

    label: str
    """Empty keeps it out of the legend."""

    colour: str
    xs: tuple[float, ...]
    ys: tuple[float, ...]
    steps: bool = False
    """Whether a value holds until the next place, as a running best does."""

    dashed: bool = False
    faint: bool = False
    """Whether it stands behind another, as raw values behind their average."""


@dataclass(frozen=True, slots=True)
class Band:
    """What lies between two lines, as an interval that narrows."""

    label: str
    colour: str
    xs: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Rule:
    """A line across the whole picture at a height, for example at even."""

    y: float
    label: str = ""


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happened, as a sign on the horizontal axis."""

    x: float
    label: str
    """The same for all of a kind: the legend names each once."""

    sign: str = "triangle"
    colour: str = ORANGE


@dataclass(frozen=True, slots=True)
class Figure:
    """A picture: axes and what is drawn on them, from the back to the front as listed."""

    title: str
    x_label: str
    y_label: str
    rules: tuple[Rule, ...] = ()
    bands: tuple[Band, ...] = ()
    lines: tuple[Line, ...] = ()
    points: tuple[Points, ...] = ()
    marks: tuple[Mark, ...] = ()
    y_limits: tuple[float, float] | None = None
    """None leaves them to the data."""

    log_y: bool = False

    def to_json(self) -> str:
        """As text from which ``from_json`` makes the same figure."""
        return json.dumps(asdict(self))

    @staticmethod
    def from_json(text: str) -> Figure:
        """The figure of a text by ``to_json``.

        Raises:
            ValueError, KeyError, TypeError: The text is none.
        """
        read: Json = json.loads(text)
        kinds = {"rules": Rule, "bands": Band, "lines": Line, "points": Points, "marks": Mark}
        layers: Json = {name: tuple(kind(**_tuples(one)) for one in read.pop(name)) for name, kind in kinds.items()}
        return Figure(**_tuples(read), **layers)


def progress(
    rows: Sequence[Row],
    interventions: Sequence[Intervention] = (),
    zoom_outs: Sequence[ZoomOut] = (),
    metric: str = "",
    simulated: bool = False,
) -> Figure:
    """Win rate against the reference by experiment, keeps joined by who reigned.

    Args:
        rows: All experiments by number; those without a verdict are left out.
        interventions, zoom_outs: Marked on the axis where they happened.
        metric: What judges in the place of votes; its value is then the height. Empty while votes do.
        simulated: Whether the votes are those of simulated voters, which the label then says.
    """
    judged = [row for row in rows if row.verdict and row.experiment.state in LOOKS]
    limits = _limits([row for row in judged if rate_of(row)])
    voters = ", simulated voters" if simulated else ""
    return Figure(
        title=f"{metric or 'Win rate'} by experiment",
        x_label="experiment",
        y_label=f"{metric}, % of held-out pairs" if metric else f"win rate against the reference, %{voters}",
        rules=(Rule(EVEN, "even"),),
        lines=tuple(_reigning(judged)),
        points=tuple(_points(state, judged, limits[0]) for state in LOOKS if any(_is(row, state) for row in judged)),
        marks=tuple(_marks(rows, interventions, zoom_outs)),
        y_limits=limits,
    )


def rate_of(row: Row) -> Interval | None:
    """Win rate against the reference, a share, with its interval; None where there is none."""
    return row.verdict.reference if row.verdict else None


def placed(rows: Sequence[Row], times: Sequence[float]) -> list[float]:
    """Where on the axis of experiments something happened: half a step after the last one proposed by then.

    Args:
        rows: All experiments by number.
        times: UTC seconds.
    """
    proposed = [row.experiment.proposed_at for row in rows]
    return [max(bisect_right(proposed, at) - 0.5, -0.5) for at in times]


def _points(state: State, judged: Sequence[Row], foot: float) -> Points:
    """The experiments of one state; what has no rate, as a crash, stands at the foot."""
    look, of_state = LOOKS[state], [row for row in judged if _is(row, state)]
    rates = [rate_of(row) or Interval(foot / 100, foot / 100, foot / 100) for row in of_state]
    return Points(
        look.word,
        look.sign,
        look.colour,
        tuple(float(row.experiment.number) for row in of_state),
        tuple(100 * rate.estimate for rate in rates),
        tuple(100 * rate.low for rate in rates),
        tuple(100 * rate.high for rate in rates),
    )


def _is(row: Row, state: State) -> bool:
    return row.experiment.state is state and (state is State.CRASHED or rate_of(row) is not None)


def _reigning(judged: Sequence[Row]) -> list[Line]:
    keeps = [(row.experiment.number, rate) for row in judged if _is(row, State.KEPT) and (rate := rate_of(row))]
    if not keeps:
        return []
    last = judged[-1].experiment.number
    xs = (*(float(number) for number, _ in keeps), float(last))
    ys = (*(100 * rate.estimate for _, rate in keeps), 100 * keeps[-1][1].estimate)
    return [Line("last kept", BLUE, xs, ys, steps=True)]


def _limits(rated: Sequence[Row]) -> tuple[float, float]:
    """Per cent. One discarded after few votes has an interval that would flatten all others: only keeps' count."""
    seen = [EVEN]
    for row in rated:
        rate = rate_of(row)
        assert rate is not None
        seen += [100 * rate.estimate]
        seen += [100 * rate.low, 100 * rate.high] if row.experiment.state is State.KEPT else []
    margin = max(1.0, 0.06 * (max(seen) - min(seen)))
    return max(0.0, min(seen) - margin), min(100.0, max(seen) + margin)


_NO_MARK = frozenset({Step.VOTE, Step.STOP, Step.RESUME, Step.UNDO})
"""What says nothing about where a curve bends, or comes too often."""


def _marks(rows: Sequence[Row], interventions: Sequence[Intervention], zoom_outs: Sequence[ZoomOut]) -> list[Mark]:
    steps = [one for one in interventions if one.step not in _NO_MARK]
    people = [Mark(x, "a person's step", "triangle", ORANGE) for x in placed(rows, [one.at for one in steps])]
    stock = [Mark(x, "zoom-out", "square", GREEN) for x in placed(rows, [one.at for one in zoom_outs])]
    return stock + people


def _tuples(read: Json) -> Json:
    return {name: tuple(cast(list[Any], value)) if isinstance(value, list) else value for name, value in read.items()}
