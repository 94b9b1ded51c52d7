"""The terminal as it is: its colours, its characters, its size, and what is typed there."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from rich.color import ColorSystem
from textual.driver import Driver
from textual.drivers.linux_driver import LinuxDriver
from textual.events import Resize
from textual.filter import LineFilter, Monochrome

from tui import plots
from tui.glyphs import Characters, speaks_unicode, started_with
from tui.guest import Guest, Intervene
from tui.leaving import Leave
from tui.screens.small import Small, too_small
from tui.themes import THEMES, colours_for, theme_for


class Terminals(Guest):
    """Themes, translations on the way to the terminal, and one line where it is too small."""

    def __init__(self, folder: Path, intervene: Intervene) -> None:
        super().__init__(folder, intervene)
        self._translations: tuple[str, list[LineFilter]] | None = None
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = theme_for(os.environ).name

    def get_line_filters(self) -> Sequence[LineFilter]:
        """What every line goes through on its way to the terminal."""
        if self._translations is None or self._translations[0] != self.theme:
            # A strip remembers what a filter made of it, so another theme has filters of its own.
            self._translations = self.theme, self._translate()
        return self._translations[1]

    def _translate(self) -> list[LineFilter]:
        theirs = [known for known in super().get_line_filters() if not isinstance(known, Monochrome)]
        unicode, system = True, ColorSystem.TRUECOLOR
        if not self.is_headless:  # a picture is not made for the terminal that it is made in
            unicode = speaks_unicode(started_with(os.environ))
            system = ColorSystem[(self.console.color_system or "truecolor").upper().replace("256", "EIGHT_BIT")]
        plots.be_plain(not unicode)
        return [*theirs, *colours_for(self.theme, system, not self.no_color), Characters(unicode)]

    def action_theme(self) -> None:
        """The next theme."""
        names = [theme.name for theme in THEMES]
        self.theme = names[(names.index(self.theme) + 1) % len(names)]

    def on_resize(self, event: Resize) -> None:
        """Where there is no room for the dashboard, one line says so until there is."""
        if too_small(event.size) and not any(isinstance(screen, Small) for screen in self.screen_stack):
            self.push_screen(Small())

    def action_detach(self) -> None:
        """Leave where there is no room to ask what becomes of the run."""
        self.exit(Leave.DETACH)

    def get_driver_class(self) -> type[Driver]:
        """Textual's own, but not ended by what no terminal should send."""
        chosen = super().get_driver_class()
        return Sturdy if chosen is LinuxDriver else chosen


class Sturdy(LinuxDriver):
    """Reads on after bytes that are not UTF-8: an accent typed in a terminal with another charset, noise on a line."""

    def run_input_thread(self) -> None:
        """Read keys; what was read together with such a byte is lost."""
        while True:
            try:
                return super().run_input_thread()
            except UnicodeDecodeError:
                continue
