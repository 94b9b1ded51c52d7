"""What the dashboard shows, read from the store in one look that asks only for what may have changed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from operator import eq
from typing import TYPE_CHECKING, TypeVar

from checkpoints.records import (
    Championship,
    Event,
    Hypothesis,
    Intervention,
    Lane,
    Program,
    Progress,
    Row,
    Run,
    RunState,
    Standing,
    State,
    ZoomOut,
)
from checkpoints.thought import Speech, Spent
from checkpoints.trust import Promotion
from runner.judges import metric_of
from tui.machine import Machine
from tui.series import Series, read_on

if TYPE_CHECKING:
    from checkpoints.reader import Reader
    from lanes.analyze.noise import NoiseFloor

T = TypeVar("T")

PLAYBOOK = "playbook"
"""Who proposes where no language model does."""

EVENTS = 500
"""Lines of the log that are kept in hand."""

BELIEFS = 1000
"""Hypotheses that are kept in hand, the newest."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A run at one moment."""

    run: Run | None = None
    rows: tuple[Row, ...] = ()
    reigns: tuple[Championship, ...] = ()
    promotions: tuple[Promotion, ...] = ()
    at_work: tuple[Progress, ...] = ()
    """How far each lane is with what it has in hand, of a lane with several the lowest number first."""

    interventions: tuple[Intervention, ...] = ()
    """All that a person did, the newest last."""

    standings: tuple[Standing, ...] = ()
    """The ranking of the run's models, the best first."""

    events: tuple[Event, ...] = ()
    hypotheses: tuple[Hypothesis, ...] = ()
    zoom_outs: tuple[ZoomOut, ...] = ()
    program: Program | None = None
    """The revision in force."""

    refused: Program | None = None
    """The last revision of the program, if it was refused."""

    candidate: Series | None = None
    """Of the training under way, or of the last one."""

    rival: Series | None = None
    """Of the champion that the candidate was built on."""

    simulated: bool = False
    """Whether the votes of this run are those of simulated voters."""

    metric: str = ""
    """What judges in the place of votes; empty while votes do."""

    speech: Speech | None = None
    """What the agent says right now."""

    spent: Spent | None = None
    """What the agent has used so far; None before the first look."""

    floor: NoiseFloor | None = None
    """In which single runs of the champion's recipe fall, where a number judges that varies with the seed."""

    trainings: int = 0
    """Trainings that the metric was measured over so far; 0 where people judge."""

    machine: Machine | None = None
    """While the run goes on; None before the first look and while it stands still."""

    trouble: str = ""
    driven: bool = True
    """Whether some process drives the run."""

    steers: str = ""
    """Who has the wheel instead of this dashboard, for a person; empty while this one steers or could."""

    at: float = 0.0
    touched: int = 0
    """Mark up to which changes of experiments were read; ``rows`` is the same tuple while it stays."""

    judged: tuple[Row, ...] = ()
    """``rows`` as they were when one with a verdict last changed: the same tuple while all verdicts stay."""

    @property
    def progress(self) -> dict[Lane, Progress]:
        """How far each lane is, with the lowest number where it has several in hand."""
        return {one.lane: one for one in reversed(self.at_work)}

    def in_hand(self, lane: Lane) -> tuple[Progress, ...]:
        """How far a lane is, with each experiment that it has in hand."""
        return tuple(one for one in self.at_work if one.lane is lane)

    @property
    def pending(self) -> tuple[Intervention, ...]:
        """What a person did and the runner has not acknowledged yet."""
        return tuple(one for one in self.interventions if one.acknowledged_at is None)

    @property
    def pinned(self) -> bool:
        """Whether a person holds the champion there."""
        return bool(self.reigns) and self.reigns[-1].pinned

    @property
    def champion(self) -> int | None:
        """Who reigns."""
        return self.reigns[-1].experiment if self.reigns else None

    @property
    def scalar(self) -> bool:
        """Whether a number that was measured over trainings judges, and no votes."""
        row = self.row(self.champion)
        return bool(row and row.verdict and row.verdict.value)

    @property
    def asked(self) -> bool:
        """Whether a language model is asked for proposals in this run."""
        return bool(self.spent and self.spent.exchanges)

    def stepped_in(self, row: Row) -> bool:
        """Whether the playbook proposed an experiment in the place of a language model."""
        return self.asked and row.experiment.proposal.proposer == PLAYBOOK

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
    touched, numbers = reader.touched(before.touched)
    events = reader.events(before.events[-1].seq if before.events else 0, EVENTS)
    now = replace(
        before,
        run=run,
        at_work=tuple(reader.at_work()),
        speech=reader.speech() if driven else None,
        trouble=trouble,
        driven=driven or run is None or run.state is RunState.FINISHED,
        at=time.time(),
    )
    if events or (before.speech and not now.speech):  # it has ended what it said, or something came of it
        now = replace(now, spent=reader.spent())
    if not before.interventions or before.pending or _news(reader, before):
        now = replace(now, interventions=_unless_equal(before.interventions, reader.interventions()))
    if events or not before.run:
        now = _with_beliefs(reader, replace(now, events=(*before.events, *events)[-EVENTS:]))
    if numbers:
        from checkpoints.rows import renewed  # with SQLite: after the first paint

        now = replace(now, rows=renewed(reader, before.rows, numbers), touched=touched)
        now = replace(now, metric=metric_of(reader, now.champion))
        if now.metric:
            now = _with_noise(reader, now)
        if _judged(before.rows, now.rows, numbers):
            now = replace(now, judged=now.rows, standings=tuple(reader.standings()))
    return _with_curves(reader, replace(now, simulated=before.simulated or _simulated(reader, now, numbers)))


