"""The two panels of sentences: what the agent believes, and what happened."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.text import Text

from checkpoints.records import Event, Hypothesis, HypothesisStatus, ZoomOut
from tui.signs import BLUE, BRIGHT, GREEN, GREY, LEVELS, PINK, RED, YELLOW
from tui.snapshot import Snapshot
from tui.widgets.lines import Lines, said, styled, wrapped
from tui.words import clock, numbers

_BELIEFS = {
    HypothesisStatus.SUPPORTED: ("✓", GREEN),
    HypothesisStatus.REFUTED: ("✗", RED),
    HypothesisStatus.OPEN: ("?", YELLOW),
}


_ROOM = 8
"""Lines from which an event is shown whole."""


class Log(Lines, can_focus=True):
    """Entries, the newest first; made only as far as they are seen."""

    def lines(self, width: int, height: int) -> Sequence[Text]:
        """The lines from ``top`` on."""
        made: list[Text] = []
        for entry in self.entries(self.snapshot or Snapshot(), width):
            made.extend(entry)
            if len(made) >= self.top + height:
                break
        self.top = max(0, min(self.top, len(made) - height))
        return made[self.top :] or [Text(f" {self.nothing}", style=GREY)]

    nothing = ""

    def entries(self, snapshot: Snapshot, width: int) -> Iterator[Sequence[Text]]:
        """Entries as lines of ``width`` cells."""
        raise NotImplementedError


class Memory(Log):
    """Beliefs with the experiments that speak for and against them, and the last zoom-out."""

    BORDER_TITLE = "Memory"
    nothing = "no belief has been tested yet"

    def entries(self, snapshot: Snapshot, width: int) -> Iterator[Sequence[Text]]:
        """The last zoom-out, then the beliefs."""
        if snapshot.zoom_outs:
            yield _zoom_out(snapshot.zoom_outs[-1], width)
        for hypothesis in reversed(snapshot.hypotheses):
            yield _belief(hypothesis, width)


class Events(Log):
    """What happened."""

    BORDER_TITLE = "Events"
    nothing = "nothing has happened yet"

    def entries(self, snapshot: Snapshot, width: int) -> Iterator[Sequence[Text]]:
        """One line an event; where there is room for many, the whole of it."""
        whole = self.size.height >= _ROOM
        for event in reversed(snapshot.events):
            yield _marked(_head(event), _sentence(event), width) if whole else [event_line(event)]


def event_line(event: Event) -> Text:
    """Time, sign, experiment, text."""
    return _head(event).append_text(_sentence(event))


def _head(event: Event) -> Text:
    sign = LEVELS[event.level]
    return Text.assemble((f" {clock(event.at)} ", GREY), (f"{sign.mark} ", f"bold {sign.colour}"))


def _sentence(event: Event) -> Text:
    sign, text = LEVELS[event.level], Text()
    if event.experiment is not None:
        text.append(f"#{event.experiment} ", style=BLUE if sign.colour == BLUE else BRIGHT)
    return text.append_text(said(event.text, "" if sign.colour == GREY else sign.colour))


def _belief(hypothesis: Hypothesis, width: int) -> list[Text]:
    mark, colour = _BELIEFS[hypothesis.status]
    text = said(hypothesis.text, GREY if hypothesis.status is HypothesisStatus.REFUTED else "")
    text.append(f" ({numbers(hypothesis.experiments)})", style=GREY)
    return _marked(styled(f" {mark} ", f"bold {colour}"), text, width)


def _zoom_out(zoom_out: ZoomOut, width: int) -> list[Text]:
    text = said(f"zoom-out {zoom_out.number}: {', '.join(zoom_out.categories) or zoom_out.text}", PINK)
    return _marked(styled(" ↗ ", f"bold {PINK}"), text, width)


def _marked(mark: Text, text: Text, width: int) -> list[Text]:
    """Broken at words, what follows set in under the first word."""
    indent = mark.cell_len
    first, *rest = wrapped(text, width - indent - 1) or [Text()]
    return [mark.append_text(first), *(Text(" " * indent).append_text(line) for line in rest)]
