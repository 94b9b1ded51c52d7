"""The pages that a person reads: detail, help, and what else is opened with a key and closed with Escape."""

from __future__ import annotations

import asyncio

from tui.guest import Guest


class Pages(Guest):
    """The actions that open a page."""

    def action_show_help(self) -> None:
        """Every key."""
        from tui.screens.help import help_page

        self.push_screen(help_page())

    async def action_detail(self) -> None:
        """Everything about the chosen experiment."""
        if not (row := self.chosen("look at")):
            return
        from tui.screens.detail import detail_page, read_evidence

        evidence = await asyncio.to_thread(read_evidence, self.folder, row)
        self.push_screen(detail_page(self.snapshot, row, evidence, self.size.width))
