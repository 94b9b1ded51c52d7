"""The main screen: six panels side by side where there is room, one at a time where there is not."""

from __future__ import annotations

from collections.abc import Iterable

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.events import DescendantFocus, Resize, ScreenResume
from textual.screen import Screen
from textual.widget import Widget

from checkpoints.records import Row
from tui.keys import PANELS
from tui.snapshot import Snapshot
from tui.widgets.bars import Keys, Status, Tabs
from tui.widgets.experiments import Experiments
from tui.widgets.header import Header
from tui.widgets.lanes import Lanes
from tui.widgets.lines import Lines, said
from tui.widgets.logs import Events, Memory
from tui.widgets.progress_plot import ProgressPlot
from tui.widgets.training_plot import TrainingPlot

_ROOM = (100, 30)
"""Columns and rows from which all panels fit at once."""


class MainScreen(Screen[None]):
    """The run at a glance."""

    AUTO_FOCUS = "#experiments"

    def __init__(self) -> None:
        super().__init__()
        self.snapshot: Snapshot | None = None
        self._shown = 1
        self._maximised = False
        self._compact = False
        self._titles: dict[str, str] = {}

    def compose(self) -> ComposeResult:
        """Header, lanes, plots, table and memory, events, status, keys."""
        yield Header()
        yield Lanes(id="lanes")
        yield Tabs()
        with Vertical(id="panels"):
            with Horizontal(id="plots", classes="box"):
                yield ProgressPlot()
                yield TrainingPlot()
            with Horizontal(id="middle", classes="box"):
                yield Experiments()
                yield Memory(id="memory")
            with Horizontal(id="bottom", classes="box"):
                yield Events(id="events")
        yield Status()
        yield Keys()

    def show(self, snapshot: Snapshot) -> None:
        """Show the run as it is now; behind a dialogue, later."""
        self.snapshot = snapshot
        if not self.is_current:
            return
        self.retitle()
        for widget in self.query(Lines):
            if isinstance(widget, Status | ProgressPlot):
                widget.chosen = self.chosen
            widget.show(snapshot)

    @property
    def chosen(self) -> Row | None:
        """The experiment that keys apply to."""
        return self.query_one(Experiments).chosen

    def panel(self, number: int) -> None:
        """Go to a panel, 1 to 6; where one fits, show that one."""
        if number < 6:
            self._shown = number
        self._arrange()
        self.query_one(f"#{PANELS[number - 1]}").focus()

    def maximise(self) -> None:
        """One panel on the whole screen, or back."""
        focused = self.focused.id if self.focused else None
        if focused in PANELS[:5]:
            self._shown = PANELS.index(focused) + 1
        self._maximised = not self._maximised
        self._arrange()

    @property
    def compact(self) -> bool:
        """Whether the terminal is too small for all panels."""
        return self._compact

    def move(self, lines: int) -> None:
        """Move in the panel in focus; where that one has nothing to move in, in the table."""
        focused = self.focused
        movable = focused if isinstance(focused, Experiments | Events | Memory) else self.query_one(Experiments)
        movable.scroll_lines(lines)

    def on_experiments_chosen(self) -> None:
        """The status line speaks of the chosen experiment, and its votes may be on a plot."""
        self.query_one(ProgressPlot).choose(self.chosen)
        status = self.query_one(Status)
        status.chosen = self.chosen
        status.update()

    def on_descendant_focus(self, event: DescendantFocus) -> None:
        """Tab moves between panels also where only one is seen."""
        if event.widget.id in PANELS[:5] and (self._compact or self._maximised):
            self._shown = PANELS.index(event.widget.id) + 1
            self._arrange()

    def on_screen_resume(self, event: ScreenResume) -> None:
        """What was missed behind a dialogue."""
        if self.snapshot:
            self.show(self.snapshot)

    def on_resize(self, event: Resize) -> None:
        """All panels, or one."""
        self._compact = event.size.width < _ROOM[0] or event.size.height < _ROOM[1]
        self._arrange()

    def _arrange(self) -> None:
        one = self._compact or self._maximised
        self.set_class(self._compact, "-compact")
        self.set_class(one, "-one")
        shown = PANELS[self._shown - 1]
        for panel in self._panels():
            panel.display = not one or panel.id == shown
        for box in self.query(".box"):
            box.display = any(child.display for child in box.children)
        self.query_one(Status).compact = self._compact
        tabs = self.query_one(Tabs)
        tabs.shown = self._shown
        tabs.update()
        self.retitle()
        if one and self.focused and self.focused.id in PANELS[:5] and self.focused.id != shown:
            self.query_one(f"#{shown}").focus()

    def _panels(self) -> Iterable[Widget]:
        return (self.query_one(f"#{name}") for name in PANELS[:5])

    def retitle(self) -> None:
        """Say in the frames what is shown; plots say it themselves."""
        titles = {"experiments": self.query_one(Experiments).title, "events": self.query_one(Events).title}
        for name, title in titles.items():
            if self._titles.get(name) != title:
                self._titles[name] = title
                # As text: what a person typed into a filter is no markup.
                self.query_one(f"#{name}").border_title = said(title)  # type: ignore[assignment]
        tabs = self.query_one(Tabs)
        tabs.words = {3: self.query_one(Experiments).found.words, 5: self.query_one(Events).words}.get(self._shown, "")
        tabs.update()
