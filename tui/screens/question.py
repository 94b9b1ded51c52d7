"""A question: what follows first, then the choices, then, where it is asked for, a few words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.console import Group
from rich.padding import Padding
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.events import Resize
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from tui.signs import BRIGHT, GREY, ORANGE
from tui.widgets.lines import said

_AIRY = 24
"""Rows of the terminal from which there are frames and blank lines inside the question."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One possible answer."""

    name: str
    label: str
    follows: str = ""
    """What it leads to, under the label."""


@dataclass(frozen=True, slots=True)
class Answered:
    """What a person chose and wrote."""

    name: str
    text: str = ""


class Question(ModalScreen[Answered | None]):
    """Dismissed with the answer; with None by Escape."""

    BINDINGS: ClassVar[list[BindingType]] = [
        ("escape", "back", "Back"),
        ("j", "down", "Down"),
        ("k", "up", "Up"),
        Binding("pagedown", "turn(1)", priority=True),
        Binding("pageup", "turn(-1)", priority=True),
    ]

    def __init__(
        self, title: str, told: Text, options: Sequence[Choice], asked: str = "", needed: bool = False, words: str = ""
    ) -> None:
        """Prepare the question.

        Args:
            title: In the frame.
            told: What the person should know first.
            options: Possible answers; the first is the default.
            asked: What to write about; empty asks for no words.
            needed: Whether words must be given.
            words: What the line to write on begins with.
        """
        super().__init__()
        self._title, self._told, self._options, self._asked, self._needed = title, told, options, asked, needed
        self._chosen, self._words, self._changed = options[0].name, words, False

    @property
    def content(self) -> object:
        """What it says: two questions are the same where this is equal."""
        return self._title, self._told.plain, tuple(self._options)

    def ask_again(self, answer: Answered) -> None:
        """Begin with what was chosen and written before, and say that it was to something else."""
        self._words, self._changed = answer.text, True
        if any(option.name == answer.name for option in self._options):
            self._chosen = answer.name

    def compose(self) -> ComposeResult:
        """What follows, choices, words."""
        with Vertical() as frame:
            frame.border_title = self._title
            with VerticalScroll(can_focus=False):
                if self._changed:
                    yield Static(Text("The run went on: what follows is another now", ORANGE), markup=False)
                if self._told.plain:
                    yield Static(self._told, markup=False)
                if len(self._options) > 1 or not self._asked:
                    choices = (Option(_prompt(option, False), id=option.name) for option in self._options)
                    answers = OptionList(*choices, markup=False)
                    answers.highlighted = [option.name for option in self._options].index(self._chosen)
                    yield answers
                if self._asked:
                    words = Input(self._words, placeholder=self._asked, select_on_focus=False)
                    words.cursor_blink = False
                    yield words
            yield Static(Text(self._hint(), style=GREY), id="hint", markup=False)

    def on_mount(self) -> None:
        """Choices first."""
        self.query("OptionList, Input").first().focus()

    def on_resize(self, event: Resize) -> None:
        """Where rows are few, none is for looks."""
        self.set_class(event.size.height < _AIRY, "-low")

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        """The choice under the cursor counts when words are sent; a sign marks it, not colour alone."""
        self._chosen = event.option.id or self._chosen
        for option in self._options:
            event.option_list.replace_option_prompt(option.name, _prompt(option, option.name == self._chosen))

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Chosen: on to the words, or done."""
        self._chosen = event.option.id or self._chosen
        if self._asked:
            self.query_one(Input).focus()
        else:
            self.dismiss(Answered(self._chosen))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Words given: done."""
        words = event.value.strip()
        if self._needed and not words:
            self.query_one("#hint", Static).update(Text("a few words are needed: the agent reads them"))
            return
        self.dismiss(Answered(self._chosen, words))

    def action_back(self) -> None:
        """Leave it."""
        self.dismiss(None)

    def action_down(self) -> None:
        """Next choice."""
        if isinstance(self.focused, OptionList):
            self.focused.action_cursor_down()

    def action_up(self) -> None:
        """Previous choice."""
        if isinstance(self.focused, OptionList):
            self.focused.action_cursor_up()

    def action_turn(self, screens: int) -> None:
        """Read on where the terminal is too small for all of it."""
        body = self.query_one(VerticalScroll)
        body.scroll_relative(y=screens * max(body.size.height - 1, 1), animate=False)

    def _hint(self) -> str:
        chooses = "↑ ↓ choose   " if len(self._options) > 1 else ""
        return f"{chooses}⏎ go on   Esc back"


def _prompt(option: Choice, chosen: bool) -> Group:
    label = Text(f"{'▸' if chosen else ' '} {option.label}", f"bold {BRIGHT}")
    return Group(label, *([Padding(Text(said(option.follows).plain), (0, 0, 0, 2))] if option.follows else []))
