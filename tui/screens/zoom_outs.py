"""Stock taken: every zoom-out, the newest first, with what it asked for and what came of the experiments after it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from checkpoints.records import Row, ZoomOut
from runner.agent.calibration import calibrated
from tui.screens.page import Page
from tui.signs import BRIGHT, GREY, PINK, STATES
from tui.snapshot import Snapshot
from tui.widgets.lines import paragraphs, said
from tui.words import clock, subject

_WHY = {
    "forced": "a person asked for it",
    "scheduled": "it was due",
    "plateau": "nothing had been kept for a while",
    "streak": "one category had been tried again and again",
}
"""What set it off, by its trigger."""


class ZoomOuts(Page):
    """Says more while it is read, as the experiments that followed go on."""

    def __init__(self, snapshot: Snapshot) -> None:
        super().__init__(_heading(snapshot), _body(snapshot))
        self._of = _state(snapshot)

    def show(self, snapshot: Snapshot) -> None:
        """Where something has changed, say it."""
        if self._of != (state := _state(snapshot)):
            self._of = state
            self.change(_heading(snapshot), _body(snapshot))


def _state(snapshot: Snapshot) -> object:
    """What differs when there is something new to say."""
    return snapshot.zoom_outs, [row.experiment.state for row in _followed(snapshot.rows)]


def _followed(rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if row.experiment.proposal.zoom_out is not None]


def _heading(snapshot: Snapshot) -> Text:
    count = len(snapshot.zoom_outs)
    return Text().append("Stock taken  ", f"bold {BRIGHT}").append(f"{count} zoom-out{'' if count == 1 else 's'}", GREY)


def _body(snapshot: Snapshot) -> RenderableType:
    if not snapshot.zoom_outs:
        return Text().append("none yet; z has stock taken before the next proposal", GREY)
    after: dict[int | None, list[Row]] = {}
    for row in _followed(snapshot.rows):
        after.setdefault(row.experiment.proposal.zoom_out, []).append(row)
    parts: list[RenderableType] = []
    if any(row.experiment.proposal.expected for row in snapshot.rows):
        parts += [Text().append("foresight: ", GREY).append(str(calibrated(snapshot.rows)), BRIGHT), Text()]
    for zoom_out in reversed(snapshot.zoom_outs):
        parts += [*_zoom_out(zoom_out, after.get(zoom_out.number, [])), Text()]
    return Group(*parts[:-1])


def _zoom_out(zoom_out: ZoomOut, rows: Sequence[Row]) -> Iterator[RenderableType]:
    head = Text().append(f"↗ Zoom-out {zoom_out.number} ", f"bold {PINK}")
    why = _WHY.get(zoom_out.trigger, "")
    head.append_text(said(f"{clock(zoom_out.at)}, {zoom_out.trigger}{f': {why}' if why else ''}", GREY))
    yield head
    if zoom_out.steering:
        yield _indented(Text().append("asked to: ", GREY).append_text(said(zoom_out.steering, BRIGHT)))
    yield _indented(paragraphs(zoom_out.text.strip() or "it says nothing"))
    binding = ", ".join(zoom_out.categories) or "nothing, as everything was tried"
    if f"next from: {binding}" not in zoom_out.text.replace("Next", "next"):
        yield _indented(Text().append("next from: ", GREY).append_text(said(binding, PINK)))
    for direction in (one for one in zoom_out.directions if one not in zoom_out.text):
        yield _indented(Text().append("→ ", PINK).append_text(said(direction, BRIGHT)))
    yield _indented(Text().append(_came(rows), GREY))
    for row in rows:
        yield _indented(_line(row))


def _came(rows: Sequence[Row]) -> str:
    """``3 experiments followed: 1 kept, 2 discarded``."""
    if not rows:
        return "no experiment has followed from it yet"
    words = Counter(STATES[row.experiment.state].word for row in rows)
    ends = ", ".join(f"{count} {word}" for word, count in words.most_common())
    return f"{len(rows)} experiment{'' if len(rows) == 1 else 's'} followed: {ends}"


def _line(row: Row) -> Text:
    sign = STATES[row.experiment.state]
    text = Text().append(f"{sign.mark} #{row.experiment.number} {sign.word}  ", sign.colour)
    return text.append_text(said(f"{row.experiment.proposal.category}: {subject(row)}"))


def _indented(text: Text) -> RenderableType:
    return Padding(text, (0, 0, 0, 2))
