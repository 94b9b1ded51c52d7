"""Filter: words that are looked for while they are typed."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from tui.signs import GREY


class Filter(ModalScreen[None]):
    """A line at the foot; what it is about changes behind it with every letter."""

    BINDINGS: ClassVar[list[BindingType]] = [("escape", "clear", "All")]

    def __init__(self, what: str, words: str, use: Callable[[str], None]) -> None:
        """Prepare the line.

        Args:
            what: What is filtered, for the frame.
            words: In use so far.
            use: Called with the words whenever they change.
        """
        super().__init__()
        self._what, self._words, self._use = what, words, use

    def compose(self) -> ComposeResult:
        """The words, and how to go on."""
        with Vertical() as frame:
            frame.border_title = f"Filter {self._what}"
            words = Input(self._words, placeholder="words that must occur", select_on_focus=False, compact=True)
            words.cursor_blink = False
            yield words
            yield Static(Text("⏎ keep   Esc show all", style=GREY), markup=False)

    def on_mount(self) -> None:
        """Type at once."""
        self.query_one(Input).focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Look again."""
        self._use(event.value.strip())

    def on_input_submitted(self) -> None:
        """Keep it."""
        self.dismiss()

    def action_clear(self) -> None:
        """Show all."""
        self._use("")
        self.dismiss()
