"""A widget made of lines, which sends to the terminal only the cells that changed."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

from rich.cells import split_graphemes
from rich.console import Console
from rich.style import Style
from rich.text import Text
from textual.events import Resize
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from checkpoints.text import clean
from tui.glyphs import tamed
from tui.snapshot import Snapshot

_PLAIN = Console()
"""Only to break text into segments; what it knows of a terminal is not used."""

_LINE, _PAGE = 2_000, 20_000
"""Characters of a text from outside that are shown on a line, and on a page."""


class Lines(Widget):
    """Shows what ``lines`` says; after ``show``, refreshes the changed part of each changed line.

    Textual sends a whole widget again when one cell of it changes (6 KB for a cell of a table, 5 KB for a plot); on a
    live run seen over SSH that is most of the traffic.
    """

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id, markup=False)
        self.snapshot: Snapshot | None = None
        self.top = 0
        self._strips: list[Strip] = []
        self._texts: list[Text] = []

    def lines(self, width: int, height: int) -> Sequence[Text]:
        """What to show in so many cells."""
        raise NotImplementedError

    def show(self, snapshot: Snapshot) -> None:
        """Show the run as it is now."""
        self.snapshot = snapshot
        self.update()

    def update(self) -> None:
        """Draw again what differs from what is on the screen."""
        if not self.is_attached or not self.size.area:
            return
        before = self._strips
        self._draw()
        if len(before) != len(self._strips):
            self.refresh()
            return
        regions = [
            Region(span[0], y, span[1] - span[0], 1)
            for y, (old, new) in enumerate(zip(before, self._strips, strict=True))
            if (span := changed(old, new))
        ]
        if regions:
            self.refresh(*regions)

    def scroll_lines(self, lines: int) -> None:
        """Move what is seen; for widgets that show more than fits."""
        self.top = max(0, self.top + lines)
        self.update()

    def render_line(self, y: int) -> Strip:
        """One line, as Textual asks for it."""
        if not self._strips:
            self._draw()
        return self._strips[y] if y < len(self._strips) else Strip.blank(self.size.width, self.rich_style)

    def on_resize(self, event: Resize) -> None:
        """Everything is elsewhere."""
        self._strips = []
        self.update()
        self.refresh()

    def notify_style_update(self) -> None:
        """Other colours: everything anew."""
        super().notify_style_update()
        self._strips = []

    def _draw(self) -> None:
        """Make strips of the lines; those that say the same as before are taken over as they are."""
        width, height = self.size
        base = self.rich_style
        texts = list(self.lines(width, height))[:height]
        known = zip(self._texts, self._strips, strict=False) if self._strips else ()
        strips = [
            before[1] if before and _same(before[0], text) else _strip(text, width, base)
            for text, before in zip_longest(texts, list(known)[: len(texts)])
        ]
        self._texts = texts
        self._strips = strips + [Strip.blank(width, base)] * (height - len(strips))


def _same(old: Text, new: Text) -> bool:
    return old is new or (old.plain == new.plain and old.spans == new.spans and old.style == new.style)


def _strip(text: Text, width: int, base: Style) -> Strip:
    text = text.copy()
    text.end = ""
    text.truncate(width, overflow="ellipsis")
    return Strip(list(text.render(_PLAIN))).apply_style(base).adjust_cell_length(width, base)


def changed(old: Strip, new: Strip) -> tuple[int, int] | None:
    """Columns from which and before which two lines differ; None when they are the same."""
    if old is new or old == new:
        return None
    before, after = _cells(old), _cells(new)
    differing = [x for x, (a, b) in enumerate(zip(before, after, strict=False)) if a != b]
    if len(before) != len(after):
        differing.append(max(len(before), len(after)) - 1)
    return (differing[0], differing[-1] + 1) if differing else None


def said(text: object, style: str | Style = "") -> Text:
    """Text from outside on one line: no control characters, no markup, nothing that terminals draw differently."""
    return Text(" ".join(_safe(str(text), _LINE).split()), style=style, no_wrap=True, end="")


def paragraphs(text: object, style: str | Style = "") -> Text:
    """The same with its line breaks, for a page; of what is too long for any page the beginning, and how long it is."""
    return Text(_safe(str(text), _PAGE).expandtabs(4), style=style)


def _safe(text: str, most: int) -> str:
    # Cut first: a model's answer may have a million characters, and the screen waits for each.
    if len(text) > most:
        text = f"{text[:most]}… ({len(text):,} characters)"
    return tamed(clean(text))


def styled(text: str, style: str) -> Text:
    """Text of which only this much has the style, whatever is appended to it."""
    return Text(no_wrap=True, end="").append(text, style)


def fitted(text: Text, width: int) -> Text:
    """Cut or filled to ``width`` cells, also where characters take two."""
    text = text.copy()
    text.truncate(max(width, 0), overflow="ellipsis", pad=True)
    return text


def wrapped(text: Text, width: int) -> list[Text]:
    """Broken at words into lines of ``width`` cells."""
    if not text.plain:
        return []
    return list(text.wrap(_PLAIN, max(width, 1), no_wrap=False))


def _cells(strip: Strip) -> list[tuple[str, Style | None]]:
    cells: list[tuple[str, Style | None]] = []
    for segment in strip:
        text = segment.text
        if text.isascii():
            cells.extend((character, segment.style) for character in text)
            continue
        for start, end, width in split_graphemes(text)[0]:
            cells.append((text[start:end], segment.style))
            # The second half of a wide character changes with it.
            cells.extend([(text[start:end] + "+", segment.style)] * (width - 1))
    return cells
