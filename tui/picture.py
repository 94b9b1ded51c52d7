"""Pictures of the dashboard without a terminal: each screen, reached by the actions that keys reach."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from textual.pilot import Pilot
from textual.widgets import Input
from textual.worker import WorkerCancelled

from checkpoints.records import Json, Step
from checkpoints.store import holder
from checkpoints.visitor import reading
from tui import plots
from tui.app import Dashboard
from tui.drawn import Picture, drawn
from tui.keys import ACTIONS
from tui.leaving import Leave
from tui.run_error import RunError
from tui.snapshot import Snapshot, look
from tui.themes import THEMES
from tui.watch import Watcher
from tui.widgets.curves import Plot
from tui.widgets.training_plot import TrainingPlot

_ACTIONS = frozenset(action.name for action in ACTIONS)

OF_AN_EXPERIMENT = {name: name for name in ("detail", "veto", "skip", "requeue", "keep", "pin") if name in _ACTIONS}
"""Screens that are about the experiment under the cursor, and the actions that open them."""

SCREENS = OF_AN_EXPERIMENT | {
    name: action
    for name, action in (
        ("pause", "pause"),
        ("zoom-out", "zoom_out"),
        ("zoom-outs", "zoom_outs"),
        ("undo", "undo"),
        ("inject", "inject"),
        ("arena", "arena"),
        ("report", "report"),
        ("ranking", "ranking"),
        ("exchanges", "exchanges"),
        ("memory", "memory_page"),
        ("ask", "ask"),
        ("tree", "tree"),
        ("filter", "filter"),
        ("help", "show_help"),
        ("palette", "command_palette"),
        ("quit", "leave"),
    )
    if action in _ACTIONS
}
"""All screens that an action opens."""

_PANELS = 5
"""Panels that can have the whole screen; the lanes are always in sight."""

_LOG = "log"
"""As a view of the curves of a training: its axis."""

_SECONDS = 60.0
"""After which a screen that is still being made is given up."""


def names() -> str:
    """What can be pictured, for a person."""
    experiment = ", ".join(f"{name}:NUMBER" for name in OF_AN_EXPERIMENT)
    rest = ", ".join(name for name in SCREENS if name not in OF_AN_EXPERIMENT)
    return f"main, panel:1 to panel:{_PANELS}, {experiment}, {rest}; views of a plot as in panel:1:elo, panel:2:{_LOG}"


async def picture(
    run_folder: Path, screen: str = "main", size: tuple[int, int] = (120, 40), theme: str = ""
) -> Picture:
    """A picture of one screen of a run.

    Args:
        run_folder: Folder of the store, which is only read.
        screen: ``main``, ``panel:2``, ``panel:1:elo``, ``detail:12`` and so on: see ``names``.
        size: Columns and rows.
        theme: Name of a theme; empty is the one that the dashboard starts with.

    Raises:
        RunError: There is no such screen, or its key does not apply, which the message then says as the key would.
        StoreError: The store cannot be read.
    """
    async with sitting(run_folder, size, theme) as sitter:
        return await sitter.show(screen)


class Sitter:
    """A dashboard that holds still; goes from screen to screen and is pictured there."""

    def __init__(self, app: _Still, pilot: Pilot[Leave]) -> None:
        self._app, self._pilot = app, pilot
        self._way_back: list[str] = []
        """Actions that lead to the main screen as it was."""

    async def show(self, screen: str) -> Picture:
        """Go to a screen and picture it.

        Raises:
            RunError: There is no such screen, or its key does not apply.
        """
        try:
            async with asyncio.timeout(_SECONDS):
                await self._go_back()
                await self._reach(*_parsed(screen))
                svg = await self._drawn()
        except TimeoutError:
            raise RunError(f"{screen} was not drawn within {_SECONDS:.0f} s") from None
        return drawn(svg)

    async def _reach(self, name: str, number: int | None, view: str) -> None:
        app = self._app
        app.said = ""
        if name == "panel":
            await app.run_action(f"panel({number})")
            await self._settle()
            self._way_back = [*await self._turn(number, view), "panel(3)"]
            if not app.main.compact:
                self._way_back.insert(0, "maximise")
                await app.run_action("maximise")
        elif name != "main":
            if number is not None:
                await self._choose(number)
            await app.run_action(SCREENS[name])
        await self._settle()
        if app.said and (name == "panel" or app.screen is app.main):
            raise RunError(app.said)

    async def _turn(self, number: int | None, view: str) -> list[str]:
        """Have the plot show a view; returns the actions that lead back."""
        plot = self._app.main.focused
        if not view:
            return []
        views = [_view(name) for name in plot.views()] if isinstance(plot, Plot) else []
        logarithm = [_LOG] if isinstance(plot, TrainingPlot) else []
        if view in logarithm:
            await self._app.run_action("logarithm")
            return ["logarithm"]
        if view not in views:
            there_are = ", ".join([*views, *logarithm]) or "it is no plot"
            raise RunError(f"there is no view {view} of panel {number}: {there_are}")
        turns = views.index(view)
        for _ in range(turns):
            await self._app.run_action("view")
        return ["view"] * ((len(views) - turns) % len(views))

    async def _choose(self, number: int) -> None:
        newest = len(self._app.snapshot.rows) - 1
        if not 0 <= number <= newest:
            raise RunError(f"there is no experiment {number}: the newest is #{newest}")
        self._way_back = ["move(-1000000)"]
        await self._app.run_action(f"move({newest - number})")

    async def _go_back(self) -> None:
        app = self._app
        while app.screen is not app.main:
            await app.pop_screen()
        for action in self._way_back:
            await app.run_action(action)
            await self._settle()  # a panel has the focus a moment later
        self._way_back = []

    async def _settle(self) -> None:
        """Until nothing is read, made or drawn any more."""
        app = self._app
        while working := [worker for worker in app.workers if not worker.is_finished]:
            for worker in working:
                try:
                    await worker.wait()
                except WorkerCancelled:
                    pass
            await self._pilot.pause()
        for words in app.screen.query(Input):
            words.cursor_blink = False
        await self._pilot.pause()

    async def _drawn(self) -> str:
        """The screen when nothing on it changes any more: on a busy machine a pause alone may end before that."""
        before, svg = "", self._shot()
        while svg != before:
            await self._settle()
            before, svg = svg, self._shot()
        return svg

    def _shot(self) -> str:
        return self._app.export_screenshot(title="autoresearch-tui", simplify=True)


@asynccontextmanager
async def sitting(run_folder: Path, size: tuple[int, int], theme: str = "") -> AsyncGenerator[Sitter]:
    """Have a dashboard sit for pictures; arguments and errors as of ``picture``."""
    app = _Still(run_folder, await asyncio.to_thread(_glance, run_folder))
    if theme and theme not in (themes := [known.name for known in THEMES]):
        raise RunError(f"there is no theme {theme}: {', '.join(themes)}")
    async with app.run_test(size=size) as pilot:
        app.theme = theme or app.theme
        while app.snapshot.run is None:
            await pilot.pause()
        yield Sitter(app, pilot)


class _Still(Dashboard):
    """A dashboard that has looked once, and whose person only looks."""

    def __init__(self, folder: Path, snapshot: Snapshot) -> None:
        super().__init__(folder, _refuse)
        self.animation_level = "none"
        self.said = ""
        self._watcher = _Done(folder, lambda _: self.post_message(self.Looked(snapshot)), None, lambda: "")

    def say(self, text: object, severity: str = "information") -> None:
        """Keep it: whoever asked for the picture is told."""
        self.said = str(text)

    def may_steer(self) -> bool:
        """As if it did: the wheel stays with whoever has it."""
        return True

    def exit(self, *args: object, **kwargs: object) -> None:
        """Stay."""
        self.said = "nothing is asked where leaving changes nothing"


class _Done(Watcher):
    """Hands over what was seen, and looks no more."""

    def start(self) -> None:
        self._tell(Snapshot())


def _glance(folder: Path) -> Snapshot:
    plots.load()
    with reading(folder) as reader:
        snapshot = look(reader, Snapshot(), driven=holder(folder) is not None)
    if snapshot.run is None:
        raise RunError(f"the run in {folder} has not begun, there is nothing to picture")
    return snapshot


async def _refuse(step: Step, experiment: int | None, reason: str, detail: Json) -> int:
    raise RunError("a picture asks for nothing")


def _parsed(screen: str) -> tuple[str, int | None, str]:
    """Name, number, and view of a plot."""
    name, colon, rest = screen.partition(":")
    number, _, view = rest.partition(":") if name == "panel" else (rest, "", "")
    if not (name in ("main", "panel") or name in SCREENS) or (name == "panel" and not colon):
        raise RunError(f"there is no screen {screen}: {names()}")
    if not colon:
        return name, None, ""
    if not (name == "panel" or name in OF_AN_EXPERIMENT) or not (number.isascii() and number.isdigit()):
        raise RunError(f"there is no screen {screen}: {names()}")
    if name == "panel" and not 1 <= int(number) <= _PANELS:
        raise RunError(f"there is no panel {number} to make large: 1 to {_PANELS}")
    return name, int(number), _view(view)


def _view(name: str) -> str:
    """The name of a view as it is typed: ``final-loss``."""
    return name.lower().replace(" ", "-")
