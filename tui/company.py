"""Several dashboards at one run: who steers, and what becomes of the run when one of them is left."""

from __future__ import annotations

from typing import Any

from checkpoints.records import RunState
from tui.guest import Guest
from tui.leaving import Leave
from tui.steps import Steps
from tui.wheel import NotSteering

STEERED = frozenset(name.removeprefix("action_") for name in vars(Steps) if name.startswith("action_"))
"""Actions that only the dashboard with the wheel may do."""


class Company(Guest):
    """The actions of somebody who may not be alone."""

    async def run_action(self, action: Any, *args: Any, **kwargs: Any) -> bool:
        """Whoever may not steer is told so before a dialogue opens."""
        if action in STEERED and self.check_action(action, ()) and not self.may_steer():
            return True
        return await super().run_action(action, *args, **kwargs)

    def action_wheel(self) -> None:
        """Steer from here."""
        if self.wheel.held:
            self.say("this dashboard steers already")
            return
        try:
            before = self.wheel.take()
        except NotSteering as why:
            self.say(why)
            return
        self.clear_notifications()  # who steered until now
        self.say(f"you steer now; {before} looks, and may take the wheel back" if before else "you steer now")
        self.look_again()

    async def action_leave(self) -> None:
        """Leave; where that may end the loop, say first what becomes of it."""
        if self.owned:
            at_once = self._finished
        else:
            at_once = self._finished or not self.snapshot.driven or not self.wheel.held
        if at_once:
            self.exit(Leave.DETACH)
            return
        from tui.screens.leave import leave

        self.push_screen(leave(self.owned), lambda answer: answer and self._leave(Leave(answer.name)))

    def _leave(self, how: Leave) -> None:
        """As was chosen; another may have taken the wheel while the question stood, and the run is theirs to end."""
        nobody_else = self.owned and not self.wheel.look()  # its own run may be ended where no wheel can be made, too
        if how is Leave.DETACH or nobody_else or self.may_steer():
            self.exit(how)

    async def action_quit(self) -> None:
        """Textual's own way out is ours."""
        await self.action_leave()

    def action_help_quit(self) -> None:
        """Ctrl+C, which in a terminal means more than one thing."""
        self.say("q leaves; it asks what becomes of the run")

    @property
    def _finished(self) -> bool:
        run = self.snapshot.run
        return run is not None and run.state is RunState.FINISHED
