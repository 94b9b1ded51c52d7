"""The dashboard: shows the store and writes what a person wants into it. Paints first, reads after."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import ClassVar, TypeAlias

from textual.app import App, SystemCommand
from textual.binding import BindingType
from textual.message import Message
from textual.screen import Screen
from textual.theme import Theme

from checkpoints.records import Json, Row, RunState, Step
from tui.keys import ACTIONS, BINDINGS
from tui.leaving import Leave
from tui.screens.main import MainScreen
from tui.signs import BLUE, GREEN, GREY, ORANGE, RED, YELLOW
from tui.snapshot import Snapshot
from tui.watch import Subscribe, Watcher
from tui.widgets.lines import said

Intervene: TypeAlias = Callable[[Step, int | None, str, Json], Awaitable[int]]
"""Records what a person wants: step, experiment, reason, detail; returns its number."""

NIGHT = Theme(
    name="night", primary=BLUE, secondary=GREY, accent=ORANGE, foreground="#cfd6de", background="#10151b",
    surface="#3a4654", panel="#1a222c", success=GREEN, warning=YELLOW, error=RED, dark=True,
)  # fmt: skip


class Dashboard(App[Leave]):
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
    ) -> None:
        """Prepare the dashboard of a run.

        Args:
            folder: Run folder; its store may not exist yet.
            intervene: Records what a person wants.
            subscribe: Has a listener called, in any thread, after each commit; None when another process writes.
            trouble: Why writes are waiting, for a person; empty while they do not.
            owned: Whether the loop runs in this process, so that leaving must say what becomes of it.
            driven: Whether some process drives the run.
        """
        super().__init__()
        self.folder, self.owned = folder, owned
        self.painted = asyncio.Event()
        """Set when there is something on the screen: what takes long to import waits for it."""

        self._intervene = intervene
        self._watcher = Watcher(
            folder, lambda snapshot: self.post_message(self.Looked(snapshot)), subscribe, trouble, driven
        )
        self.snapshot = Snapshot()
        self.register_theme(NIGHT)
        self.theme = NIGHT.name

    def get_default_screen(self) -> MainScreen:
        """The run at a glance."""
        return MainScreen()

    def on_mount(self) -> None:
        """Paint, then look."""
        self.call_after_refresh(self._look)

    def _look(self) -> None:
        self.painted.set()
        self._watcher.start()

    def on_unmount(self) -> None:
        """Look no more."""
        self._watcher.stop()

    def on_dashboard_looked(self, message: Looked) -> None:
        """Show it."""
        self.snapshot = message.snapshot
        self.main.show(message.snapshot)

    @property
    def broken_by(self) -> Exception | None:
        """What ended the screen, if it was no person."""
        return self._exception

    @property
    def main(self) -> MainScreen:
        """The screen under all others."""
        screen = self.screen_stack[0]
        assert isinstance(screen, MainScreen)
        return screen

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """The palette: the same table as the keys."""
        for action in ACTIONS:
            if action.palette:
                label = f"{action.label} ({action.shown})"
                yield SystemCommand(label, action.help, lambda name=action.name: self.call_later(self.run_action, name))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """The run's keys belong to the main screen; a dialogue and a page have their own."""
        ours = {known.name.partition("(")[0] for known in ACTIONS} - {"command_palette"}
        return not (action in ours and len(self.screen_stack) > 1)

    def say(self, text: object, severity: str = "information") -> None:
        """One line for a person, from wherever it comes."""
        level = "error" if severity == "error" else "information"
        self.notify(said(text).plain, severity=level, markup=False, timeout=6)

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
        self.main.maximise()

    def action_move(self, lines: int) -> None:
        """Up and down."""
        self.main.move(lines)

    def action_show_help(self) -> None:
        """Every key."""
        from tui.screens.help import help_page

        self.push_screen(help_page())

    async def action_pause(self) -> None:
        """Pause, or go on."""
        if not (run := self._going("pause")):
            return
        if any(wanted.step in (Step.PAUSE, Step.RESUME) for wanted in self.snapshot.pending):
            self.say("the last pause or resume is still under way")
            return
        if run is RunState.PAUSED:
            await self._want(Step.RESUME)
            return
        from tui.screens.pause import pause

        self.push_screen(pause(), lambda answer: answer and self._later(Step.PAUSE, detail={"when": answer.name}))

    def action_zoom_out(self) -> None:
        """Have stock taken."""
        if not self._going("zoom out of"):
            return
        from tui.screens.zoom_out import zoom_out

        self.push_screen(zoom_out(), lambda answer: answer and self._later(Step.ZOOM_OUT, detail={"text": answer.text}))

    def action_veto(self) -> None:
        """Take back a keep."""
        if not (row := self._chosen("veto")):
            return
        from runner.interventions import Refused
        from tui.screens.veto import BRANCH, veto

        try:
            question = veto(self.snapshot, row)
        except Refused as refused:
            self.say(refused)
            return
        number = row.experiment.number
        self.push_screen(
            question,
            lambda answer: answer and self._later(Step.VETO, number, answer.text, {"branch": answer.name == BRANCH}),
        )

    async def action_detail(self) -> None:
        """Everything about the chosen experiment."""
        if not (row := self._chosen("look at")):
            return
        from tui.screens.detail import detail_page, read_evidence

        evidence = await asyncio.to_thread(read_evidence, self.folder, row)
        self.push_screen(detail_page(self.snapshot, row, evidence, self.size.width))

    async def action_leave(self) -> None:
        """Leave; where the loop is in this process, say first what becomes of it."""
        run = self.snapshot.run
        if not self.owned or (run and run.state is RunState.FINISHED):
            self.exit(Leave.DETACH)
            return
        from tui.screens.leave import leave

        self.push_screen(leave(), lambda answer: answer and self.exit(Leave(answer.name)))

    async def action_quit(self) -> None:
        """Textual's own way out is ours."""
        await self.action_leave()

    def action_help_quit(self) -> None:
        """Ctrl+C, which in a terminal means more than one thing."""
        self.say("q leaves; it asks what becomes of the run")

    def _later(self, step: Step, experiment: int | None = None, reason: str = "", detail: Json | None = None) -> None:
        self.run_worker(self._want(step, experiment, reason, detail), name=step, group="interventions")

    async def _want(
        self, step: Step, experiment: int | None = None, reason: str = "", detail: Json | None = None
    ) -> None:
        try:
            await self._intervene(step, experiment, reason, detail or {})
        except Exception as error:
            # Whatever hinders it, the person who asked is told, and the screen stays.
            self.say(f"{step} was not recorded: {error}", "error")

    def _going(self, what: str) -> RunState | None:
        """The run's state while it can still be changed; else says why not."""
        run = self.snapshot.run
        if run is None:
            self.say(f"the run has not begun, there is nothing to {what}")
        elif run.state is RunState.FINISHED:
            self.say(f"the run is finished, there is nothing to {what}")
        else:
            return run.state
        return None

    def _chosen(self, what: str) -> Row | None:
        row = self.main.chosen
        if row is None:
            self.say(f"no experiment yet, there is nothing to {what}")
        return row
