"""What a report rests on, read from the store at one moment."""

from __future__ import annotations

import re
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, cast

from checkpoints.measurements import HeldRows
from checkpoints.reader import Reader
from checkpoints.records import (
    BASELINE,
    ENDS,
    Championship,
    Hypothesis,
    Interval,
    Intervention,
    Json,
    Lane,
    Outcome,
    Program,
    Row,
    Run,
    StageState,
    Standing,
    State,
    Wait,
    ZoomOut,
)
from checkpoints.thought import Note, Spent
from lanes.analyze.noise import NoiseFloor, noise_floor
from lanes.analyze.verdict import Rule
from runner.ending import LAST, ended_at
from runner.front_matter import read_document
from runner.judges import metric_of
from runner.program_error import ProgramError
from runner.report import believed
from runner.report.believed import Believed
from runner.results import on_locked_rows
from runner.trails import is_scalar

_NAME = re.compile(r"\bexp-\d+|#\d+")


class NoRun(Exception):
    """There is nothing to report on yet; the message says why."""


@dataclass(frozen=True, slots=True)
class LaneTime:
    """Where one lane's time went, in seconds."""

    lane: Lane
    busy: float
    passages: int
    failed: int
    """Passages that ended in an error, those tried again among them."""

    waited: tuple[tuple[str, float], ...]
    """For what, the longest first."""

    @property
    def idle(self) -> float:
        """Waited in all."""
        return sum(seconds for _, seconds in self.waited)


@dataclass(frozen=True, slots=True)
class Facts:
    """A run at one moment."""

    at: float
    """UTC seconds."""

    run: Run
    finished_at: float | None
    """UTC seconds at which the run came to its end; None while it has not."""

    driven: bool
    """Whether some process drives it."""

    program: Program | None
    """The revision in force."""

    refused: Program | None
    """The last revision, if it was refused."""

    open_fields: tuple[str, ...]
    """Recipe fields that the program lets experiments change."""

    alpha: float | None
    """Probability with which the rule keeps what is no better than even, 0 to 1; None where it is not known."""

    rows: Sequence[Row]
    tried: tuple[Row, ...]
    """Experiments that have ended after the baseline; what was cancelled was not tried."""

    reigns: tuple[Championship, ...]
    standings: dict[int, Standing]
    """The ranking as it is now, by experiment; empty where a metric judges."""

    interventions: tuple[Intervention, ...]
    zoom_outs: tuple[ZoomOut, ...]
    hypotheses: tuple[Hypothesis, ...]
    lanes: tuple[LaneTime, ...]
    simulated: int
    """Votes cast by simulated voters."""

    voted: int
    """Votes cast by people."""

    metric: str
    """What judges in the place of votes; empty while votes do."""

    believed: Believed
    spent: Spent
    """What the agent used."""

    refusals: int
    """Proposals that the program refused."""

    notes: tuple[Note, ...]
    """Of a person to the agent, that stand."""

    trainings: dict[int, int]
    """Trainings over which a metric was measured, by the experiment whose recipe was trained; empty where none was."""

    locked: dict[int, float]
    """Mean of the metric on the locked hold-out, by experiment."""

    floor: NoiseFloor | None
    """In which single runs of the champion's recipe fall; None where nothing says."""

    @property
    def scalar(self) -> bool:
        """Whether a number that was measured over trainings judges."""
        return is_scalar(self.rows)

    @property
    def judged(self) -> list[Row]:
        """Of what was tried, what came to a verdict by evidence: each was a look at which luck could win."""
        return [row for row in self.tried if row.verdict and row.verdict.outcome is not Outcome.CRASH]

    @property
    def kept(self) -> list[Row]:
        """Keeps after the baseline that were not taken back."""
        return [row for row in self.tried if row.experiment.state is State.KEPT]

    @property
    def baseline(self) -> Row | None:
        """Experiment 0, once it was judged."""
        return self.rows[BASELINE] if self.rows and self.rows[BASELINE].verdict else None

    @property
    def champion(self) -> Row | None:
        """Who reigns."""
        return self.rows[self.reigns[-1].experiment] if self.reigns else None

    @property
    def gauge(self) -> str:
        """What a rate against the reference is of, after the number."""
        return f"of held-out pairs in the right order ({self.metric})" if self.metric else "against the reference"

    @property
    def until(self) -> float:
        """UTC seconds to which time is counted: the run's end; now, while it is driven; else what happened last."""
        if self.finished_at is not None:
            return self.finished_at
        if self.driven:
            return self.at
        ended = [row.experiment.ended_at for row in self.rows if row.experiment.ended_at]
        acknowledged = [one.acknowledged_at for one in self.interventions if one.acknowledged_at]
        return max([self.run.created_at, *ended, *acknowledged])


