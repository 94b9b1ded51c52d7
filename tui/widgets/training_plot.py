"""The training under way (or the last one) over its champion's: loss, and every other series that was logged."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from checkpoints.records import Lane
from tui.axes import Limits, around
from tui.plots.known import Known
from tui.plots.training import LOSS, Shown, logged, named, rises, shown, training
from tui.series import Series
from tui.snapshot import Snapshot
from tui.widgets.curves import Picture, Plot

_POWERS = -300.0, 300.0
"""Of ten, as far as numbers go."""


class TrainingPlot(Plot):
    """One series of the candidate over its champion's."""

    def __init__(self) -> None:
        super().__init__("loss")
        self._name = LOSS
        self._logarithmic: set[str] = set()
        self._limits: dict[tuple[int, str, bool], Limits] = {}
        self._own, self._rival = Known[Shown | None](), Known[Shown | None]()
        self._names, self._picture = Known[list[str]](), Known[Picture | None]()

    def picture(self, width: int) -> Picture | None:
        """The series on axes that are held while one training goes on."""
        now = self.snapshot
        if now is None or now.candidate is None:
            return None
        return self._picture.of(lambda: self._made(now), now.candidate, now.rival, self._name, self._log, _right(now))

    def nothing(self) -> str:
        """Before the first step, or where the trainer logs no such thing."""
        if (now := self.snapshot) and now.candidate and logged(now.candidate):
            return f"#{now.candidate.experiment} has logged no {_small(self._name)} · d: {_small(self._next())}"
        row = now.row(now.candidate.experiment) if now and now.candidate else None
        if row and row.train_seconds is not None:
            return f"#{row.experiment.number} has logged no curve: what it printed is in its run's folder"
        return "the curve comes with the first steps"

    def titles(self) -> Sequence[str]:
        """The series, whose it is, and the keys."""
        now = self.snapshot or Snapshot()
        if now.candidate is None:
            return [named(self._name)]
        own = f"{named(self._name)} #{now.candidate.experiment}"
        over = f"{own} over champion #{now.rival.experiment}" if now.rival else own
        log = " · log axis" if self._log else ""
        key = f" · d: {_small(self._next())}" if len(self._all()) > 1 else ""
        return [f"{over}{log}{key}", f"{over}{log}{key and ' · d'}", f"{own}{log}{key}", f"{own}{log}"]

    def legends(self, picture: Picture, width: int) -> Sequence[str]:
        """What is a point and what is a line."""
        tested = " · ".join(f"{'■▲'[one.sign == 'triangle']} {one.label}" for one in picture.figure.points)
        raw = "points as logged, lines averaged" if any(line.faint for line in picture.figure.lines) else ""
        key = "" if self._log else "l: log axis"
        whole = [part for part in (tested, raw, key) if part]
        return [" · ".join(whole), " · ".join(whole[:2]), " · ".join(whole[:1]), ""]

    def views(self) -> Sequence[str]:
        """The series that were logged, by the trainer's names."""
        names = self._all()
        if self._name not in names:
            return [self._name, *names]
        place = names.index(self._name)
        return names[place:] + names[:place]

    def turn(self) -> str:
        """The next series."""
        if len(self._all()) < 2:
            return "this training logs nothing else" if self._all() else "nothing is logged yet"
        self._name = self._next()
        self.update()
        return ""

    def turn_axis(self) -> str:
        """A logarithmic axis, or a linear one again; returns why not."""
        picture = self.picture(self.size.width)
        if picture is None:
            return self.nothing()
        if not self._log and any(value <= 0 for value in self._values()):
            return f"{_small(self._name)} has values of 0 or less, which have no logarithm"
        self._logarithmic ^= {self._name}
        self.update()
        return ""

    @property
    def _log(self) -> bool:
        return self._name in self._logarithmic

    def _made(self, now: Snapshot) -> Picture | None:
        assert now.candidate is not None
        right = _right(now)
        own, rival = self._shown(self._own, now.candidate, right), self._shown(self._rival, now.rival, right)
        if own is None:
            return None
        values = [*own.all, *(rival.all if rival else ())]
        log = self._log and min(values) > 0
        held = self._hold((own.experiment, self._name, log), [math.log10(value) for value in values] if log else values)
        ends = held.within(*_POWERS)
        y = Limits(10**ends.lower, 10**ends.upper) if log else held
        figure = replace(training(self._name, own, rival), y_limits=(y.lower, y.upper), log_y=log)
        curve = (rival or own).all
        return Picture(figure, Limits(0, right), y, log, not rises(curve, y.lower, y.upper))

    def _shown(self, known: Known[Shown | None], series: Series | None, right: float) -> Shown | None:
        return known.of(lambda: series and shown(series, self._name, right), series, self._name, right)

    def _hold(self, key: tuple[int, str, bool], values: Sequence[float]) -> Limits:
        if key not in self._limits:
            # Those of trainings gone by are of no use.
            self._limits = {known: limits for known, limits in self._limits.items() if known[0] == key[0]}
            self._limits[key] = around(values)
        self._limits[key] = self._limits[key].hold(values)
        return self._limits[key]

    def _values(self) -> list[float]:
        picture = self.picture(self.size.width)
        drawn = (*picture.figure.lines, *picture.figure.points) if picture else ()
        return [value for one in drawn for value in one.ys]

    def _all(self) -> list[str]:
        now = self.snapshot or Snapshot()
        return self._names.of(lambda: logged(now.candidate, now.rival), now.candidate, now.rival)

    def _next(self) -> str:
        return [*self.views(), self._name][1]


def _right(now: Snapshot) -> float:
    """Last step of the axis: as long as this training will be, or either of the two has become."""
    assert now.candidate is not None
    progress = now.progress.get(Lane.TRAIN)
    total = progress.total if progress and progress.experiment == now.candidate.experiment else 0.0
    steps = [
        one.step for series in (now.candidate, now.rival) if series for one in (*series.train[-1:], *series.evals[-1:])
    ]
    return max(total, *map(float, steps), 1.0)


def _small(name: str) -> str:
    """Inside a sentence."""
    known = named(name)
    return known if known == name else known[:1].lower() + known[1:]
