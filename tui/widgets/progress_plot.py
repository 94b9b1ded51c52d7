"""The run so far, by experiment: win rates, Elo, losses; or the votes on one experiment as they came."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from textual.message import Message

from checkpoints.records import Experiment, Lane, Row, State
from runner import trails
from runner.figures import Figure, Mark
from runner.trails import Trail
from tui import plots
from tui.axes import Limits, around, counts_ahead, experiments_ahead
from tui.plots.known import Known
from tui.plots.painter import MARKS, SIGNS
from tui.plots.votes import Ballots, seen, votes
from tui.snapshot import Snapshot
from tui.widgets.curves import Picture, Plot

_RATE, _ELO, _VOTES, _LOSS, _HELD_OUT = VIEWS = ("win rate", "Elo", "votes", "final loss", "val_pref_acc")
"""In the order in which the key goes through them."""

_METRIC = "metric"
"""The first view where a number in a unit of its own judges."""

_START = {_RATE: Limits(47, 53), _ELO: Limits(970, 1030), _VOTES: Limits(35, 65)}
"""Limits before there is any evidence; the other views begin with their first values."""

_SHORT = {
    "discarded": "discard", "inconclusive": "unclear", "crashed": "crash", "vetoed": "veto", "zoom-out": "zoom",
    "your step": "you",
}  # fmt: skip


class ProgressPlot(Plot):
    """What became of every experiment."""

    class BallotsWanted(Message):
        """The votes on an experiment are to be read."""

        def __init__(self, plot: ProgressPlot, experiment: Experiment, before: Ballots | None) -> None:
            super().__init__()
            self.plot, self.experiment, self.before = plot, experiment, before

    def __init__(self) -> None:
        super().__init__("win-rate")
        self.chosen: Row | None = None
        """Whose votes are shown, if there were any."""

        self._view = _RATE
        self._limits = dict(_START)
        self._trails = {view: Known[Trail | None]() for view in VIEWS}
        self._logged = Known[bool](), Known[bool]()
        self._marks = Known[tuple[Mark, ...]]()
        self._pictures = {view: Known[Picture]() for view in VIEWS}
        self._ballots: Ballots | None = None
        self._seen = Known[list[float]]()
        self._asked: object = None

    def picture(self, width: int) -> Picture | None:
        """The view on axes that seldom move."""
        now = self.snapshot
        if now is None or now.run is None:
            return None
        if self._view == _VOTES:
            return self._of_votes(now, width)
        trail = self._trail(now, self._view)
        if trail is None:
            return None
        marks = self._marks.of(
            lambda: trails.marks(now.rows, now.interventions, now.zoom_outs),
            now.rows,
            now.interventions,
            now.zoom_outs,
        )
        limits = self._held(_METRIC if self._view == _RATE and now.scalar else self._view, trail.seen)
        ends = limits.lower, limits.upper
        right = experiments_ahead(trail.last, now.run.experiments, width)
        return self._pictures[self._view].of(
            lambda: Picture(trails.framed(trail, ends, marks), Limits(-0.6, right + 0.6), limits),
            trail, limits, marks, right,
        )  # fmt: skip

    def nothing(self) -> str:
        """Before the first evidence."""
        if self._view == _VOTES:
            voted = self._voted(self.snapshot or Snapshot())
            read = voted and self._ballots and self._ballots.experiment == voted.number
            return "no voter is counted yet" if read or not voted else "reading the votes…"
        return {
            _RATE: "the first point comes with the baseline's verdict",
            _ELO: "no ranking yet",
        }.get(self._view, f"no {self._view} yet")

    def titles(self) -> Sequence[str]:
        """The view, who votes, and the key."""
        now = self.snapshot or Snapshot()
        long, short = self._names(now)
        simulated = now.simulated and self._view in (_RATE, _ELO, _VOTES)
        key = f" · d: {following}" if (following := self._next(now)) != self._view else ""
        whole = [f"{long} · simulated voters{key}", f"{long} · simulated{key}", f"{short} · simulated{key}"]
        return whole if simulated else [f"{long}{key}", f"{short}{key}"]

    def legends(self, picture: Picture, width: int) -> Sequence[str]:
        """The signs that are to be seen."""
        if self._view == _VOTES:
            return ["dashed: 95 % interval, however often one looks", "dashed: 95 % at any time", ""]
        figure = picture.figure
        crowd = plots.crowded(figure.points, width)
        found = [(SIGNS[one.sign].mark, one.label) for one in figure.points if not (crowd and one.sign in plots.CLOUD)]
        if crowd:
            found.insert(1, ("." if plots.is_plain() else "⡐", "not kept"))
        happened = {mark.label for mark in figure.marks}
        marks = [(sign.mark, sign.word) for label, sign in MARKS.items() if label in happened]
        return [
            " · ".join(f"{mark} {word}" for mark, word in found + marks),
            " ".join(f"{mark} {_SHORT.get(word, word)}" for mark, word in found + marks),
            " ".join(f"{mark}{_SHORT.get(word, word)}" for mark, word in found + marks),
            " ".join(f"{mark} {word}" for mark, word in marks),
            " ".join(f"{mark}{_SHORT.get(word, word)}" for mark, word in marks),
        ]

    def show(self, snapshot: Snapshot) -> None:
        """Show the run as it is now; votes that came are read first."""
        self.snapshot = snapshot
        self._ask(snapshot)
        self.update()

    def choose(self, row: Row | None) -> None:
        """Show the votes on another experiment."""
        self.chosen = row
        if self._view == _VOTES and self.snapshot:
            self.show(self.snapshot)

    def take(self, ballots: Ballots) -> None:
        """The votes that were wanted."""
        if self._ballots is None or ballots.experiment != self._ballots.experiment:
            self._limits[_VOTES] = _START[_VOTES]
        self._ballots = ballots
        self.update()

    def views(self) -> Sequence[str]:
        """Those that there is something for."""
        return self._from_here(self.snapshot or Snapshot())

    def turn(self) -> str:
        """The next view that there is something for."""
        now = self.snapshot or Snapshot()
        if (following := self._next(now)) == self._view:
            return "there is nothing else to show yet"
        self._view = following
        self.show(now)
        return ""

    def _names(self, now: Snapshot) -> tuple[str, str]:
        """Of the view, long and short."""
        if self._view == _RATE and now.scalar:
            better = f"{now.metric}, {'less' if trails.less_is_better(now.rows) else 'more'} is better"
            noise = f" · noise of one run ±{(now.floor.high - now.floor.low) / 2:.2g}" if now.floor else ""
            return f"{better}{noise}", better
        if self._view == _RATE and now.metric:
            return f"{now.metric} %, held-out pairs", f"{now.metric} %"
        if self._view == _VOTES and (voted := self._voted(now)):
            over = "reference" if voted.opponent is None else f"#{voted.opponent}"
            return f"Votes on #{voted.number} over {over}", f"Votes on #{voted.number}"
        return {
            _RATE: ("Win rate % against the reference", "Win rate %"),
            _ELO: ("Elo, the reference has 1000", "Elo"),
            _VOTES: ("Votes", "Votes"),
            _LOSS: ("Final training loss by experiment", "Final loss"),
            _HELD_OUT: ("Held-out pairs in order %, by experiment", "val_pref_acc %"),
        }[self._view]

    def _next(self, now: Snapshot) -> str:
        return [*self._from_here(now), self._view][1]

    def _from_here(self, now: Snapshot) -> list[str]:
        place = VIEWS.index(self._view)
        return [view for view in VIEWS[place:] + VIEWS[:place] if view == self._view or self._has(now, view)]

    def _has(self, now: Snapshot, view: str) -> bool:
        if view == _VOTES:
            return self._voted(now) is not None
        if view == _LOSS:
            return self._logged[0].of(lambda: any(row.final_loss is not None for row in now.rows), now.rows)
        if view == _HELD_OUT:
            # Where it judges, the first view shows it.
            measured = self._logged[1].of(lambda: any(row.val_pref_acc is not None for row in now.rows), now.rows)
            return measured and now.metric != _HELD_OUT
        return view == _RATE or bool(now.standings)

    def _trail(self, now: Snapshot, view: str) -> Trail | None:
        make: Mapping[str, Callable[[], Trail | None]] = {
            _RATE: lambda: trails.win_rates(now.rows, now.metric, now.simulated, now.floor),
            _ELO: lambda: trails.elo(now.rows, now.standings, now.simulated),
            _LOSS: lambda: trails.trail(
                now.rows, trails.final_loss, "Final loss by experiment", "loss", less_is_better=True
            ),
            _HELD_OUT: lambda: trails.trail(
                now.rows, trails.held_out, "val_pref_acc by experiment", "held-out pairs in the right order, %"
            ),
        }
        made_of = (now.judged, now.standings, now.metric, now.simulated, now.floor)
        return self._trails[view].of(make[view], *made_of)

    def _held(self, view: str, values: Sequence[float]) -> Limits:
        limits = self._limits.get(view) or around(values)
        limits = limits.hold(values)
        self._limits[view] = limits if view in (_ELO, _LOSS, _METRIC) else limits.within(0, 100)
        return self._limits[view]

    def _of_votes(self, now: Snapshot, width: int) -> Picture | None:
        voted, ballots = self._voted(now), self._ballots
        if voted is None or ballots is None or not ballots.wins or ballots.experiment != voted.number:
            return None
        right = counts_ahead(len(ballots.wins), _expected(now, voted))
        limits = self._held(_VOTES, self._seen.of(lambda: seen(ballots), ballots))
        return self._pictures[_VOTES].of(
            lambda: _narrowing(votes(ballots, right, width, now.simulated), right, limits),
            ballots,
            right,
            limits,
            width,
        )

    def _voted(self, now: Snapshot) -> Experiment | None:
        """Whose votes are shown: the chosen one's, else of the one before the voters, else of the last one."""
        if now.metric:
            return None
        if self.chosen and _has_votes(row := now.row(self.chosen.experiment.number) or self.chosen):
            return row.experiment
        judging = now.progress.get(Lane.EVALUATE)
        if judging and (row := now.row(judging.experiment)) and _has_votes(row):
            return row.experiment
        return next((row.experiment for row in reversed(now.rows) if _has_votes(row)), None)

    def _ask(self, now: Snapshot) -> None:
        if self._view != _VOTES or (voted := self._voted(now)) is None:
            return
        asked = voted.number, voted.opponent, voted.state, _judged(now, voted)
        if asked != self._asked:
            self._asked = asked
            self.post_message(self.BallotsWanted(self, voted, self._ballots))


def _narrowing(figure: Figure, right: int, limits: Limits) -> Picture:
    """The votes on their axes, the names on the side of the lower half where the win rate is in the upper."""
    at_top = figure.lines[0].ys[-1] <= (limits.lower + limits.upper) / 2
    return Picture(figure, Limits(0, right), limits, names_at_top=at_top)


def _has_votes(row: Row) -> bool:
    if row.verdict:
        return row.verdict.wins + row.verdict.losses > 0
    return row.experiment.state in (State.EVALUATING, State.EVALUATED)


def _judged(now: Snapshot, experiment: Experiment) -> float:
    """Votes that the evaluate lane has counted so far, where it is at this experiment."""
    return next((one.done for one in now.in_hand(Lane.EVALUATE) if one.experiment == experiment.number), 0.0)


def _expected(now: Snapshot, experiment: Experiment) -> int:
    return next((int(one.total) for one in now.in_hand(Lane.EVALUATE) if one.experiment == experiment.number), 0)