def gather(read: Reader, driven: bool, rows: Sequence[Row] | None = None) -> Facts:
    """Read what a report needs; for ten thousand experiments that takes a second or two.

    Args:
        read: Of the run.
        driven: Whether some process drives the run, which the store does not know.
        rows: All experiments, where somebody has them in hand already.

    Raises:
        NoRun: The run has not begun.
        sqlite3.Error: The store cannot be read.
    """
    run, now = read.run(), time.time()
    if run is None:
        raise NoRun("the run has not begun, there is nothing to report yet")
    program, last = read.program(), read.last_program()
    values = _values(program)
    finished_at = ended_at(run, read.events(last=LAST))
    votes = read.vote_counts()
    reigns = tuple(read.championships())
    rows = tuple(read.rows()) if rows is None else rows
    measured = read.measurements()
    return Facts(
        at=now,
        run=run,
        finished_at=finished_at,
        driven=driven,
        program=program,
        refused=last if last and last.error else None,
        open_fields=_open_fields(values),
        alpha=_alpha(values),
        rows=rows,
        tried=tuple(row for row in rows if _was_tried(row)),
        reigns=reigns,
        standings={one.experiment: one for one in read.standings() if one.experiment is not None},
        interventions=tuple(read.interventions()),
        zoom_outs=tuple(read.zoom_outs()),
        hypotheses=tuple(read.hypotheses()),
        lanes=_lanes(read, finished_at or (now if driven else None), finished_at),
        simulated=votes[True],
        voted=votes[False],
        metric=metric_of(read, reigns[-1].experiment if reigns else None),
        believed=believed.gather(read),
        spent=read.spent(),
        refusals=len(read.refusals()),
        notes=tuple(read.notes()),
        trainings=dict(Counter(one.experiment for one in measured)),
        locked=on_locked_rows(read.measurements(rows=HeldRows.LOCKED)),
        floor=noise_floor(measured, reigns[-1].experiment) if measured and reigns else None,
    )


def reference(row: Row) -> Interval | None:
    """Win rate against the reference, or the metric's value, when the verdict fell; shares of 1."""
    return row.verdict.reference if row.verdict else None


def _was_tried(row: Row) -> bool:
    experiment = row.experiment
    return experiment.number != BASELINE and experiment.state in ENDS and experiment.state is not State.CANCELLED


def _values(program: Program | None) -> Json | None:
    """Read from the text alone: what validates a program takes half a second to import."""
    if program is None:
        return None
    try:
        return read_document(program.text, "program.md").values
    except ProgramError:
        return None


def _open_fields(values: Json | None) -> tuple[str, ...]:
    space: Any = values and values.get("space")
    return tuple(map(str, cast(Json, space))) if isinstance(space, dict) else ()


def _alpha(values: Json | None) -> float | None:
    """The rule's own, where the program names none."""
    if values is None:
        return None
    evaluate: Any = values.get("evaluate")
    alpha = cast(Json, evaluate).get("alpha", Rule().alpha) if isinstance(evaluate, dict) else Rule().alpha
    return float(alpha) if isinstance(alpha, int | float) else None


def _lanes(read: Reader, now: float | None, end: float | None) -> tuple[LaneTime, ...]:
    """By lane.

    Args:
        read: Of the run.
        now: UTC seconds up to which what is under way counts; None leaves it out.
        end: UTC seconds after which nothing counts; None where there is no end.
    """
    busy, passages, failed = defaultdict[Lane, float](float), Counter[Lane](), Counter[Lane]()
    for lane, state, number, seconds, since in read.passages():
        busy[lane] += seconds
        passages[lane] += number
        failed[lane] += number if state is StageState.FAILED else 0
        if state is StageState.STARTED and now is not None:
            busy[lane] += max(0.0, now - since)
    waited = _waited(read.waits(), now, end)
    return tuple(LaneTime(lane, busy[lane], passages[lane], failed[lane], waited.get(lane, ())) for lane in Lane)


def _waited(waits: Iterable[Wait], now: float | None, end: float | None) -> dict[Lane, tuple[tuple[str, float], ...]]:
    """Seconds by what was waited for, whichever experiment it was of."""
    sums: dict[Lane, dict[str, float]] = {lane: defaultdict(float) for lane in Lane}
    for wait in waits:
        until = wait.until if wait.until is not None else now
        if until is not None:
            until = until if end is None else min(until, end)
            sums[wait.lane][_NAME.sub("an experiment", wait.what)] += max(0.0, until - wait.since)
    return {lane: tuple(sorted(by.items(), key=lambda one: -one[1])) for lane, by in sums.items()}
