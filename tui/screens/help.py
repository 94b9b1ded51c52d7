"""Help: every key and every sign, from the tables that bind and draw them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from checkpoints.records import Lane
from tui.keys import ACTIONS, Action
from tui.reach import group_of
from tui.screens.arena import VOTING
from tui.screens.ask import ASKING, PICKING
from tui.screens.detail import MOVING
from tui.screens.exchanges import TURNING
from tui.screens.memory import NOTING
from tui.screens.page import BY_SECTION, READING, Page
from tui.screens.ranking import RANKING
from tui.screens.report import REPORTING
from tui.screens.tree import CLIMBING
from tui.signs import BLUE, BRIGHT, STATES
from tui.widgets.experiments import STEPPED_IN

_IDEA = (
    "One experiment changes one thing. While one trains, the one before is uploaded and judged, the one before that is"
    " analyzed. A candidate that voters clearly prefer to the champion is kept and becomes champion."
)

_LANES = {
    Lane.TRAIN: "binds the change to the champion's recipe and trains it",
    Lane.UPLOAD: "publishes what was trained, whole or not at all",
    Lane.EVALUATE: "has both models answer, and people or a metric judge blind",
    Lane.ANALYZE: "draws the verdict, ranks the models, settles the hypothesis",
}

_NUMBERS = (
    ("win%", "share of the decisive votes for the candidate against its opponent; ties are set aside"),
    ("±", "the wider side of the 95 % interval (Wilson's for win%); while votes come in, half of the one of any time"),
    ("any time", "the 95 % interval that holds however often one looks"),
    ("e-value", "how strongly the votes so far speak against luck; the verdict rests on it, not on an interval"),
    ("shrunken", "the win rate with 100 even votes added: what is kept was lucky, too"),
    (
        "plot",
        "win rate against the reference by all votes until the verdict fell, with its 95 % interval; the line joins the"
        " keeps",
    ),
    ("Elo", "the ranking after the newest verdict, on another scale; the reference has 1000"),
    ("sim.", "simulated voters judge: that is no word of people"),
    (STEPPED_IN, "after an experiment's number: the playbook proposed it, as the agent could not be asked"),
    ("Δloss", "last training loss less that of the champion it was built on"),
)

_STEERING = (("v u …", "What steers the run applies to this experiment"),)

_DIALOGUES = (
    ("↑ ↓ j k", "Another choice"),
    ("⏎", "Go on with it; where words are asked for, send them"),
    ("Esc", "Leave it, nothing was done"),
)


def help_page() -> Page:
    """The page."""
    return Page(Text("Help"), Group(*list(_parts())[:-1]))


def _parts() -> Iterator[RenderableType]:
    yield from (Text(_IDEA), Text())
    groups: dict[str, list[Action]] = {}
    for action in ACTIONS:
        groups.setdefault(group_of(action), []).append(action)
    for title, actions in groups.items():
        yield from _section(title, _keys(actions))
    yield from _section("On a page", _keys(READING))
    yield from _section("On a page of several sections", _keys(BY_SECTION))
    yield from _section("On an experiment's page", [*_keys(MOVING), *_named(_STEERING)])
    yield from _section("On the tree", _keys(CLIMBING))
    yield from _section("On the memory", _keys(NOTING))
    yield from _section("Asking the agent", [*_keys(ASKING), *_keys(PICKING)])
    yield from _section("On the agent's exchanges", _keys(TURNING))
    yield from _section("On the report", _keys(REPORTING))
    yield from _section("On the ranking", _keys(RANKING))
    yield from _section("In the arena", _keys(VOTING))
    yield from _section("In a dialogue", _named(_DIALOGUES))
    yield from _section("Signs", ((Text(sign.mark, f"bold {sign.colour}"), sign.word) for sign in STATES.values()))
    yield from _section("Lanes", _named((str(lane), what) for lane, what in _LANES.items()))
    yield from _section("Numbers", _named(_NUMBERS))


def _section(title: str, entries: Iterable[tuple[Text, str]]) -> Iterator[RenderableType]:
    yield Text().append(title, f"bold {BLUE}")
    yield _table(list(entries))
    yield Text()


def _keys(actions: Iterable[Action]) -> Iterator[tuple[Text, str]]:
    return _named((action.shown or "^p", action.help) for action in actions)


def _named(entries: Iterable[tuple[str, str]]) -> Iterator[tuple[Text, str]]:
    return ((Text(name, f"bold {BRIGHT}"), meaning) for name, meaning in entries)


def _table(entries: Sequence[tuple[Text, str]]) -> Table:
    table = Table.grid(padding=(0, 1))
    table.add_column(width=9, no_wrap=True)
    table.add_column(ratio=1)
    for name, meaning in entries:
        table.add_row(name, Text(meaning))
    return table
