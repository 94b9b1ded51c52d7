"""The pages that a person reads: detail, help, and what else is opened with a key and closed with Escape."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from tui.guest import Guest
from tui.widgets.experiments import Experiments

if TYPE_CHECKING:
    from tui.screens.question import Answered, Question


class Pages(Guest):
    """The actions that open a page."""

    def action_show_help(self) -> None:
        """Every key."""
        from tui.screens.help import help_page

        self.push_screen(help_page())

    def action_detail(self) -> None:
        """Everything about the chosen experiment."""
        if row := self.chosen("look at"):
            self.open_detail(row.experiment.number)

    def action_report(self) -> None:
        """The night on one page."""
        if not self.snapshot.run:
            self.say("the run has not begun, there is nothing to report")
            return
        from tui.screens.report import ReportPage

        self.push_screen(ReportPage(self.folder, self.snapshot))

    def action_ranking(self) -> None:
        """Whom the votes place where, and what that is worth."""
        from tui.screens.ranking import RankingPage

        self.push_screen(RankingPage(self.folder, self.snapshot))

    def action_memory_page(self) -> None:
        """What the agent is handed, and a person's notes to it."""
        from tui.screens.memory import MemoryPage

        def put(question: Question, use: Callable[[Answered], None]) -> None:
            self.push_screen(question, lambda answer: use(answer) if answer else None)

        self.push_screen(MemoryPage(self.folder, self.snapshot, self.want, put))

    def action_ask(self) -> None:
        """The conversation with the agent."""
        from tui.screens.ask import AskPage

        self.push_screen(AskPage(self.folder, self.snapshot, self.want))

    def action_tree(self) -> None:
        """The experiments by whom they were branched from."""
        from tui.screens.tree import TreePage

        chosen = self.main.chosen
        self.push_screen(TreePage(self.snapshot, chosen.experiment.number if chosen else None, self.open_detail))

    def action_exchanges(self) -> None:
        """What the agent was asked and answered, for the run or for the experiment whose page is open."""
        from tui.screens.exchanges import Exchanges
        from tui.screens.page import Page

        about = self.screen.about if isinstance(self.screen, Page) else None
        self.push_screen(Exchanges(self.folder, self.snapshot, about))

    def open_detail(self, number: int) -> None:
        """Everything about an experiment of the run."""
        from tui.screens.detail import Detail

        self.push_screen(Detail(self.folder, self.snapshot, number, self._neighbour))

    def action_zoom_outs(self) -> None:
        """What was said when stock was taken."""
        from tui.screens.zoom_outs import ZoomOuts

        self.push_screen(ZoomOuts(self.snapshot))

    async def action_arena(self) -> None:
        """Vote, blind."""
        if not self.going("vote on"):
            return
        if not self.snapshot.driven:
            self.say("no process drives this run: nobody would count your votes")
            return
        from tui.battles import cast_by, next_battle, voter, why_none
        from tui.screens.arena import Arena

        snapshot, who = self.snapshot, voter()
        done = {
            (one.experiment or 0, str(one.detail["prompt"]))
            for one in cast_by(snapshot.interventions, who)
            if not one.refused
        }
        battle = await asyncio.to_thread(next_battle, self.folder, snapshot.rows, who, done)
        if battle is None:
            self.say(await asyncio.to_thread(why_none, self.folder, snapshot))
            return
        self.push_screen(Arena(self.folder, snapshot, who, battle, self.want))

    def _neighbour(self, number: int, lines: int) -> int:
        """The experiment so many lines below one in the table, as it is sorted and filtered."""
        found = self.main.query_one(Experiments).found
        rows = found.rows(self.snapshot.rows)
        if not rows:
            return number
        place = max(0, min(len(rows) - 1, found.place(number) + lines))
        return rows[place].experiment.number
