"""The two panels of sentences: what the agent believes, and what happened."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.text import Text

from checkpoints.records import Event, Hypothesis, HypothesisStatus, ZoomOut
from tui.signs import BLUE, BRIGHT, GREEN, GREY, LEVELS, PINK, RED, YELLOW
from tui.snapshot import EVENTS, Snapshot
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
    """What is tested now, the last zoom-out, and beliefs with the experiments that speak for and against them."""

    BORDER_TITLE = "Memory"
    nothing = "no belief has been tested yet"

    def entries(self, snapshot: Snapshot, width: int) -> Iterator[Sequence[Text]]:
        """Why the newest experiment, the last zoom-out, the beliefs, and which program is in force."""
        if snapshot.rows and (newest := snapshot.rows[-1].experiment).number:
            why = said(f"#{newest.number} tests: {newest.proposal.hypothesis}", BRIGHT)
            yield _marked(styled(" ▸ ", f"bold {BRIGHT}"), why, width)
        if snapshot.zoom_outs:
            yield _zoom_out(snapshot.zoom_outs[-1], width)
        for hypothesis in reversed(snapshot.hypotheses):
            if hypothesis.experiments[-1:] != (len(snapshot.rows) - 1,):  # the newest stands at the top already
                yield _belief(hypothesis, width)
        if snapshot.program:
            read = f"program.md revision {snapshot.program.revision}, read {clock(snapshot.program.read_at)}"
            yield _marked(styled(" ✎ ", GREY), Text(read, style=GREY), width)


class Events(Log):
    """What happened."""

    BORDER_TITLE = "Events"

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id)
        self.words = ""
        """Only events with all of these are shown."""

    @property
    def title(self) -> str:
        """What is shown, for the frame."""
        return f"Events with “{self.words}”" if self.words else "Events"

    @property
    def nothing(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Why there is no line."""
        if not self.words:
            return "nothing has happened yet"
        older = self.snapshot is not None and len(self.snapshot.events) >= EVENTS
        among = f" among the last {EVENTS}" if older else ""
        return f"no event with “{self.words}”{among}; / changes it"

    def filter(self, words: str) -> None:
        """Show only events in which all of these words occur."""
        self.words, self.top = words, 0
        self.update()

    def found(self, snapshot: Snapshot) -> Iterator[Event]:
        """The events shown, the newest first."""
        wanted = self.words.lower().split()
        for event in reversed(snapshot.events):
            text = f"#{event.experiment} {event.kind} {event.level} {event.text}".lower() if wanted else ""
            if all(word in text for word in wanted):
                yield event

    def entries(self, snapshot: Snapshot, width: int) -> Iterator[Sequence[Text]]:
        """One line an event; where there is room for many, the whole of it."""
        whole = self.size.height >= _ROOM
        for event in self.found(snapshot):
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
    if hypothesis.experiments:
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
