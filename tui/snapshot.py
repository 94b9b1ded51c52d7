"""What the dashboard shows, read from the store in one look that asks only for what may have changed."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from checkpoints.records import (
    ENDS,
    Championship,
    Event,
    Experiment,
    Hypothesis,
    Intervention,
    Lane,
    Metric,
    Program,
    Progress,
    Row,
    Run,
    RunState,
    State,
    ZoomOut,
)

if TYPE_CHECKING:
    from checkpoints.reader import Reader

EVENTS = 500
"""Lines of the log that are kept in hand."""

_LIVE = tuple(state for state in State if state not in ENDS)


@dataclass(frozen=True, slots=True)
class Series:
    """The training loss of an experiment as far as it was read."""

    experiment: int
    steps: tuple[float, ...] = ()
    losses: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A run at one moment."""

    run: Run | None = None
    rows: tuple[Row, ...] = ()
    reigns: tuple[Championship, ...] = ()
    progress: dict[Lane, Progress] = field(default_factory=dict[Lane, Progress])
    pending: tuple[Intervention, ...] = ()
    events: tuple[Event, ...] = ()
    hypotheses: tuple[Hypothesis, ...] = ()
    zoom_outs: tuple[ZoomOut, ...] = ()
    refused: Program | None = None
    """The last revision of the program, if it was refused."""

    candidate: Series | None = None
    champion_loss: Series | None = None
    simulated: bool = False
    """Whether the votes of this run are those of simulated voters."""

    metric: str = ""
    """What judges in the place of votes; empty while votes do."""

    trouble: str = ""
    driven: bool = True
    """Whether some process drives the run."""

    at: float = 0.0
    fingerprint: tuple[object, ...] = ()
    """Changes whenever ``rows`` may have changed."""

    @property
    def champion(self) -> int | None:
        """Who reigns."""
        return self.reigns[-1].experiment if self.reigns else None

    def row(self, number: int | None) -> Row | None:
        """The experiment of that number."""
        if number is None or not 0 <= number < len(self.rows):
            return None
        return self.rows[number]


def look(reader: Reader, before: Snapshot, trouble: str = "", driven: bool = True) -> Snapshot:
    """Read the run again.

    Raises:
        sqlite3.Error: The store is not there yet, or not readable.
    """
    run = reader.run()
    live = reader.experiments(*_LIVE)
    champion = reader.champion()
    fingerprint = (live, champion, reader.count(), reader.count(State.VETOED), reader.count(State.CANCELLED))
    progress = reader.progress()
    events = reader.events(before.events[-1].seq if before.events else 0, EVENTS)
    now = replace(
        before,
        run=run,
        progress=progress,
        pending=tuple(reader.interventions(pending_only=True)),
        trouble=trouble,
        driven=driven or run is None or run.state is RunState.FINISHED,
        at=time.time(),
    )
    if events:
        program = reader.last_program()
        now = replace(
            now,
            events=(*before.events, *events)[-EVENTS:],
            hypotheses=tuple(reader.hypotheses()),
            zoom_outs=tuple(reader.zoom_outs()),
            refused=program if program and program.error else None,
        )
    if fingerprint != before.fingerprint:
        now = replace(
            now,
            rows=tuple(reader.rows()),
            reigns=tuple(reader.championships()),
            fingerprint=fingerprint,
        )
        now = replace(now, metric=_metric(reader, now.champion))
    return _with_curves(reader, replace(now, simulated=now.simulated or _simulated(reader, now, before)))


def _metric(reader: Reader, champion: int | None) -> str:
    evaluated = None if champion is None else reader.done_stage(champion, Lane.EVALUATE)
    judge = evaluated.result.get("judge") if evaluated and evaluated.result else None
    return str(judge) if judge and judge != "votes" else ""


def _simulated(reader: Reader, now: Snapshot, before: Snapshot) -> bool:
    """Whether the newest votes are simulated; asked again only while an experiment is judged or has just been."""
    judged = [row.experiment for row in now.rows if row.verdict and row.verdict.wins + row.verdict.losses]
    judging = [row.experiment for row in now.rows if row.experiment.state is State.EVALUATING]
    if not judging and now.fingerprint == before.fingerprint:
        return False
    return any(vote.simulated for row in (judged[-1:] + judging[-1:]) for vote in reader.votes(row.number))


def _with_curves(reader: Reader, now: Snapshot) -> Snapshot:
    in_training = [row.experiment for row in now.rows if row.experiment.state is State.TRAINING]
    shown = in_training[-1] if in_training else _last_trained(now)
    return replace(
        now,
        candidate=_read_on(reader, shown.number, now.candidate) if shown else None,
        champion_loss=_champion_loss(reader, now, shown.number if shown else None),
    )


def _last_trained(now: Snapshot) -> Experiment | None:
    return next((row.experiment for row in reversed(now.rows) if row.train_seconds is not None), None)


def _champion_loss(reader: Reader, now: Snapshot, candidate: int | None) -> Series | None:
    row = now.row(candidate)
    rival = row.experiment.parent if row and row.experiment.parent is not None else now.champion
    if rival is None or rival == candidate:
        return None
    if now.champion_loss and now.champion_loss.experiment == rival:
        return now.champion_loss
    return _read_on(reader, rival, None)


def _read_on(reader: Reader, number: int, before: Series | None) -> Series:
    """The series with what was logged since."""
    series = before if before and before.experiment == number else Series(number)
    metrics = reader.metrics(number, after=int(series.steps[-1]) if series.steps else -1)
    return extended(series, metrics)


def extended(series: Series, metrics: list[Metric]) -> Series:
    """A series with further steps; steps without a loss are left out."""
    found = [(float(metric.step), metric.values["loss"]) for metric in metrics if "loss" in metric.values]
    if not found:
        return series
    return Series(
        series.experiment,
        series.steps + tuple(step for step, _ in found),
        series.losses + tuple(loss for _, loss in found),
    )
