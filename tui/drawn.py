"""A screen as it was drawn: its SVG so that it looks the same anywhere, and its text."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass

from rich.cells import cell_len

FONTS = "Menlo, Consolas, 'DejaVu Sans Mono', 'Liberation Mono', monospace"

_CELL = 12.2
"""Width of a cell in Rich's picture of a terminal."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A screen as it was seen."""

    svg: str
    """Fetches nothing: where its fonts are missing, the reader's own monospaced one takes their place."""

    text: str
    """The same without colours, a line a row."""


def drawn(svg: str) -> Picture:
    """The picture of a terminal that Rich has drawn."""
    return Picture(_at_home_anywhere(svg), _text(svg))


def _at_home_anywhere(svg: str) -> str:
    """Without fonts from elsewhere, and with spaces that stay."""
    svg = re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL)
    svg = svg.replace("font-size: 20px;", "font-size: 20.25px;")  # Menlo's and DejaVu's cells are a hair narrower
    svg = re.sub(r"font-family: (Fira Code, monospace|arial);", f"font-family: {FONTS};", svg)
    return svg.replace("<text ", '<text xml:space="preserve" ')


def _text(svg: str) -> str:
    """The lines of a picture by Rich, in which each piece stands at its place."""
    rows: dict[float, list[tuple[int, str]]] = {}
    for x, y, piece in re.findall(r'<text class="\S+-r\d+" x="([\d.]+)" y="([\d.]+)"[^>]*>(.*?)</text>', svg):
        rows.setdefault(float(y), []).append((round(float(x) / _CELL), html.unescape(piece).replace("\xa0", " ")))
    return "".join(f"{_joined(sorted(row))}\n" for _, row in sorted(rows.items()))


def _joined(pieces: list[tuple[int, str]]) -> str:
    line = ""
    for column, piece in pieces:
        line += " " * (column - cell_len(line)) + piece
    return line.rstrip()
