"""A page of text to read: scrolls, and goes back."""

from __future__ import annotations

from typing import ClassVar

from rich.console import RenderableType
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.screen import Screen
from textual.widgets import Static

from tui.signs import BRIGHT


class Page(Screen[None]):
    """A heading, a body, and how to leave."""

    BINDINGS: ClassVar[list[BindingType]] = [
        ("escape,q,enter", "back", "Back"),
        ("down,j", "scroll_by(1)", "Down"),
        ("up,k", "scroll_by(-1)", "Up"),
        ("pagedown,space", "scroll_by(20)", "Page down"),
        ("pageup", "scroll_by(-20)", "Page up"),
        ("home,g", "scroll_by(-1000000)", "Top"),
        ("end,G", "scroll_by(1000000)", "Bottom"),
    ]

    def __init__(self, heading: Text, body: RenderableType, hint: str = "↑ ↓ PgUp PgDn read   Esc back") -> None:
        super().__init__(classes="page")
        self._heading, self._body, self._hint = heading, body, hint

    def compose(self) -> ComposeResult:
        """Heading, body, hint."""
        heading = self._heading.copy()
        heading.stylize(f"bold {BRIGHT}", 0, 0)
        heading.no_wrap = True
        yield Static(heading, id="heading", markup=False)
        with VerticalScroll():
            yield Static(self._body, id="body", markup=False)
        yield Static(self._hint, id="hint", markup=False)

    def on_mount(self) -> None:
        """The text has the keys."""
        self.query_one(VerticalScroll).focus()

    def action_back(self) -> None:
        """To where the person came from."""
        self.dismiss()

    def action_scroll_by(self, lines: int) -> None:
        """Move the text."""
        self.query_one(VerticalScroll).scroll_relative(y=lines, animate=False)
