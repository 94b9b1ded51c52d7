"""Which lines an edit takes away and brings, however it is written, and whether one makes all that another does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from lanes.script.edits import Edit


@dataclass(frozen=True, slots=True)
class Moved:
    """Lines of one file, in their order, without blank ones and without the blanks at their ends."""

    gone: tuple[str, ...]
    come: tuple[str, ...]

    def holds(self, other: Moved) -> bool:
        """Whether all that goes and comes with another edit goes and comes with this one."""
        some = bool(other.gone or other.come)
        return some and Counter(other.gone) <= Counter(self.gone) and Counter(other.come) <= Counter(self.come)


def moved(before: str, after: str) -> Moved:
    """What an edit moves that makes one text of another."""
    old, new = ([line.rstrip() for line in text.splitlines() if line.strip()] for text in (before, after))
    gone, come = list[str](), list[str]()
    for kind, start, end, from_, to in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind != "equal":
            gone += old[start:end]
            come += new[from_:to]
    return Moved(tuple(gone), tuple(come))


def moved_by(edits: Sequence[Edit]) -> Moved:
    """What blocks move by themselves, where the text that they were made for is no longer there."""
    each = [moved(edit.search, edit.replace) for edit in edits]
    return Moved(tuple(line for one in each for line in one.gone), tuple(line for one in each for line in one.come))
