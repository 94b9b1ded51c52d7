"""All experiments of a run, kept in hand: once they were read, only those that were written to are read again."""

from __future__ import annotations

import asyncio
import gc
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from checkpoints.reader import Reader
from checkpoints.records import Row

MANY = 100
"""Experiments written to since the last look from which all are read in one go."""


class Rows:
    """The experiments as whoever decides in an event loop needs them: all of them, and at once."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._mark = 0
        self._rows: tuple[Row, ...] = ()

    async def look(self) -> tuple[int, tuple[Row, ...]]:
        """Experiments by number, without their recipes, and the mark up to which they are as the store has them."""
        mark, numbers = self._reader.touched(self._mark)
        if numbers and all_anew(self._rows, numbers):
            rows = await asyncio.to_thread(_read, self._reader.folder)
        else:
            rows = renewed(self._reader, self._rows, numbers)
        self._mark, self._rows = mark, rows
        return mark, rows


def all_anew(before: tuple[Row, ...], numbers: list[int]) -> bool:
    """Whether it takes less time to read all than those of the given numbers."""
    return not before or len(numbers) > MANY


def renewed(reader: Reader, before: tuple[Row, ...], numbers: list[int]) -> tuple[Row, ...]:
    """All rows, those of the given numbers, which are in order, read anew; the same tuple where there are none."""
    if not numbers:
        return before
    if all_anew(before, numbers):
        return _all(reader)
    rows = list(before)
    for number in numbers:
        rows[number : number + 1] = [reader.row(number)]
    without = set(numbers)
    for number in numbers:
        rows[number] = replace(rows[number], contains=_contained(rows, number, without))
    return tuple(rows)


def _contained(rows: list[Row], number: int, without: set[int]) -> frozenset[int]:
    """What an experiment's recipe contains, where some rows do not have it yet.

    A parent may have the higher number: it was kept while the other one waited.
    """
    parent = rows[number].experiment.parent
    if parent is None:
        return frozenset()
    return (_contained(rows, parent, without) if parent in without else rows[parent].contains) | {parent}


def _read(folder: Path) -> tuple[Row, ...]:
    """All rows, by a reader of this thread's own."""
    with closing(Reader(folder)) as reader:
        return _all(reader)


def _all(reader: Reader) -> tuple[Row, ...]:
    rows = tuple(reader.rows(recipes=False))
    # None of this is garbage, and to look through ten thousand for some stops the screen for a tenth of a second.
    gc.freeze()
    return rows