def _with_noise(reader: Reader, now: Snapshot) -> Snapshot:
    """What repeated trainings say of how much one varies."""
    from lanes.analyze.noise import noise_floor  # after the first paint

    measured = reader.measurements()
    if not measured:
        return now
    floor = noise_floor(measured, now.champion)
    return replace(now, floor=floor, trainings=len({(one.experiment, one.seed) for one in measured}))


def _news(reader: Reader, before: Snapshot) -> bool:
    return reader.last_intervention() > before.interventions[-1].number


def _with_beliefs(reader: Reader, now: Snapshot) -> Snapshot:
    """What changes only with an event."""
    last = reader.last_program()
    return replace(
        now,
        reigns=_unless_equal(now.reigns, reader.championships()),
        promotions=_unless_equal(now.promotions, reader.promotions()),
        hypotheses=tuple(reader.hypotheses(BELIEFS)),
        zoom_outs=_unless_equal(now.zoom_outs, reader.zoom_outs()),
        program=reader.program(),
        refused=last if last and last.error else None,
    )


def _unless_equal(before: tuple[T, ...], after: Sequence[T]) -> tuple[T, ...]:
    """What was read, as the same tuple as before where it says the same: what is made of it then stays."""
    return before if len(before) == len(after) and all(map(eq, before, after)) else tuple(after)


def _judged(before: tuple[Row, ...], after: tuple[Row, ...], numbers: list[int]) -> bool:
    """Whether one of the experiments read anew has a verdict, and is not as it was before."""
    return any(after[n].verdict and (n >= len(before) or before[n] != after[n]) for n in numbers)


def _simulated(reader: Reader, now: Snapshot, changed: list[int]) -> bool:
    """Whether simulated voters have a part in this run: asked of what is judged now, and of what just was."""
    if len(changed) == len(now.rows):  # the first look
        return reader.simulated_votes()
    judging = {one.experiment for one in now.in_hand(Lane.EVALUATE)}
    asked = {*judging, *(number for number in changed if now.rows[number].verdict)}
    return any(reader.simulated_votes(number) for number in asked if number is not None)


def _with_curves(reader: Reader, now: Snapshot) -> Snapshot:
    shown = _last_trained(now)
    return replace(
        now,
        candidate=read_on(reader, shown, now.candidate) if shown is not None else None,
        rival=_rival(reader, now, shown),
    )


def _last_trained(now: Snapshot) -> int | None:
    """The experiment in training, else the last that was trained."""
    for row in reversed(now.rows):
        if row.experiment.state is State.TRAINING or row.train_seconds is not None:
            return row.experiment.number
    return None


def _rival(reader: Reader, now: Snapshot, candidate: int | None) -> Series | None:
    row = now.row(candidate)
    rival = row.experiment.parent if row and row.experiment.parent is not None else now.champion
    if rival is None or rival == candidate:
        return None
    if now.rival and now.rival.experiment == rival:
        return now.rival
    return read_on(reader, rival, None)
