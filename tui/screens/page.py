"""A page of text to read: scrolls, may change while it is read, and goes back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, TypeAlias

from rich.console import Console, RenderableType
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.events import Resize
from textual.screen import Screen
from textual.widget import Widget

from tui.keys import Action
from tui.signs import BRIGHT, GREY
from tui.snapshot import Snapshot
from tui.widgets.lines import Lines, fitted, styled

READING = (
    Action("read(1)", ("down", "j"), "↓ j", "Down", "A line down"),
    Action("read(-1)", ("up", "k"), "↑ k", "Up", "A line up"),
    Action("turn(1)", ("pagedown", "space"), "PgDn", "Page down", "A screenful down, also with the space bar"),
    Action("turn(-1)", ("pageup",), "PgUp", "Page up", "A screenful up"),
    Action("read(-1000000)", ("home", "g"), "Home g", "Top", "To the top"),
    Action("read(1000000)", ("end", "G"), "End G", "Bottom", "To the bottom"),
    Action("back", ("escape", "q", "enter"), "Esc q", "Back", "Back to where you came from"),
)
"""Keys of every page."""

BY_SECTION = (
    Action("section(1)", ("tab", "n"), "Tab n", "Next section", "On to the next section"),
    Action("section(-1)", ("shift+tab", "N"), "⇧Tab N", "Section before", "Back to the section before"),
)
"""Keys of a page of several sections."""

_PLAIN = Console()
"""Only to break what is shown into lines; what it knows of a terminal is not used."""

Content: TypeAlias = RenderableType | list[Text]
"""What a page says: anything that Rich can break into lines, or the lines themselves."""


class Page(Screen[None]):
    """A heading, a body, and how to leave."""

    BINDINGS: ClassVar[list[BindingType]] = [binding for action in READING for binding in action.bindings]

    about: int | None = None
    """The experiment that the page is about: keys that apply to an experiment apply to this one."""

    def __init__(self, heading: Text, content: Content, hint: str = "↑ ↓ PgUp PgDn read   Esc back") -> None:
        super().__init__(classes="page")
        self._heading, self._body, self._foot = _Bar("heading"), _Body(content), _Foot(hint)
        self._heading.text = _head(heading)

    def compose(self) -> ComposeResult:
        """Heading, body, hint."""
        yield self._heading
        yield self._body
        yield self._foot

    def show(self, snapshot: Snapshot) -> None:
        """The run as it is now; a page that follows it overrides this."""

    def change(self, heading: Text, content: Content, hint: str = "") -> None:
        """Say something else; the reader stays at the same line."""
        self._heading.text = _head(heading)
        self._body.content = content
        self._foot.text = styled(hint, GREY) if hint else self._foot.text
        self._heading.update()
        self._body.update()
        self._tell()

    @property
    def text(self) -> str:
        """All of it, as it would be copied."""
        lines = (line.plain.rstrip() for line in self._body.all(self.columns))
        return "\n".join((self._heading.text.plain, "", *lines)) + "\n"

    @property
    def top(self) -> int:
        """The first line in sight."""
        return self._body.top

    @property
    def columns(self) -> int:
        """Cells that a line of the body has."""
        return max(self.size.width - 2, 1)

    @property
    def first(self) -> Widget:
        """What has the keys when the page is opened: the text."""
        return self._body

    def on_mount(self) -> None:
        """Keys go to the text, or to what stands in its place."""
        self.first.focus()
        self.call_after_refresh(self._tell)

    def on_resize(self, event: Resize) -> None:
        """Another share of the text is in sight."""
        self.call_after_refresh(self._tell)

    def action_back(self) -> None:
        """To where the person came from."""
        self.dismiss()

    def action_read(self, lines: int) -> None:
        """Move the text."""
        self._body.scroll_lines(lines)
        self._tell()

    def action_turn(self, screens: int) -> None:
        """Move the text by what is in sight, less a line to find the place again."""
        self.action_read(screens * max(self._body.size.height - 1, 1))

    def _tell(self) -> None:
        self._foot.below = self._body.below
        self._foot.update()


class Sectioned(Page):
    """A page of several sections, which a key goes to one after the other."""

    BINDINGS: ClassVar[list[BindingType]] = [binding for action in BY_SECTION for binding in action.bindings]

    starts: Sequence[int] = ()
    """Lines at which sections begin."""

    def action_section(self, step: int) -> None:
        """Have another section at the top."""
        top = self.top
        beyond = [start for start in self.starts if (start > top if step > 0 else start < top)]
        if beyond:
            self.action_read((beyond[0] if step > 0 else beyond[-1]) - top)


def rendered(content: RenderableType, width: int) -> list[Text]:
    """Anything that Rich can draw, as lines of at most ``width`` cells; may be called in any thread."""
    options = _PLAIN.options.update(width=max(width, 1), height=None)
    return [
        Text("", no_wrap=True, end="").join(
            Text(segment.text, segment.style or "", no_wrap=True, end="") for segment in line if not segment.control
        )
        for line in _PLAIN.render_lines(content, options, pad=False)
    ]


class _Bar(Lines):
    """One line."""

    def __init__(self, id: str) -> None:
        super().__init__(id=id)
        self.text = Text()

    def lines(self, width: int, height: int) -> Sequence[Text]:
        """It, cut where there is no room."""
        return [self.text]


class _Foot(_Bar):
    """How to leave, and at the right how much is below."""

    def __init__(self, hint: str) -> None:
        super().__init__("hint")
        self.text, self.below = styled(hint, GREY), 0

    def lines(self, width: int, height: int) -> Sequence[Text]:
        """Both; the second is never cut."""
        more = f" ↓ {self.below} more" if self.below else ""
        return [fitted(self.text, width - len(more)).append(more, BRIGHT)]


class _Body(Lines, can_focus=True):
    """The text, of which a part is in sight."""

    def __init__(self, content: Content) -> None:
        super().__init__(id="body")
        self.content = content
        self._made: list[Text] = []
        self._made_of: tuple[object, int] = (None, 0)

    def lines(self, width: int, height: int) -> Sequence[Text]:
        """From ``top`` on, as far as there is room."""
        made = self.all(width)
        self.top = max(0, min(self.top, len(made) - height))
        return made[self.top : self.top + height]

    @property
    def below(self) -> int:
        """Lines that are not in sight yet."""
        return max(0, len(self.all(self.size.width)) - self.top - self.size.height)

    def all(self, width: int) -> list[Text]:
        """Every line."""
        if self._made_of[0] is not self.content or self._made_of[1] != width:
            content = self.content
            self._made = content if isinstance(content, list) else rendered(content, width)
            self._made_of = (content, width)
        return self._made


def _head(heading: Text) -> Text:
    heading = heading.copy()
    heading.no_wrap = True
    heading.stylize_before(f"bold {BRIGHT}")
    return heading
