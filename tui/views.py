"""How the run is looked at: which panel, how large, what of it and in which order. Changes nothing of the run."""

from __future__ import annotations

from tui.guest import Guest
from tui.keys import PANELS
from tui.widgets.experiments import Experiments
from tui.widgets.logs import Events


class Views(Guest):
    """The actions that change what is seen."""

    def action_panel(self, number: int) -> None:
        """Go to a panel."""
        if number == 6 and self.main.compact:
            self.say("the lanes are always in sight here")
            return
        self.main.panel(number)

    def action_maximise(self) -> None:
        """One panel, or all."""
        if self.main.compact:
            self.say("this terminal has room for one panel at a time: 1 to 5 choose it")
            return
        if self.main.focused and self.main.focused.id == PANELS[5]:
            self.say("the lanes are whole as they are, and always in sight: 1 to 5 choose what to make large")
            return
        self.main.maximise()

    def action_move(self, lines: int) -> None:
        """Up and down."""
        self.main.move(lines)

    def action_sort(self) -> None:
        """By the next column."""
        table = self.main.query_one(Experiments)
        if not table.display:
            self.say("s sorts the table of experiments: 3 goes there")
            return
        table.sort()
        self.main.retitle()

    def action_filter(self) -> None:
        """Words for the panel in focus, or for the table."""
        from tui.screens.filter import Filter

        focused = self.main.focused
        panel = focused if isinstance(focused, Events) else self.main.query_one(Experiments)
        if not panel.display:
            self.say("/ filters the experiments and the events: 3 and 5 go there")
            return
        words = panel.words if isinstance(panel, Events) else panel.found.words

        def use(words: str) -> None:
            panel.filter(words)
            self.main.retitle()

        self.push_screen(Filter(panel.id or "", words, use))
        if isinstance(panel, Experiments):
            self.call_after_refresh(panel.prepare)
