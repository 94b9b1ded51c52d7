"""Help: every key and every sign, from the tables that bind and draw them."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tui.keys import ACTIONS
from tui.screens.page import Page
from tui.signs import BLUE, BRIGHT, STATES

_IDEA = (
    "One experiment changes one thing. While one trains, the one before is uploaded and judged, the one before that is"
    " analyzed. A candidate that voters clearly prefer to the champion is kept and becomes champion."
)

_NUMBERS = (
    ("win%", "share of the decisive votes for the candidate against its opponent"),
    ("±", "the wider side of Wilson's 95 % interval"),
    ("plot", "win rate against the reference from all votes of the run, with 95 % intervals; the line joins the keeps"),
    ("Δloss", "last training loss less that of the champion it was built on"),
)


def help_page() -> Page:
    """The page."""
    keys = [(Text(action.shown, f"bold {BRIGHT}"), action.help) for action in ACTIONS]
    keys.append((Text("Tab", f"bold {BRIGHT}"), "Next panel"))
    signs = [(Text(sign.mark, f"bold {sign.colour}"), sign.word) for sign in STATES.values()]
    numbers = [(Text(name, f"bold {BRIGHT}"), meaning) for name, meaning in _NUMBERS]
    parts: list[RenderableType] = [Text(_IDEA)]
    for title, entries in (("Keys", keys), ("Signs", signs), ("Numbers", numbers)):
        parts += [Text(f"\n{title}", f"bold {BLUE}"), _table(entries)]
    return Page(Text("Help"), Group(*parts))


def _table(entries: Sequence[tuple[Text, str]]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(width=7, no_wrap=True)
    table.add_column(ratio=1)
    for name, meaning in entries:
        table.add_row(name, Text(meaning))
    return table
