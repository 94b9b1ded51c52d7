"""Which actions reach what: the keys of the main screen, those that a page takes, and the palette, which has all."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from textual.app import SystemCommand
from textual.screen import Screen

from tui.guest import Guest
from tui.keys import ACTIONS, Action
from tui.pages import Pages
from tui.plotting import Plotting
from tui.screens.page import Page
from tui.steps import Steps
from tui.takeaway import Takeaway
from tui.views import Views


def actions_of(part: type[Guest]) -> frozenset[str]:
    """Names of the actions that a part of the dashboard adds."""
    return frozenset(name.removeprefix("action_") for name in vars(part) if name.startswith("action_"))


def group_of(action: Action) -> str:
    """What a person would look for it under."""
    name = action.name.partition("(")[0]
    return next((group for group, names in _GROUPS.items() if name in names), "This screen")


_GROUPS = {
    "Steer the run": actions_of(Steps) | {"wheel"},
    "Read and vote": actions_of(Pages) - {"show_help"},
    "Look around": actions_of(Views) | actions_of(Plotting),
    "Take along": actions_of(Takeaway),
}

_OURS = frozenset(action.name.partition("(")[0] for action in ACTIONS) - {"command_palette"}


class Reach(Guest):
    """Decides it."""

    _by_name = False
    """Whether an action was chosen by its name, which may be done wherever one is."""

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """The run's keys belong to the main screen; an experiment's page takes those that change it, too."""
        if action not in _OURS or self._by_name or len(self.screen_stack) == 1:
            return True
        screen = self.screen
        if not isinstance(screen, Page):
            return False
        of_an_experiment = action in _GROUPS["Steer the run"] or action == "exchanges"
        return action in _GROUPS["Take along"] or (screen.about is not None and of_an_experiment)

    async def run_action(self, action: Any, default_namespace: Any = None, namespaces: Any = None) -> bool:
        """A key that does nothing here says where it does."""
        if await super().run_action(action, default_namespace, namespaces):
            return True
        key = next((known for known in ACTIONS if known.name == action), None)
        if key is None or default_namespace not in (None, self):
            return False
        self.say(f"{key.shown} ({key.label}) belongs to the main screen: Esc goes back there")
        return True

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """The palette: the same table as the keys."""
        for action in ACTIONS:
            if action.palette:
                label = f"{action.label} ({action.shown})" if action.shown else action.label
                yield SystemCommand(label, action.help, lambda name=action.name: self.call_later(self._choose, name))

    async def _choose(self, action: str) -> None:
        """Do what was chosen in the palette; what is about the panels goes back to them first."""
        if action.partition("(")[0] in _GROUPS["Look around"]:
            while len(self.screen_stack) > 1:
                await self.pop_screen()
        self._by_name = True
        try:
            await self.run_action(action)
        finally:
            self._by_name = False
