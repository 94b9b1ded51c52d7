"""The first line: what the run does, who is champion, what it costs the machine."""

from __future__ import annotations

import time
from collections.abc import Sequence

from rich.cells import cell_len
from rich.text import Text

from checkpoints.records import RunState, State
from tui.signs import ABANDONED, BLUE, BRIGHT, GREY, RUN_STATES
from tui.snapshot import Snapshot
from tui.widgets.lines import Lines, said, styled
from tui.words import half_width, hours, per_cent

MACHINE_SECONDS = 5.0
"""How often processor and memory are asked."""

_STATE = 0
"""Rank of the run's state: it never leaves."""

_KEPT = 2
"""Rank of the counts: what ranks higher leaves before the reason of the state does."""

_REASON, _REASON_LEAST = 48, 20
"""Cells that the reason of a state has at most, and below which it is left out."""


class Header(Lines):
    """State, champion, keeps, up time, machine; what matters least leaves first where room is short."""

    def __init__(self) -> None:
        super().__init__(id="header")
        self._machine = ""
        self._machine_at = 0.0

    def lines(self, width: int, height: int) -> Sequence[Text]:
        """One line."""
        snapshot = self.snapshot
        if snapshot is None or snapshot.run is None:
            return [Text(" autoresearch  starting…", style=f"bold {BRIGHT}")]
        parts, reason = _parts(snapshot, self._ask_machine(snapshot)), snapshot.run.reason
        while (room := width - sum(part.cell_len + 2 for _, part in parts)) < _needed(parts, reason) and len(parts) > 1:
            parts.remove(max(parts, key=lambda part: part[0]))
        _give_reason(parts, reason, min(room, _REASON))
        return [Text(" ").append_text(Text("  ").join(part for _, part in parts))]

    def _ask_machine(self, snapshot: Snapshot) -> str:
        """Asked at intervals while the run is live; the first answer about a processor is about nothing."""
        if not (snapshot.driven and snapshot.run and snapshot.run.state is RunState.RUNNING):
            return ""
        if time.monotonic() - self._machine_at >= MACHINE_SECONDS:
            import psutil

            first, self._machine_at = not self._machine_at, time.monotonic()
            cpu = psutil.cpu_percent()
            self._machine = "" if first else f"CPU {cpu:3.0f}%  RAM {psutil.virtual_memory().percent:.0f}%"
        return self._machine


def _parts(snapshot: Snapshot, machine: str) -> list[tuple[int, Text]]:
    """The parts from left to right, each with its rank: the highest is left out first."""
    run = snapshot.run
    assert run is not None
    sign = RUN_STATES[run.state] if snapshot.driven else ABANDONED
    state = styled(f"{sign.mark} {sign.word}", f"bold {sign.colour}")
    ended = [row for row in snapshot.rows if row.verdict and row.experiment.number > 0]
    kept = sum(row.experiment.state is State.KEPT for row in ended)
    left = max(0, run.experiments - len(ended))
    parts = [
        (4, said(run.name or "autoresearch", f"bold {BRIGHT}")),
        (_STATE, state),
        (1, _champion(snapshot)),
        (_KEPT, Text(f"kept {kept}/{len(ended)}").append(f" · {left} to go", style=GREY)),
        (3, Text(f"up {hours(snapshot.at - run.created_at)}", style=GREY)),
        (5, Text(machine, style=GREY)),
    ]
    return [part for part in parts if part[1].plain]


def _needed(parts: list[tuple[int, Text]], reason: str) -> int:
    """Cells that must be free: some words of the reason matter more than the parts that leave first."""
    leaves_next = max(rank for rank, _ in parts)
    return _least(reason) if reason and leaves_next > _KEPT else 0


def _least(reason: str) -> int:
    return min(_REASON_LEAST, cell_len(reason) + 1)


def _give_reason(parts: list[tuple[int, Text]], reason: str, room: int) -> None:
    """Say after the state why it is so, where enough room is left for some words of it."""
    if not reason or room < _least(reason):
        return
    words = said(reason, GREY)
    words.truncate(room - 1, overflow="ellipsis")
    state = next(part for rank, part in parts if rank == _STATE)
    state.append(" ").append_text(words)


def _champion(snapshot: Snapshot) -> Text:
    row = snapshot.row(snapshot.champion)
    if row is None:
        return Text("no champion yet", style=GREY)
    text = styled(f"● champion #{row.experiment.number}", f"bold {BLUE}")
    if row.verdict and row.verdict.reference:
        rate = row.verdict.reference
        text.append(f" {per_cent(rate.estimate)}%", style=f"bold {BRIGHT}").append(f" {half_width(rate)}")
    return text
