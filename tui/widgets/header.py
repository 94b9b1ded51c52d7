"""The first line: what the run does, who is champion, what it costs the machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.text import Text

from checkpoints.records import Row, Run, State
from checkpoints.thought import Spent
from runner.ending import ended_at
from tui.machine import Machine
from tui.signs import ABANDONED, BLUE, BRIGHT, GREY, RUN_STATES
from tui.snapshot import Snapshot
from tui.widgets.lines import Lines, said, styled
from tui.words import hours, measured, per_cent, plus_minus, tokens

_STATE = 0
"""Rank of the run's state: it never leaves."""

_KEPT = 2
"""Rank of the counts: what ranks higher leaves before the reason of the state does."""

_CENT = 0.01
"""USD below which a price that is known only in part says less than the tokens."""

_REASON, _REASON_ENOUGH, _REASON_LEAST = 48, 20, 14
"""Cells that the reason of a state has at most, for which other parts leave, and below which it is left out."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of the experiments after the baseline, and what they took."""

    ended: int
    kept: int
    seconds: float
    """Of training, the baseline's too."""


def counted(rows: Sequence[Row]) -> Counts:
    """Count once for all refreshes in which no experiment changes."""
    ended = [row for row in rows if row.verdict and row.experiment.number > 0]
    kept = sum(row.experiment.state is State.KEPT for row in ended)
    return Counts(len(ended), kept, sum(row.train_seconds or 0.0 for row in rows))


class Header(Lines):
    """State, champion, keeps, up time, machine; what matters least leaves first where room is short."""

    def __init__(self) -> None:
        super().__init__(id="header")
        self._counted_of: Sequence[Row] = ()
        self._counts = Counts(0, 0, 0.0)

    def lines(self, width: int, height: int) -> Sequence[Text]:
        """One line."""
        snapshot = self.snapshot
        if snapshot is None or snapshot.run is None:
            return [Text(" autoresearch  starting…", style=f"bold {BRIGHT}")]
        if self._counted_of is not snapshot.rows:
            self._counted_of, self._counts = snapshot.rows, counted(snapshot.rows)
        reason = snapshot.run.reason
        parts, room = _fitted(_parts(snapshot, self._counts, snapshot.simulated), reason, width)
        if snapshot.simulated and (max(rank for rank, _ in parts) < _KEPT or room < _least(reason)):
            parts, room = _fitted(_parts(snapshot, self._counts, False), reason, width)
        _give_reason(parts, reason, min(room, _REASON))
        return [Text(" ").append_text(Text("  ").join(part for _, part in parts))]


def _fitted(parts: list[tuple[int, Text]], reason: str, width: int) -> tuple[list[tuple[int, Text]], int]:
    """What stays of the parts, and the cells that are then free."""
    while (room := width - sum(part.cell_len + 2 for _, part in parts)) < _needed(parts, reason) and len(parts) > 1:
        parts.remove(max(parts, key=lambda part: part[0]))
    return parts, room


def _parts(snapshot: Snapshot, counts: Counts, simulated: bool) -> list[tuple[int, Text]]:
    """The parts from left to right, each with its rank: the highest is left out first."""
    run = snapshot.run
    assert run is not None
    end = ended_at(run, snapshot.events)
    sign = RUN_STATES[run.state] if snapshot.driven else ABANDONED
    state = styled(f"{sign.mark} {sign.word}", f"bold {sign.colour}")
    if snapshot.steers:
        state.append(" looking", GREY)
    left = max(0, run.experiments - counts.ended)
    parts = [
        (7, said(run.name or "autoresearch", f"bold {BRIGHT}")),
        (_STATE, state),
        (1, _champion(snapshot, simulated)),
        (_KEPT, Text(f"kept {counts.kept}/{counts.ended}").append(f" · {left} to go", style=GREY)),
        (3, spent(run, counts, snapshot.trainings)),
        (5, Text(used(snapshot.spent), style=GREY)),
        (6, Text(machine(snapshot.machine), style=GREY)),
        (4, Text(f"{'ran' if end else 'up'} {hours((end or snapshot.at) - run.created_at)}", style=GREY)),
    ]
    return [part for part in parts if part[1].plain]


def spent(run: Run, counts: Counts, trainings: int) -> Text:
    """Money where the program names a price, else hours of training; and how many, where they are repeated."""
    if run.usd_per_hour is not None:
        return Text(f"${counts.seconds / 3600 * run.usd_per_hour:.2f}")
    if trainings:
        return Text(f"{trainings:,} trainings {hours(counts.seconds)}", style=GREY)
    return Text(f"trained {hours(counts.seconds)}" if counts.seconds >= 60 else "", style=GREY)


def used(spent: Spent | None) -> str:
    """``agent $0.42``, or the tokens where nobody knows a price; ``>`` where somebody knows only some of it."""
    if spent is None or not spent.exchanges:
        return ""
    if spent.unpriced == spent.exchanges or (spent.unpriced and spent.usd < _CENT):
        return f"agent {tokens(spent.tokens)}"
    return f"agent {'>' if spent.unpriced else ''}${spent.usd:.2f}"


def machine(looked: Machine | None) -> str:
    """The GPUs where there are any, else processor and memory."""
    if looked is None:
        return ""
    if not looked.gpus:
        return f"CPU {100 * looked.cpu:3.0f}%  RAM {100 * looked.ram:.0f}%"
    name = f"{looked.gpus}×{looked.gpu_name}" if looked.gpus > 1 else looked.gpu_name
    figures = (
        "" if looked.gpu is None else f"{100 * looked.gpu:.0f}%",
        "" if looked.gpu_bytes is None else f"{looked.gpu_bytes / 2**30:.0f}G",
        "" if looked.gpu_celsius is None else f"{looked.gpu_celsius}°",
    )
    return " ".join(part for part in (name, *figures) if part)


def _needed(parts: list[tuple[int, Text]], reason: str) -> int:
    """Cells that must be free: some words of the reason matter more than the parts that leave first."""
    leaves_next = max(rank for rank, _ in parts)
    return min(_REASON_ENOUGH, cell_len(reason) + 1) if reason and leaves_next > _KEPT else 0


def _least(reason: str) -> int:
    return min(_REASON_LEAST, cell_len(reason) + 1) if reason else 0


def _give_reason(parts: list[tuple[int, Text]], reason: str, room: int) -> None:
    """Say after the state why it is so, where enough room is left for some words of it."""
    if not reason or room < _least(reason):
        return
    words = said(reason, GREY)
    words.truncate(room - 1, overflow="ellipsis")
    state = next(part for rank, part in parts if rank == _STATE)
    state.append(" ").append_text(words)


def _champion(snapshot: Snapshot, simulated: bool) -> Text:
    row = snapshot.row(snapshot.champion)
    if row is None:
        return Text("no champion yet", style=GREY)
    pinned = " pinned" if snapshot.pinned else ""
    text = styled(f"● champion #{row.experiment.number}{pinned}", f"bold {BLUE}")
    if row.verdict and row.verdict.value:
        value, around = measured(row.verdict.value)
        return text.append(f" {value}", style=f"bold {BRIGHT}").append(f" {around}")
    if row.verdict and row.verdict.reference:
        rate = row.verdict.reference
        text.append(f" {per_cent(rate.estimate)}%", style=f"bold {BRIGHT}").append(f" {plus_minus(rate)}")
        if simulated:
            text.append(" sim.", GREY)
    return text
