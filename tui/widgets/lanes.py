"""The four lanes: what each has in hand, how far it is, or what it waits for."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Horizontal

from checkpoints.records import Lane, Progress
from checkpoints.thought import Purpose, Speech
from tui.signs import BRIGHT, FAINT, GREEN, GREY, ORANGE, PINK
from tui.snapshot import Snapshot
from tui.widgets.lines import Lines, fitted, said, styled
from tui.words import clock, count, duration, subject

SAYING = {
    Purpose.PROPOSE: "proposing…",
    Purpose.REPAIR: "mending its proposal…",
    Purpose.ZOOM_OUT: "taking stock…",
    Purpose.ASK: "answering you…",
}
"""What the agent does while it speaks."""

_HEARD = 400
"""Characters of what it says that the last words are taken from."""

_MARKS = str.maketrans("", "", '{}[]"\\')
"""What an answer is full of that tells a person nothing: it comes as JSON."""

_EIGHTHS = " ▏▎▍▌▋▊▉"


class Lanes(Horizontal, can_focus=True):
    """One line a lane, in two widgets: Textual sends a changed line from its widget's left edge, so what changes most
    often stands in a widget of its own."""

    BORDER_TITLE = "Lanes"

    def compose(self) -> ComposeResult:
        """The work, and how far it is."""
        yield Work()
        yield Amounts()


class Work(Lines):
    """Lane, experiment, bar; or what the lane waits for."""

    def lines(self, width: int, height: int) -> Sequence[Text]:
        """The lanes in the order of an experiment's life."""
        snapshot = self.snapshot or Snapshot()
        return [_work(snapshot, lane, width) for lane in Lane]


class Amounts(Lines):
    """Steps, votes, time to go."""

    def lines(self, width: int, height: int) -> Sequence[Text]:
        """One line a lane."""
        snapshot = self.snapshot or Snapshot()
        return [_amount(snapshot, lane, width) for lane in Lane]


def bar(share: float, cells: int) -> Text:
    """A bar of so many cells, in eighths of a cell."""
    eighths = round(max(0.0, min(1.0, share)) * cells * 8)
    full, part = divmod(eighths, 8)
    filled = "█" * full + (_EIGHTHS[part] if part else "")
    return styled(filled, GREEN if share >= 1 else ORANGE).append("·" * (cells - len(filled)), style=FAINT)


def _work(snapshot: Snapshot, lane: Lane, width: int) -> Text:
    progress = snapshot.progress.get(lane)
    name = styled(f" {lane:<9} ", f"bold {BRIGHT}")
    if snapshot.speech and lane is Lane.ANALYZE and (progress is None or progress.experiment is None):
        return name.append_text(spoken(snapshot.speech, width - name.cell_len - 1))
    if progress is None:
        return name.append("—", style=GREY)
    if progress.experiment is None:
        room = max(width - name.cell_len - 1, 0)
        waiting = said(_waiting(progress, room), GREY)
        waiting.truncate(room, overflow="ellipsis")
        return name.append_text(waiting)
    room = max(width - name.cell_len, 12)
    what = _what(snapshot, progress) if room >= 48 else _numbers(snapshot, lane)
    what = fitted(what, room * 5 // 10) if room >= 48 else what
    name.append_text(what).append(" ").append_text(bar(_share(progress), max(3, room - what.cell_len - 7)))
    return name.append(f" {_percent(progress):>4} ", f"bold {BRIGHT}")


def spoken(speech: Speech, room: int) -> Text:
    """What the agent does, and its last words, as far as there is room for some."""
    text = styled(SAYING[speech.purpose], PINK)
    words = said(speech.text[-_HEARD:].translate(_MARKS), GREY)
    left = room - text.cell_len - 1
    if not words.plain or left < 8:
        return text
    return text.append(" ").append_text(_tail(words, left))


def _tail(words: Text, room: int) -> Text:
    """The end of a text, from a word's beginning."""
    if words.cell_len <= room:
        return words
    plain = words.plain
    while cell_len(plain) > room - 1:
        plain = plain[max(1, cell_len(plain) - room) :] if plain.isascii() else plain[1:]
    head, space, rest = plain.partition(" ")
    tail = rest if space and cell_len(head) < room // 2 else plain
    return Text(tail, style=words.style, no_wrap=True, end="")


def _waiting(progress: Progress, room: int) -> str:
    """What a lane waits for; a sign stands for the words where both do not fit."""
    whole = f"waits for {progress.doing}" if progress.doing else "idle"
    return whole if cell_len(whole) < room or not progress.doing else f"◷ {progress.doing}"


def _amount(snapshot: Snapshot, lane: Lane, width: int) -> Text:
    progress = snapshot.progress.get(lane)
    if snapshot.speech and lane is Lane.ANALYZE and (progress is None or progress.experiment is None):
        return Text(f"since {clock(snapshot.speech.at)}", style=GREY)
    if progress is None:
        return Text()
    if progress.experiment is None:
        return Text(f"since {clock(progress.at)}", style=GREY)
    eta = f"ETA {duration(progress.eta)} " if progress.eta is not None else ""
    tail = Text(f"{eta:>10}", style=GREY)
    room = width - tail.cell_len
    return fitted(_far(snapshot, progress, room), room).append_text(tail)


def _what(snapshot: Snapshot, progress: Progress) -> Text:
    text = _numbers(snapshot, progress.lane)
    row = snapshot.row(progress.experiment)
    if row is None:
        return text
    if progress.lane is Lane.EVALUATE and "promotion test" in progress.detail:
        return text.append(" on fresh votes", style=GREY)
    if progress.lane is Lane.EVALUATE and row.experiment.opponent is not None:
        return text.append(f" vs champion #{row.experiment.opponent}", style=GREY)
    return text.append(" ").append_text(said(subject(row), GREY))


def _numbers(snapshot: Snapshot, lane: Lane) -> Text:
    """What a lane has in hand; the bar and what is right of it are the first one's."""
    first, *beside = (f"#{one.experiment}" for one in snapshot.in_hand(lane))
    return styled(first, f"bold {ORANGE}").append("".join(f" {other}" for other in beside), style=GREY)


def _far(snapshot: Snapshot, progress: Progress, room: int) -> Text:
    doing = progress.doing
    if progress.lane is Lane.EVALUATE and "vote" in doing and snapshot.simulated and "simulated" not in doing:
        doing = "simulated" if room < 24 else doing.replace("vote", "simulated vote", 1)
    amount = f"{count(progress.done)}/{count(progress.total)} " if progress.total > 0 else ""
    several = len(snapshot.in_hand(progress.lane))
    beside = f"{several} side by side" if several > 1 else ""
    parts = [part for part in (amount + doing, *progress.detail.split(" · "), beside) if part]
    # What comes last matters least; half of it would say less than nothing.
    while len(parts) > 1 and cell_len(" · ".join(parts)) > room:
        parts.pop()
    return said(" · ".join(parts))


def _share(progress: Progress) -> float:
    return progress.done / progress.total if progress.total > 0 else 0.0


def _percent(progress: Progress) -> str:
    return f"{100 * min(_share(progress), 1):.0f}%" if progress.total > 0 else ""
