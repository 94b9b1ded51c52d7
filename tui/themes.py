"""Night and day, sixteen colours and none: what the colours that things are drawn in become on a terminal.

Everything is drawn in the colours of ``tui.signs``, which are those of the night, and translated here, in one place,
on its way to the terminal.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache

from rich.color import Color as RichColor
from rich.color import ColorSystem
from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.filter import LineFilter
from textual.theme import Theme

from tui.signs import BLUE, BRIGHT, CURSOR, DIM, FAINT, GREEN, GREY, ORANGE, PINK, RED, YELLOW

BY_DAY = {
    BLUE: "#005cc5", ORANGE: "#a34800", GREEN: "#006e4e", RED: "#a5002a", PINK: "#b0208f", YELLOW: "#423b00",
    BRIGHT: "#0b0f14", GREY: "#555e68", DIM: "#737c86", FAINT: "#949da6", CURSOR: "#d9e8f5",
}  # fmt: skip
"""The colours by day: the same hues, dark enough to be read on a light ground."""


def _theme(name: str, colour: Callable[[str], str], foreground: str, grounds: tuple[str, str, str]) -> Theme:
    background, panel, surface = grounds
    return Theme(
        name=name, primary=colour(BLUE), secondary=colour(GREY), accent=colour(ORANGE), foreground=foreground,
        background=background, surface=surface, panel=panel, success=colour(GREEN), warning=colour(YELLOW),
        error=colour(RED), dark=name == "night",
        variables={
            "block-cursor-background": colour(CURSOR), "block-cursor-foreground": colour(BRIGHT),
            "block-cursor-blurred-background": colour(CURSOR), "block-cursor-blurred-foreground": colour(BRIGHT),
            "input-cursor-background": foreground, "input-cursor-foreground": background,
            "input-selection-background": colour(CURSOR), "border": colour(BLUE), "border-blurred": surface,
            "scrollbar": colour(FAINT), "scrollbar-hover": colour(GREY), "scrollbar-active": colour(BLUE),
            "scrollbar-background": background, "scrollbar-corner-color": background,
        },
    )  # fmt: skip


NIGHT = _theme("night", str, "#cfd6de", ("#10151b", "#1a222c", "#3a4654"))
DAY = _theme("day", lambda colour: BY_DAY[colour], "#24292f", ("#fbfaf7", "#eceae4", "#b4bac1"))
THEMES = (NIGHT, DAY)

_BLACK, _WHITE, _BRIGHT_BLACK, _BRIGHT_WHITE = 0, 7, 8, 15

_SIXTEEN = {
    NIGHT.name: {
        BLUE: 14, ORANGE: 11, GREEN: 10, RED: 9, PINK: 13, YELLOW: 11, BRIGHT: _BRIGHT_WHITE, GREY: _WHITE,
    },
    DAY.name: {BLUE: 4, ORANGE: 1, GREEN: 4, RED: 1, PINK: 5, YELLOW: _BLACK, BRIGHT: _BLACK, GREY: _BLACK},
}  # fmt: skip
"""By theme the ANSI colours that can be read on its ground in the palettes of the Linux console and of xterm: the
nearest ones cannot (grey becomes black, blue is too dark on black)."""

_IN_256 = {
    "#10151b": 233, "#1a222c": 235, "#3a4654": 239, CURSOR: 236,
    "#fbfaf7": 231, "#eceae4": 255, "#b4bac1": 250, BY_DAY[CURSOR]: 254, BY_DAY[ORANGE]: 94,
}  # fmt: skip
"""Grounds as shades of grey: the nearest of the 256 are teal by night and pink by day, and that of the orange is too
light to be read."""


def theme_for(environment: Mapping[str, str]) -> Theme:
    """Night, unless the terminal says that its ground is light (``COLORFGBG``, as rxvt and Konsole set it)."""
    ground = environment.get("COLORFGBG", "").rpartition(";")[2]
    return DAY if ground in ("7", "15") else NIGHT


class Colours(LineFilter):
    """Translates the colours of each style; a style is translated once."""

    def __init__(self, translate: Callable[[Style], Style]) -> None:
        super().__init__()
        self._translate = lru_cache(maxsize=1024)(translate)

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """The same text in other colours."""
        return [
            Segment(text, self._translate(style), control) if style else Segment(text, style, control)
            for text, style, control in segments
        ]


def colours_for(theme: str, system: ColorSystem | None, coloured: bool) -> list[LineFilter]:
    """The translations for a theme, on a terminal of so many colours, for a person who wants colours or none."""
    if not coloured:
        return [Colours(_without)]
    filters: list[LineFilter] = [Colours(_by_day)] if theme == DAY.name else []
    if system is ColorSystem.EIGHT_BIT:
        filters.append(Colours(_in_256))
    if system is ColorSystem.STANDARD:
        filters.append(Colours(_in_sixteen(theme)))
    return filters


def _by_day(style: Style) -> Style:
    return style + Style(color=_day_of(style.color), bgcolor=_day_of(style.bgcolor))


def _day_of(colour: RichColor | None) -> str | None:
    return BY_DAY.get(_hex(colour)) if colour else None


def _in_256(style: Style) -> Style:
    hue, ground = _IN_256.get(_hex(style.color)), _IN_256.get(_hex(style.bgcolor))
    return style + Style(color=_ansi(hue) if hue else None, bgcolor=_ansi(ground) if ground else None)


def _without(style: Style) -> Style:
    """No colour at all: what is faint is dim, and where the cursor stands is reversed."""
    reverse, dim = _hex(style.bgcolor) in _MARKING or None, _hex(style.color) in _FAINTEST or None
    return style + Style(color="default", bgcolor="default", reverse=reverse, dim=dim)


def _in_sixteen(theme: str) -> Callable[[Style], Style]:
    ink, paper = (_WHITE, _BLACK) if theme == NIGHT.name else (_BLACK, _BRIGHT_WHITE)

    def translated(style: Style) -> Style:
        hue, ground = _hex(style.color), _hex(style.bgcolor)
        if ground in _MARKING:
            return style + Style(color=_ansi(paper), bgcolor=_ansi(ink))
        number = _BRIGHT_BLACK if hue in _FAINTEST else _SIXTEEN[theme].get(_NIGHT_OF.get(hue, hue), ink)
        return style + Style(color=_ansi(number), bgcolor=_ansi(paper))

    return translated


def _ansi(number: int) -> str:
    return f"color({number})"


def _hex(colour: RichColor | None) -> str:
    return colour.triplet.hex if colour and colour.triplet else ""


_NIGHT_OF = {day: night for night, day in BY_DAY.items()}

_MARKING = {*BY_DAY, *BY_DAY.values(), *(theme.foreground for theme in THEMES)}
"""Colours that as a ground mark something: a cursor, the thumb of a scrollbar."""

_FAINTEST = {DIM, FAINT, BY_DAY[DIM], BY_DAY[FAINT], *(theme.surface for theme in THEMES)}
