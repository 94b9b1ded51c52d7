"""What the plots show: the next view, a logarithmic axis, and the votes that a view needs, read beside the screen."""

from __future__ import annotations

import asyncio

from tui.guest import Guest
from tui.plots.votes import read_ballots
from tui.widgets.curves import Plot
from tui.widgets.progress_plot import ProgressPlot
from tui.widgets.training_plot import TrainingPlot


class Plotting(Guest):
    """The actions of the plots."""

    def action_view(self) -> None:
        """The plot in focus shows the next thing."""
        focused = self.main.focused
        self._answer(focused.turn() if isinstance(focused, Plot) else "d changes what a plot shows: 1 or 2 goes to one")

    def action_logarithm(self) -> None:
        """The curves on a logarithmic axis, or not."""
        focused = self.main.focused
        is_training = isinstance(focused, TrainingPlot)
        self._answer(focused.turn_axis() if is_training else "l is for the curves of a training: 2 goes there")

    def on_progress_plot_ballots_wanted(self, message: ProgressPlot.BallotsWanted) -> None:
        """Read them in a thread: SQLite may wait for a moment."""
        self.run_worker(self._read(message), group="ballots", exclusive=True)

    async def _read(self, wanted: ProgressPlot.BallotsWanted) -> None:
        import sqlite3

        try:
            ballots = await asyncio.to_thread(read_ballots, self.folder, wanted.experiment, wanted.before)
        except sqlite3.Error as error:
            self.say(f"the votes cannot be read: {error}", "error")
        else:
            wanted.plot.take(ballots)

    def _answer(self, refused: str) -> None:
        if refused:
            self.say(refused)
