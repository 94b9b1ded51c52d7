"""One line where the terminal is too small for the dashboard; goes away when there is room again."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.events import Resize, ScreenResume
from textual.geometry import Size
from textual.screen import Screen
from textual.widgets import Static

from tui.terminals import LEAST, too_small
from tui.widgets.lines import wrapped


class Small(Screen[None]):
    """Says how large the terminal must be."""

    BINDINGS: ClassVar[list[BindingType]] = [("q", "app.detach", "Leave")]

    def compose(self) -> ComposeResult:
        """The line."""
        yield Static(id="small", markup=False)

    def on_resize(self, event: Resize) -> None:
        """Say it anew, or go."""
        self._say_or_go(event.size)

    def on_screen_resume(self, event: ScreenResume) -> None:
        """Back from under a dialogue."""
        self._say_or_go(self.size)

    def _say_or_go(self, size: Size) -> None:
        if too_small(size):
            self.query_one("#small", Static).update(sentence(size))
        elif self.is_current:
            self.dismiss()


def sentence(size: Size) -> Text:
    """As much of it as fits, broken at words."""
    least, here = f"{LEAST.width}×{LEAST.height}", f"{size.width}×{size.height}"
    whole = f"this terminal is {here}; the dashboard needs at least {least}. The loop runs on, q leaves it running."
    for text in (whole, f"{here}: the dashboard needs {least}", f"needs {least}"):
        lines = wrapped(Text(text), size.width)
        if len(lines) <= size.height:
            return Text("\n").join(lines)
    return Text(least)
