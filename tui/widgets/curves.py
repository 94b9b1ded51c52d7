"""The two plots as panels: win rate by experiment, and the loss of the candidate over the champion's."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from checkpoints.records import Lane, Row, State
from tui.axes import Limits, around, experiments_ahead
from tui.plots import EVEN, Curve, Point, loaded, losses, win_rates
from tui.signs import GREY
from tui.snapshot import Series, Snapshot
from tui.widgets.lines import Lines

_LEAST = (24, 5)
"""Cells below which a plot says nothing."""


class Plot(Lines, can_focus=True):
    """A plot that is drawn again only when what it shows has changed."""

    def __init__(self, id: str) -> None:
        super().__init__(id=id)
        self._drawn_of: object = None
        self._picture: Sequence[Text] = ()

    def lines(self, width: int, height: int) -> Sequence[Text]:
        """The plot, or why there is none yet."""
        shown = self.data()
        if shown is None or width < _LEAST[0] or height < _LEAST[1] or not loaded():
            self._drawn_of = None
            return [Text(f" {self.nothing()}", style=GREY)]
        if self._drawn_of != (shown, width, height):
            self._drawn_of, self._picture = (shown, width, height), self.picture(width, height)
        return self._picture

    def data(self) -> object:
        """What the picture is made of; None while there is nothing."""
        raise NotImplementedError

    def picture(self, width: int, height: int) -> Sequence[Text]:
        """Draw it."""
        raise NotImplementedError

    def nothing(self) -> str:
        """What to say while there is nothing."""
        raise NotImplementedError


class WinRatePlot(Plot):
    """Win rate against the reference by experiment."""

    BORDER_TITLE = "Win rate % against the reference"

    def __init__(self) -> None:
        super().__init__("win-rate")
        self._limits = Limits(47, 53)

    def data(self) -> object:
        """The points, with the budget that the axis follows."""
        if self.snapshot is None or self.snapshot.run is None:
            return None
        points = tuple(point for row in self.snapshot.rows if (point := point_of(row)))
        return (points, self.snapshot.run.experiments) if points else None

    def picture(self, width: int, height: int) -> Sequence[Text]:
        """Draw it on axes that seldom move."""
        assert self.snapshot is not None and self.snapshot.run is not None
        points = [point for row in self.snapshot.rows if (point := point_of(row))]
        self._limits = self._limits.hold([EVEN, *(rate for point in points for rate in _seen(point))])
        right = experiments_ahead(points[-1].number, self.snapshot.run.experiments, width)
        return win_rates(points, width, height, right, self._limits.within(0, 100))

    def nothing(self) -> str:
        """Before the first verdict."""
        return "the first point comes with the baseline's votes"


class LossPlot(Plot):
    """Loss of the training under way (or the last one) over its champion's."""

    BORDER_TITLE = "Loss"

    def __init__(self) -> None:
        super().__init__("loss")
        self._limits: Limits | None = None
        self._of: int | None = None

    def data(self) -> object:
        """Both series and the length of the axis."""
        if self.snapshot is None or self.snapshot.candidate is None or not self.snapshot.candidate.train:
            return None
        return self.snapshot.candidate, self.snapshot.rival, self._right(self.snapshot)

    def picture(self, width: int, height: int) -> Sequence[Text]:
        """Draw it on axes that are held while one training goes on."""
        assert self.snapshot is not None and self.snapshot.candidate is not None
        candidate, champion = self.snapshot.candidate, self.snapshot.rival
        values = [loss for series in (candidate, champion) if series for loss in series.of("loss")[1]]
        if self._of != candidate.experiment or self._limits is None:
            self._of, self._limits = candidate.experiment, around(values)
        self._limits = self._limits.hold(values)
        rival = curve_of("champion", champion) if champion else None
        right = self._right(self.snapshot)
        return losses(curve_of("candidate", candidate), rival, width, height, right, self._limits)

    def nothing(self) -> str:
        """Before the first step."""
        return "the curve comes with the first steps"

    @staticmethod
    def _right(snapshot: Snapshot) -> float:
        progress = snapshot.progress.get(Lane.TRAIN)
        candidate = snapshot.candidate
        assert candidate is not None
        total = progress.total if progress and progress.experiment == candidate.experiment else 0.0
        longest = snapshot.rival.train[-1].step if snapshot.rival and snapshot.rival.train else 0.0
        return max(total, float(candidate.train[-1].step), float(longest), 1.0)


def point_of(row: Row) -> Point | None:
    """The experiment in the plot of win rates; None while it has no verdict."""
    if row.verdict is None:
        return None
    state = State.KEPT if row.experiment.number == 0 and row.verdict.reference else row.experiment.state
    rate = row.verdict.reference
    if rate is None:
        return Point(row.experiment.number, state) if state is State.CRASHED else None
    return Point(row.experiment.number, state, 100 * rate.estimate, 100 * rate.low, 100 * rate.high)


def _seen(point: Point) -> list[float]:
    """Rates that the axis must have: one discarded after few votes has an interval that would flatten all others."""
    rates = (point.rate, point.low, point.high) if point.state is State.KEPT else (point.rate,)
    return [rate for rate in rates if rate is not None]


def curve_of(role: str, series: Series) -> Curve:
    """A series with its name in the legend."""
    return Curve(f"{role} #{series.experiment}", *series.of("loss"))
