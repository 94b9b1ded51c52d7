"""Characters that a terminal can be trusted with: one width everywhere, and ASCII where the locale has no Unicode."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from rich.cells import cell_len, get_character_cell_size
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

from checkpoints.text import clean

_JOINED = re.compile("\u200d[\u2190-\u2bff\U0001f000-\U0001faff]\ufe0f?")
"""What is joined to an emoji before it: one terminal draws one picture, the next draws all of them side by side."""

_MARK = "[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]"
_HEAPED = re.compile(f"({_MARK}{{2}}){_MARK}+")
"""More marks on one letter than any language has."""

_LAID_ON = re.compile("[\u115f\u1160\u3164\uffa0\u20dd-\u20e4\U0001f3fb-\U0001f3ff]")
"""Frames around a letter, tones of a skin and fillers, which some terminals give cells of their own."""

_VARIANTS = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]")
_FLAG, _LETTER_A = range(0x1F1E6, 0x1F200), ord("A")

_RIGHT_TO_LEFT = "\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff\U00010800-\U00010fff\U0001e800-\U0001efff"
_RUN = re.compile(f"[{_RIGHT_TO_LEFT}](?:[^A-Za-z]*[{_RIGHT_TO_LEFT}])?")
_LEFT_TO_RIGHT_MARK = "\u200e"

_ASCII = {
    **dict(zip("·▶▷▲△◆◇●○◐×⊘–⏸■⚠▴", ".>)^A%&*o~xV-=#!^", strict=True)),
    **dict(zip("✓✗◷↗▸▹❯⏎↑↓←→✎⚑±Δ∆—…≤≥≈“”‘’„°−•▾▼◂◀√∞", '+x~Z>>><^v<>/P~dd-.<>~""\'\'"o-*vv<</8', strict=True)),
    **dict(zip("⇧␣≡", "S_=", strict=True)),
    **dict.fromkeys("─╌┄┈", "-"),
    **dict.fromkeys("│┆┊╎", "|"),
    **dict.fromkeys("┌┐└┘├┤┬┴┼╭╮╯╰", "+"),
    **dict.fromkeys("━╍┅┉═", "="),
    **dict.fromkeys("┃╏┇┋║┏┓┗┛┣┫┳┻╋╔╗╚╝", "#"),
    **dict.fromkeys("▁▂▃", "_"),
    **dict.fromkeys("▔▀", '"'),
    **dict.fromkeys("▏▎▕", "|"),
    **dict.fromkeys("▄▅▆▇█▉▊▋▐", "#"),
    **dict.fromkeys("▌▍", "="),
    **dict.fromkeys("░▒▓", ":"),
}
"""What stands for our own signs and lines; the signs of the states stay different from each other."""


def speaks_unicode(environment: Mapping[str, str]) -> bool:
    """Whether the person's locale has Unicode; one that says nothing has, as for Python itself.

    The Linux console has not, whatever the locale says: its fonts hold 512 characters, and few of ours.
    """
    if environment.get("TERM") == "linux":
        return False
    locale = next((value for name in ("LC_ALL", "LC_CTYPE", "LANG") if (value := environment.get(name))), "")
    charset = locale.partition("@")[0].rpartition(".")[2].lower().replace("-", "")
    return not locale or charset == "utf8"


def started_with(environment: Mapping[str, str]) -> Mapping[str, str]:
    """The environment that the process was given; Python itself may since have put UTF-8 into it (PEP 538)."""
    try:
        given = Path("/proc/self/environ").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return environment
    return dict(entry.split("=", 1) for entry in given.split("\0") if "=" in entry)


def tamed(text: str) -> str:
    """Text of which every terminal thinks that it is equally wide.

    Terminals disagree about joined emoji, flags, tones and variants, and where they do, all that follows on the line
    stands in the wrong place. What is left is the first emoji of those joined, a flag's letters, and letters with
    their accents. Newlines and tabs stay.
    """
    if text.isascii():
        return text
    text = _JOINED.sub("", unicodedata.normalize("NFC", text))
    text = _HEAPED.sub(r"\1", _LAID_ON.sub("", _VARIANTS.sub("", text)))
    return "".join(character if character.isprintable() else _stands_for(character) for character in _flags(text))


def _flags(text: str) -> str:
    if not any(ord(character) in _FLAG for character in set(text)):
        return text
    return "".join(chr(_LETTER_A + ord(c) - _FLAG.start) if ord(c) in _FLAG else c for c in text)


def _stands_for(character: str) -> str:
    """What is drawn for a character that has no picture of its own."""
    if character in "\n\t":
        return character
    match unicodedata.category(character):
        case "Zs":
            return " "
        case "Zl" | "Zp":
            return "\n"
        case "Cf" | "Cc":
            return ""
        case _:
            return "\ufffd"


def isolated(text: str) -> str:
    """Text in which what runs from right to left cannot take along what stands beside it on the line.

    A terminal that orders text by itself would else draw the number after an Arabic word on its left. Of the marks
    that prevent this, the plain left-to-right mark is the one that all terminals know to be of no width; isolates are
    drawn by some as a cell of their own.
    """
    return _RUN.sub(lambda run: f"{_LEFT_TO_RIGHT_MARK}{run[0]}{_LEFT_TO_RIGHT_MARK}", text)


@lru_cache(maxsize=4096)
def in_ascii(text: str) -> str:
    """The same in ASCII, as wide: our own signs by what stands for them, letters without accents, else ``?``."""
    width = cell_len(text)
    return "".join(map(_ascii, text))[:width].ljust(width)


@lru_cache(maxsize=1024)
def _ascii(character: str) -> str:
    if character.isascii():
        return character
    width = get_character_cell_size(character)
    if "\u2800" <= character <= "\u28ff":
        return _dots(ord(character) - 0x2800)
    letter = unicodedata.normalize("NFKD", character)[:1]
    return _ASCII.get(character, letter if letter.isascii() and letter.isprintable() else "?" * width)[:width].ljust(
        width
    )


def _dots(dots: int) -> str:
    """A character for the dots of a braille cell, by their height."""
    top, middle, bottom = dots & 0b00001001, dots & 0b00110110, dots & 0b11000000
    return {(0, 0, 0): " ", (1, 0, 0): "'", (0, 1, 0): "-", (0, 0, 1): "."}.get(
        (bool(top), bool(middle), bool(bottom)), ":"
    )


class Characters(LineFilter):
    """Sends what the terminal can draw."""

    def __init__(self, unicode: bool) -> None:
        super().__init__()
        self._drawn = isolated if unicode else in_ascii

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Segments as wide as before."""
        return [self._sent(segment) if not segment.control else segment for segment in segments]

    def _sent(self, segment: Segment) -> Segment:
        text = segment.text
        if text.isprintable() and text.isascii():
            return segment
        # Whatever was forgotten before, nothing gives orders to the terminal.
        text = clean(text)
        return Segment(text if text.isascii() else self._drawn(text), segment.style)
