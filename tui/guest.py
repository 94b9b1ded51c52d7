"""What every part of the dashboard knows: the run's folder and last look, the main screen, how to ask, how to say."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeAlias

from textual.app import App
from textual.notifications import SeverityLevel

from checkpoints.records import Json, Row, RunState, Step
from tui.leaving import Leave
from tui.screens.main import MainScreen
from tui.screens.page import Page
from tui.snapshot import Snapshot
from tui.wheel import NotSteering, Wheel
from tui.widgets.lines import said

Intervene: TypeAlias = Callable[[Step, int | None, str, Json], Awaitable[int]]
"""Records what a person wants: step, experiment, reason, detail; returns its number."""


ANYBODYS = (Step.VOTE,)
"""Steps that need no wheel: votes do not change the run, they judge it."""


class Guest(App[Leave]):
    """The run as the dashboard's parts see it; each part adds the actions of one concern."""

    def __init__(self, folder: Path, intervene: Intervene) -> None:
        super().__init__()
        self.folder = folder
        self.snapshot = Snapshot()
        self.owned = True
        """Whether the loop runs in this process, so that leaving must say what becomes of it."""

        self.wheel = Wheel(folder)
        self._intervene = intervene
        self._asked: set[int] = set()
        """Steps that were asked for here and that the runner has not acknowledged."""

    @property
    def main(self) -> MainScreen:
        """The screen under all others."""
        screen = self.screen_stack[0]
        assert isinstance(screen, MainScreen)
        return screen

    def say(self, text: object, severity: str = "information") -> None:
        """One line for a person, from wherever it comes."""
        levels: dict[str, SeverityLevel] = {"error": "error", "warning": "warning"}
        level = levels.get(severity, "information")
        self.notify(said(text).plain, severity=level, markup=False, timeout=6)

    def going(self, what: str) -> RunState | None:
        """The run's state while it can still be changed; else says why not."""
        run = self.snapshot.run
        if run is None:
            self.say(f"the run has not begun, there is nothing to {what}")
        elif run.state is RunState.FINISHED:
            self.say(f"the run is finished, there is nothing to {what}")
        else:
            return run.state
        return None

    def chosen(self, what: str) -> Row | None:
        """The experiment that a key applies to, on its page that one; where there is none, says so."""
        about = [screen.about for screen in self.screen_stack if isinstance(screen, Page) and screen.about is not None]
        row = self.snapshot.row(about[-1]) if about else self.main.chosen
        if row is None:
            self.say(f"no experiment yet, there is nothing to {what}")
        return row

    def may_steer(self) -> bool:
        """Whether the run may be changed from here; else says who may."""
        try:
            self.wheel.grasp()
        except NotSteering as why:
            self.say(why)
            return False
        return True

    def look_again(self) -> None:
        """Have the run looked at, though nothing was committed."""

    def ask_for(self, step: Step, experiment: int | None = None, reason: str = "", detail: Json | None = None) -> None:
        """Have a person's step recorded, without waiting for it."""
        self.run_worker(self.want(step, experiment, reason, detail), name=step, group="interventions")

    async def want(
        self, step: Step, experiment: int | None = None, reason: str = "", detail: Json | None = None
    ) -> bool:
        """Record a person's step; whatever hinders it, the person who asked is told, and the screen stays."""
        if step not in ANYBODYS and not self.may_steer():
            return False
        try:
            self._asked.add(await self._intervene(step, experiment, reason, detail or {}))
            self.announce()
        except Exception as error:
            self.say(f"{step} was not recorded: {error}", "error")
            return False
        return True

    def announce(self) -> None:
        """Say what came of the steps that were asked for here, once each; of a vote only that it was refused."""
        for step in self.snapshot.interventions:
            if step.number not in self._asked or step.acknowledged_at is None:
                continue
            self._asked.discard(step.number)
            what = f"{step.step} of #{step.experiment}" if step.experiment is not None else step.step
            if step.refused:
                self.say(f"{what} {step.effect}", "warning")
            elif step.step is not Step.VOTE:
                self.say(f"{what}: {step.effect}")
