"""A text of several sections within so many tokens: what is longer than its share loses its least telling lines.

Each section keeps its lines in the order of their rank and sums up the rest, so that nothing goes without a word.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Generic, TypeAlias, TypeVar

from runner.agent.tokens import tokens

VITAL = 0.6
"""Share of the tokens that vital sections may take from the others."""

_HEADING = 4
"""Tokens of what stands around a title: its mark, the ends of its line and of the section."""

T = TypeVar("T")

Rank: TypeAlias = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Draft(Generic[T]):
    """A section as it would be with room for all of it."""

    title: str
    things: Sequence[T]
    """What it tells of, a line each, in the order in which they are shown."""

    say: Callable[[T], str]
    """The line of a thing; called for those only that there may be room for."""

    share: float
    """Of the tokens, beside the shares of the others."""

    sum_up: Callable[[Sequence[T]], list[str]]
    """Says in a few lines what was left out."""

    rank: Callable[[T], Rank] | None = None
    """The things of the lowest ranks stay longest; without it the first ones do."""

    first: str = ""
    """A line above all others, which stays."""

    vital: bool = False
    """Among the last to go."""


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the memory as it is handed over."""

    title: str
    lines: tuple[str, ...]
    tokens: int
    """Of the whole section, by estimate."""

    def __str__(self) -> str:
        return "\n".join((f"## {self.title}", *self.lines))


def fit(drafts: Sequence[Draft[Any]], budget: int) -> tuple[Section, ...]:
    """The sections, none of them longer than its share, all together within the budget.

    A share that is not used up goes to the others. The vital ones are served first, but for what the others need of
    ``1 - VITAL``.

    Args:
        drafts: In the order in which they are shown; those that have nothing to say are left out.
        budget: Most tokens, by estimate.
    """
    told = [_Told(draft, budget) for draft in drafts if draft.things or draft.first]
    vital = [one for one in told if one.draft.vital]
    others = [one for one in told if not one.draft.vital]
    spared = min(sum(one.need for one in others), int(budget * (1 - VITAL)))
    _pour(budget - spared, vital)
    _pour(budget - sum(min(one.room, one.need) for one in vital), others)
    return tuple(section for one in told if (section := one.section()))


class _Told:
    """A draft on its way to a section."""

    def __init__(self, draft: Draft[Any], most: int) -> None:
        self.draft = draft
        self.room = 0
        self._line = cache(self._said)
        self._above = (draft.first,) if draft.first else ()
        self._least = tokens(draft.title) + _HEADING + sum(map(_cost, self._above))
        self.need = self._needed(most)
        """Tokens of it with all its lines, or more than there can be."""

    def section(self) -> Section | None:
        """As much of it as there is room for; None where that is nothing."""
        if self.need <= self.room:
            return self._section(range(len(self.draft.things)))
        kept = self._telling()
        while kept and self._section(kept).tokens > self.room:
            kept.pop()
        section = self._section(kept)
        while section.lines and section.tokens > self.room:
            less = section.tokens - _cost(section.lines[-1])
            section = Section(section.title, section.lines[:-1], less)
        return section if section.lines else None

    def _said(self, place: int) -> tuple[str, int]:
        """The line of a thing, with its tokens."""
        line = self.draft.say(self.draft.things[place])
        return line, _cost(line)

    def _needed(self, most: int) -> int:
        needed = self._least
        for place in range(len(self.draft.things)):
            needed += self._line(place)[1]
            if needed > most:
                return most + 1
        return needed

    def _telling(self) -> list[int]:
        """Places of the things that there is room for beside a sum of all things, the most telling first."""
        things, rank = self.draft.things, self.draft.rank
        order = range(len(things)) if rank is None else sorted(range(len(things)), key=lambda at: rank(things[at]))
        used, kept = self._section(()).tokens, list[int]()
        for place in order:
            used += self._line(place)[1]
            if used > self.room:
                break
            kept.append(place)
        return kept

    def _section(self, kept: Sequence[int]) -> Section:
        """The section with some of its things, and what sums up the rest."""
        places = set(kept)
        lines = [self._line(place) for place in sorted(places)]
        if len(places) < len(self.draft.things):
            rest = [thing for place, thing in enumerate(self.draft.things) if place not in places]
            lines += [(line, _cost(line)) for line in self.draft.sum_up(rest)]
        texts = (*self._above, *(line for line, _ in lines))
        return Section(self.draft.title, texts, self._least + sum(cost for _, cost in lines))


def _cost(line: str) -> int:
    return tokens(line) + 1


def _pour(budget: int, told: Sequence[_Told]) -> None:
    """Room for each, by their shares; what one does not need goes to those that need more."""
    thirsty: list[_Told] = list(told)
    left = budget
    while thirsty:
        shares = sum(one.draft.share for one in thirsty)
        for one in thirsty:
            one.room = int(left * one.draft.share / shares)
        full = [one for one in thirsty if one.need <= one.room]
        if not full:
            return
        for one in full:
            one.room = one.need
            left -= one.need
        thirsty = [one for one in thirsty if one not in full]
