"""The terminal as it is: its colours, its characters, its size, and what is typed there."""

from __future__ import annotations

import os
import select
from codecs import getincrementaldecoder
from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.color import ColorSystem
from textual import constants
from textual._xterm_parser import XTermParser
from textual.driver import Driver
from textual.drivers.linux_driver import LinuxDriver
from textual.events import Resize
from textual.filter import LineFilter, Monochrome
from textual.geometry import Size
from textual.message import Message

from tui import plots
from tui.glyphs import Characters, speaks_unicode, started_with
from tui.guest import Guest, Intervene
from tui.leaving import Leave
from tui.patience import Patient
from tui.themes import THEMES, colours_for, theme_for

_LOOKS = 0.1
"""Seconds between two looks whether the screen has ended."""

if "ESCDELAY" not in os.environ:
    # Terminals send what begins with it in one piece; a tenth of a second, as Textual waits, is felt at every Esc.
    constants.__dict__["ESCAPE_DELAY"] = 0.03


LEAST = Size(60, 16)
"""Columns and rows that every screen of ours can do with."""


def too_small(size: Size) -> bool:
    """Whether the dashboard has no room."""
    return size.width < LEAST.width or size.height < LEAST.height


class Terminals(Guest):
    """Themes, translations on the way to the terminal, and one line where it is too small."""

    def __init__(self, folder: Path, intervene: Intervene) -> None:
        # Textual believes these before the terminal itself; where a shell exports them, they are as old as the shell.
        for name in ("COLUMNS", "LINES"):
            os.environ.pop(name, None)
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
        if not too_small(event.size):
            return
        from tui.screens.small import Small

        if not any(isinstance(screen, Small) for screen in self.screen_stack):
            self.push_screen(Small())

    def action_detach(self) -> None:
        """Leave where there is no room to ask what becomes of the run."""
        self.exit(Leave.DETACH)

    def get_driver_class(self) -> type[Driver]:
        """Textual's own, but not ended by what no terminal should send."""
        chosen = super().get_driver_class()
        return Sturdy if chosen is LinuxDriver else chosen


class Sturdy(Patient):
    """Reads on after bytes that are not UTF-8: an accent typed in a terminal with another charset, noise on a line.

    And it knows sooner than Textual's own that Esc alone is a key and not the beginning of another one.
    """

    def run_input_thread(self) -> None:
        """Read keys."""
        parser, decode = XTermParser(self._debug), getincrementaldecoder("utf-8")("replace").decode
        wait = _LOOKS
        while not self.exit_event.is_set():
            if select.select([self.fileno], [], [], wait)[0]:
                if not (read := self._read()):
                    return  # hung up: it would be "readable" for ever
                text = decode(read)
                self._tell(parser.feed(text) if text else ())
                wait = constants.ESCAPE_DELAY if text.endswith("\x1b") else _LOOKS
            else:
                wait = _LOOKS
            self._tell(parser.tick())

    def _read(self) -> bytes:
        try:
            return os.read(self.fileno, 4096)
        except OSError:
            return b""

    def _tell(self, events: Iterable[Message]) -> None:
        for event in events:
            self.process_message(event)
