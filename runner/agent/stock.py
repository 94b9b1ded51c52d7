"""What comes of taking stock, and what the program itself counts of it: what was tried, what never was."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from checkpoints import writes
from checkpoints.records import Level
from checkpoints.thought import Idea
from runner.agent.memory import ZOOM_OUT, Tried

if TYPE_CHECKING:
    from sqlite_utils import Database


@dataclass(frozen=True, slots=True)
class Stock:
    """A step outside the frame, as whoever proposes takes it."""

    text: str
    """For a person, who reads it as it is."""

    categories: tuple[str, ...]
    """The next proposals must come from these; empty where nothing is left."""

    directions: tuple[Idea, ...] = ()
    """What to try there; each is written down as a belief that nobody has tested yet."""

    instead: str = ""
    """Why the playbook took it in the place of a language model; empty where it did not."""


def keep_stock(db: Database, trigger: str, steering: str, stock: Stock) -> int:
    """Write a zoom-out down, and its directions as open hypotheses; returns its number."""
    directions = [idea.text for idea in stock.directions]
    number = writes.add_zoom_out(db, trigger, steering, stock.text, stock.categories, directions)
    for idea in stock.directions:
        writes.add_hypothesis(db, idea.text, idea.category, source=ZOOM_OUT)
    if stock.instead:
        writes.event(db, Level.WARNING, "zoom-out", f"the playbook took stock: {stock.instead}")
    return number


def keep_own_stock(db: Database, trigger: str, stock: Stock, zoom_outs: int) -> None:
    """Write a zoom-out down that nobody asked for; not where another has come since it was begun: that saw more.

    Args:
        zoom_outs: How many there were when it was begun.
    """
    if writes.count_zoom_outs(db) == zoom_outs:
        keep_stock(db, trigger, "", stock)


def counted(tried: tuple[Tried, ...], trigger: str, steering: str) -> list[str]:
    """What the program counts: experiments by category and by what became of them, a line each."""
    lines = [f"Taking stock after {len(tried)} experiments ({trigger})."]
    if steering:
        lines.append(f"Asked to look at: {steering}")
    return lines + [_line(category, tried) for category in dict.fromkeys(one.category for one in tried)]


def _line(category: str, tried: tuple[Tried, ...]) -> str:
    outcomes = Counter(str(one.outcome or "under way") for one in tried if one.category == category)
    return f"{category}: " + ", ".join(f"{count} {outcome}" for outcome, count in outcomes.items())
