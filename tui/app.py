"""The dashboard: shows the store and writes what a person wants into it. Paints first, reads after."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from textual.binding import BindingType
from textual.message import Message

from tui.company import Company
from tui.guest import Intervene
from tui.keys import BINDINGS
from tui.pages import Pages
from tui.plotting import Plotting
from tui.reach import Reach
from tui.screens.main import MainScreen
from tui.screens.page import Page
from tui.snapshot import Snapshot
from tui.steps import Steps
from tui.takeaway import Takeaway
from tui.terminals import Terminals
from tui.views import Views
from tui.watch import Subscribe, Watcher


class Dashboard(Company, Steps, Pages, Views, Plotting, Takeaway, Terminals, Reach):
    """A guest of whoever runs the loop: its end ends nothing else. Returns how the person left."""

    CSS_PATH = "dashboard.tcss"
    BINDINGS: ClassVar[list[BindingType]] = list(BINDINGS)
    TITLE = "autoresearch"

    class Looked(Message):
        """The store was read."""

        def __init__(self, snapshot: Snapshot) -> None:
            super().__init__()
            self.snapshot = snapshot

        def can_replace(self, message: Message) -> bool:
            """Only the newest look is worth drawing."""
            return isinstance(message, Dashboard.Looked)

    def __init__(
        self,
        folder: Path,
        intervene: Intervene,
        subscribe: Subscribe | None = None,
        trouble: Callable[[], str] = lambda: "",
        owned: bool = True,
        driven: Callable[[], bool] = lambda: True,
        told: str = "",
    ) -> None:
        """Prepare the dashboard of a run.

        Args:
            folder: Run folder; its store may not exist yet.
            intervene: Records what a person wants.
            subscribe: Has a listener called, in any thread, after each commit; None when another process writes.
            trouble: Why writes are waiting, for a person; empty while they do not.
            owned: Whether the loop runs in this process, so that leaving must say what becomes of it.
            driven: Whether some process drives the run.
            told: What the person is told first, as something went wrong before.
        """
        super().__init__(folder, intervene)
        self._told = told
        self.owned = owned
        self.painted = asyncio.Event()
        """Set when there is something on the screen: what takes long to import waits for it."""

        self._watcher = Watcher(folder, self._tell, subscribe, trouble, driven, self.wheel.look)

    def get_default_screen(self) -> MainScreen:
        """The run at a glance."""
        return MainScreen()

    def on_mount(self) -> None:
        """Paint, then look."""
        self.call_after_refresh(self._look)

    def _look(self) -> None:
        self.painted.set()
        self._watcher.start()
        if self._told:
            self.say(self._told, "error")

    def _tell(self, snapshot: Snapshot) -> None:
        self.post_message(self.Looked(snapshot))

    def on_unmount(self) -> None:
        """Look no more."""
        self._watcher.stop()
        self.wheel.close()

    def look_again(self) -> None:
        """Have the run looked at, though nothing was committed."""
        self._watcher.look_again()

    def on_dashboard_looked(self, message: Looked) -> None:
        """Show it."""
        self.snapshot = message.snapshot
        self.main.show(message.snapshot)
        self.announce()
        for screen in self.screen_stack[1:]:
            if isinstance(screen, Page):
                screen.show(message.snapshot)

    @property
    def broken_by(self) -> Exception | None:
        """What ended the screen, if it was no person."""
        return self._exception

    def _print_error_renderables(self) -> None:
        """A trace goes into a file, by whoever shows this; a terminal is for people."""
        self._exit_renderables.clear()
