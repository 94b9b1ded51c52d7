"""Figures as data: what a picture shows, whoever draws it. Light to import; drawing has a process of its own."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, cast

from checkpoints.records import Json, State

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
    x_limits: tuple[float, float] | None = None
    """None begins at 0, as counts do."""

    def to_json(self) -> str:
        """As text from which ``from_json`` makes the same figure."""
        import json

        return json.dumps(asdict(self))

    @staticmethod
    def from_json(text: str) -> Figure:
        """The figure of a text by ``to_json``.

        Raises:
            ValueError, KeyError, TypeError: The text is none.
        """
        import json

        read: Json = json.loads(text)
        kinds = {"rules": Rule, "bands": Band, "lines": Line, "points": Points, "marks": Mark}
        layers: Json = {name: tuple(kind(**_tuples(one)) for one in read.pop(name)) for name, kind in kinds.items()}
        return Figure(**_tuples(read), **layers)


def _tuples(read: Json) -> Json:
    return {name: tuple(cast(list[Any], value)) if isinstance(value, list) else value for name, value in read.items()}
