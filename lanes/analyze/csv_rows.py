"""Rows of a CSV file that may be broken in places: the good ones with their line numbers, a complaint for each bad."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from operator import itemgetter
from pathlib import Path

from checkpoints.text import clean

SHOWN = 100
"""Complaints that are kept; of more only their number."""

LONGEST = 40
"""Characters of a wrong value that are quoted."""


class Unreadable(Exception):
    """Nothing in the file can be used; the message says which file, why, and what to do."""


class Complaints:
    """One line for each row that could not be used."""

    def __init__(self, path: Path) -> None:
        self._name = path.name
        self.lines: list[str] = []
        self.number = 0

    def add(self, line: int, what: str) -> None:
        """Say what is wrong with the row that begins on a line, counted from 1."""
        self.number += 1
        if self.number <= SHOWN:
            self.lines.append(f"{clean(self._name)} line {line}: {what}")

    def said(self) -> list[str]:
        """All lines, and how many there would be more."""
        more = self.number - len(self.lines)
        return [*self.lines, f"and {more:,} more rows"] if more else self.lines


def read_rows(
    path: Path, needed: Sequence[str], also: Sequence[str], complaints: Complaints
) -> tuple[frozenset[str], Iterator[tuple[int, Sequence[str]]]]:
    """Open a file with a header.

    Args:
        path: UTF-8, with or without a byte order mark, or UTF-16 with one.
        needed: columns that must be there.
        also: columns that may be.
        complaints: gets a line for each row with too few or too many values.

    Returns:
        Which columns are there; and the number of the line and the values of the needed and the other columns, empty
        where there is no such column.

    Raises:
        Unreadable: no file, no header, or a column is missing.
    """
    lines = io.StringIO(_text(path), newline="").readlines()
    header = [name.strip().lower() for name in next(csv.reader(lines[:1]), list[str]())]
    if missing := [name for name in needed if name not in header]:
        columns = ",".join(needed) + "".join(f"[,{name}]" for name in also)
        raise Unreadable(f"{path}: its first line has no {' and no '.join(missing)}; it should be {columns}")
    places = [header.index(name) if name in header else len(header) for name in (*needed, *also)]
    return frozenset(header), _chosen(lines, places, len(needed), len(header), complaints)


def short(value: str) -> str:
    """A wrong value as it is quoted in a complaint."""
    value = " ".join(clean(value).split())
    return repr(value if len(value) <= LONGEST else value[: LONGEST - 1] + "…")


def _chosen(
    lines: Sequence[str], places: Sequence[int], needed: int, width: int, complaints: Complaints
) -> Iterator[tuple[int, Sequence[str]]]:
    at = 1
    choose: Callable[[list[str]], Sequence[str]] = itemgetter(*places)

    def feed() -> Iterator[str]:
        nonlocal at
        while at < len(lines):
            at += 1
            yield lines[at - 1]

    reader = csv.reader(feed())
    while True:
        first = at
        try:
            values = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            values, wrong = list[str](), str(error)
        else:
            if not values:
                continue
            wrong = f"{len(values)} values where the first line has {width}" if len(values) != width else ""
            values.append("")
        chosen = values if wrong else choose(values)
        several = at > first + 1
        if several and (wrong or any("\n" in value or "\r" in value for value in chosen[:needed])):
            # A quote that is not closed swallows good rows: they are read again, without the line that it is on.
            wrong = "a quote that is not closed"
            at, reader = first + 1, csv.reader(feed())
        if wrong:
            complaints.add(first + 1, wrong)
        else:
            yield first + 1, chosen


def _text(path: Path) -> str:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise Unreadable(f"{path}: {error.strerror}") from None
    encoding = "utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    return raw.decode(encoding, errors="replace")
