"""How often a research loop without a zoom-out stays where it is: counted in recorded nights of others.

Of each night's changes, in order, the category is told by the words of its description (`runner.replay.words`); changes
of the seed alone are left out. Two things are counted: how often the next change is of the same category, where the
words of both say one; and how many changes to another category, after the first `EARLY` experiments and across those
whose words say none, open one that was never tried before.

The third night is the study's. Its record is not public, but what it says of itself is enough for the second count: of
50 experiments it noted "probe LoRA" at the 11th and never did, so that its last 39 opened neither adapter nor data.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from runner.replay.read import read_history
from runner.replay.words import SEED, category_of_words

FOLDER = Path(os.environ.get("PUBLISHED_HISTORIES", Path(__file__).parents[3] / "shared" / "data" / "histories"))
"""PUBLISHED_HISTORIES names the folder of the recorded nights."""

NIGHTS = ("karpathy_h100.tsv", "loop_116_rows.tsv")

EARLY = 11
"""Experiments in which a loop finds its feet; the study noted what it never did at the eleventh."""

STUDY = 50 - EARLY
"""Experiments of the study after that."""


@dataclass(frozen=True, slots=True)
class Counted:
    """What was counted."""

    stayed: int
    pairs: int
    """Two changes in a row whose categories are both known."""

    opened: int
    moved: int
    """Changes to another category after the first ``EARLY`` experiments."""

    def __add__(self, other: Counted) -> Counted:
        return Counted(
            self.stayed + other.stayed,
            self.pairs + other.pairs,
            self.opened + other.opened,
            self.moved + other.moved,
        )

    @property
    def stay(self) -> float:
        """Probability that the next change is of the same category."""
        return self.stayed / self.pairs

    @property
    def open(self) -> float:
        """Probability that one of another category opens one that was never tried; the study's moves are counted."""
        return self.opened / (self.moved + self.study_moves)

    @property
    def study_moves(self) -> float:
        """Moves that the study made after its first ``EARLY`` experiments, if it stayed as often; none opened one."""
        return STUDY * (1 - self.stay)


KNOWN = {"karpathy_h100.tsv": Counted(46, 113, 2, 63), "loop_116_rows.tsv": Counted(16, 56, 1, 48)}
"""As counted, for where the files are not at hand."""


def counted(name: str) -> tuple[Counted, bool]:
    """What a recorded night says, and whether it was counted anew."""
    if not (FOLDER / name).is_file():
        return KNOWN[name], False
    history = read_history(FOLDER / name, "val_bpb", False)
    changes = [one.description for one in history.entries[1:] if not SEED.search(one.description)]
    return count([category_of_words(each) for each in changes]), True


def count(categories: list[str | None]) -> Counted:
    """Count in a night, by the category of each change in order; None where it is not known."""
    pairs = [(one, other) for one, other in pairwise(categories) if one and other]
    return Counted(sum(one == other for one, other in pairs), len(pairs), *_openings(categories))


def _openings(categories: list[str | None]) -> tuple[int, int]:
    moves = list(_moves(categories))
    return sum(moves), len(moves)


def _moves(categories: list[str | None]) -> Iterator[bool]:
    """For each move after the first ``EARLY`` experiments: whether it opened a category."""
    tried, last = {each for each in categories[:EARLY] if each}, ""
    for category in categories[EARLY - 1 :]:
        if category is None:
            continue
        if last and category != last:
            yield category not in tried
        tried.add(category)
        last = category
