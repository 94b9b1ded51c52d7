"""Tree: the experiments by whom they were branched from, with what became of them; only the lines in sight are made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.widget import Widget

from checkpoints.records import Row
from tui.branches import Branch, branches, left_out
from tui.keys import Action
from tui.plots.known import Known
from tui.screens.page import Page
from tui.signs import BLUE, BRIGHT, CURSOR, FAINT, GREY, ORANGE, STATES
from tui.snapshot import Snapshot
from tui.widgets.experiments import STEPPED_IN
from tui.widgets.lines import Lines, fitted, said, styled
from tui.words import outcome, subject

CLIMBING = (
    Action("read(1)", ("down", "j"), "↓ j", "Down", "The experiment a line below"),
    Action("read(-1)", ("up", "k"), "↑ k", "Up", "The experiment a line above"),
    Action("turn(1)", ("pagedown", "space"), "PgDn", "Page down", "A screenful down, also with the space bar"),
    Action("turn(-1)", ("pageup",), "PgUp", "Page up", "A screenful up"),
    Action("read(-1000000)", ("home", "g"), "Home g", "Top", "To the baseline"),
    Action("read(1000000)", ("end", "G"), "End G", "Bottom", "To the last line"),
    Action("to_parent", ("left", "h"), "← h", "Parent", "Whom the experiment was branched from"),
    Action("look", ("enter",), "⏎", "Detail", "Everything about the experiment"),
    Action("back", ("escape", "q"), "Esc q", "Back", "Back to where you came from"),
)
"""Keys of this page; those of other pages do not hold here."""

_HINT = "↑ ↓ choose   ← parent   ⏎ detail   Esc back"

_RIGHT = 34
"""Cells of a line's end: value, interval, verdict."""


class TreePage(Page, inherit_bindings=False):
    """Keys that apply to an experiment apply to the one under the cursor."""

    BINDINGS: ClassVar[list[BindingType]] = [binding for action in CLIMBING for binding in action.bindings]

    def __init__(self, snapshot: Snapshot, chosen: int | None, look: Callable[[int], None]) -> None:
        super().__init__(Text("Tree"), [], _HINT)
        self._tree, self._open = _Tree(snapshot, chosen), look
        self._snapshot = snapshot
        self._say()

    def compose(self) -> ComposeResult:
        """Heading, tree, hint."""
        heading, _, foot = super().compose()
        yield from (heading, self._tree, foot)

    def show(self, snapshot: Snapshot) -> None:
        """As it has grown."""
        self._snapshot = snapshot
        self._tree.show(snapshot)
        self._say()

    @property
    def first(self) -> Widget:
        """The tree."""
        return self._tree

    @property
    def text(self) -> str:
        """All of it, as it would be copied."""
        lines = (line.plain.rstrip() for line in self._tree.all(self.columns))
        return "\n".join((self._heading.text.plain, "", *lines)) + "\n"

    def action_read(self, lines: int) -> None:
        """Move the cursor."""
        self._tree.scroll_lines(lines)
        self.about = self._tree.chosen

    def action_turn(self, screens: int) -> None:
        """Move the cursor by what is in sight."""
        self.action_read(screens * max(self._tree.size.height - 1, 1))

    def action_to_parent(self) -> None:
        """To whom it was branched from."""
        row = self._snapshot.row(self._tree.chosen)
        if row and row.experiment.parent is not None:
            self._tree.go_to(row.experiment.parent)
            self.about = self._tree.chosen

    def action_look(self) -> None:
        """Its page."""
        if (number := self._tree.chosen) is not None:
            self._open(number)

    def _say(self) -> None:
        self.about = self._tree.chosen
        shown = self._tree.branches()
        forks = len({row.experiment.parent for row in self._snapshot.rows if row.experiment.parent is not None})
        about = f"{len(shown):,} experiments, branched from {forks:,} of them" if shown else "no experiment yet"
        about += f"; {said(self._snapshot.metric).plain or 'win rate in %'} on the right" if shown else ""
        if cancelled := left_out(self._snapshot.rows, shown):
            about += f"; {cancelled:,} ended before they began"
        self._heading.text = Text("Tree  ", f"bold {BRIGHT}").append(about, f"not bold {GREY}")
        self._heading.update()


class _Tree(Lines, can_focus=True):
    """One line an experiment."""

    def __init__(self, snapshot: Snapshot, chosen: int | None) -> None:
        super().__init__(id="tree")
        self.snapshot = snapshot
        self._branches = Known[list[Branch]]()
        self._places = Known[dict[int, int]]()
        self._number = chosen

    @property
    def chosen(self) -> int | None:
        """The experiment under the cursor."""
        found = self.branches()
        return found[self._place()].number if found else None

    def branches(self) -> list[Branch]:
        """All lines, top down."""
        now = self.snapshot or Snapshot()
        return self._branches.of(lambda: branches(now.rows, now.champion), now.rows, now.champion)

    def all(self, width: int) -> list[Text]:
        """Every line."""
        return [self._line(branch, width, False) for branch in self.branches()]

    def go_to(self, number: int) -> None:
        """Put the cursor on an experiment."""
        self._number = number
        self.update()

    def scroll_lines(self, lines: int) -> None:
        """Move the cursor."""
        if found := self.branches():
            self.go_to(found[max(0, min(len(found) - 1, self._place() + lines))].number)

    def lines(self, width: int, height: int) -> Sequence[Text]:
        """Those around the cursor."""
        found, place = self.branches(), self._place()
        self.top = max(0, min(max(self.top, place - height + 1), place, max(0, len(found) - height)))
        shown = found[self.top : self.top + height]
        return [self._line(one, width, at == place) for at, one in enumerate(shown, self.top)]

    def _place(self) -> int:
        found = self.branches()
        places = self._places.of(lambda: {one.number: at for at, one in enumerate(found)}, tuple(map(id, (found,))))
        return places.get(-1 if self._number is None else self._number, 0)

    def _line(self, branch: Branch, width: int, chosen: bool) -> Text:
        now = self.snapshot or Snapshot()
        row = now.rows[branch.number]
        sign = STATES[row.experiment.state]
        reigns = branch.number == now.champion
        text = styled("▸" if chosen else " ", f"bold {BRIGHT}").append(branch.stem, FAINT)
        text.append(f"{sign.mark} ", f"bold {BLUE if reigns else sign.colour}")
        text.append(f"#{branch.number}", BRIGHT).append(STEPPED_IN if now.stepped_in(row) else " ", ORANGE).append(" ")
        text.append_text(said(subject(row), BRIGHT if reigns else ""))
        line = fitted(text, width - _RIGHT).append_text(_end(now, row, reigns))
        if chosen:
            line.stylize(f"bold on {CURSOR}")
        return line


def _end(now: Snapshot, row: Row, reigns: bool) -> Text:
    sign = STATES[row.experiment.state]
    value, around = outcome(row)
    text = Text(f" {value:>8} {around:>8}  ", GREY)
    return fitted(text.append("champion" if reigns else sign.word, BLUE if reigns else sign.colour), _RIGHT)
