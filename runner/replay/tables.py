"""Reads ``results.tsv``: the original's, ours, and what people made of it (raw newlines, missing columns)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from checkpoints.text import clean
from runner.replay.history import Entry, Fate, History, NoHistory, by_record, fate_of, number

_DESCRIPTIONS = ("description", "notes", "note", "hypothesis", "change", "idea", "summary")
_STATUSES = ("status", "outcome", "verdict", "decision")


@dataclass(slots=True)
class _Row:
    line: int
    cells: list[str]
    went_on: int = 0
    """Further lines of its last cell."""


def read_table(text: str, metric: str, higher_is_better: bool) -> History:
    """The record in a table with a line of column names.

    A line with fewer cells than one of them can have goes on with the last cell of the row before it: descriptions
    are written as they come, newlines and all. More cells than columns are tabs in the last one.

    Raises:
        NoHistory: It has no rows, or no such column.
    """
    lines = text.split("\n")
    header = _cells(lines[0])
    if len(header) < 2 or metric not in header:
        has = ", ".join(filter(None, header)) or "nothing"
        raise NoHistory(f"the table has no column {metric!r}; its first line names: {clean(has)[:300]}")
    status = next((header.index(name) for name in _STATUSES if name in header), None)
    complaints: list[str] = []
    entries: list[Entry] = []
    rows = 0
    for row in _rows(lines, header, complaints):
        rows += 1
        entries.append(_entry(rows, row, header, metric, status, complaints))
    if not rows:
        raise NoHistory("the table has no rows")
    if status is None:
        complaints.append("the table has no status column: a row that beats all before it is taken for a keep")
        entries = list(by_record(entries, higher_is_better))
    sd = _said_noise(lines, header)
    return History(metric, higher_is_better, tuple(entries), tuple(complaints), status is not None, sd)


def _said_noise(lines: list[str], header: list[str]) -> float | None:
    """The newest number above 0 in the column ``sd`` of a table that is ours."""
    if not {"experiment", "sd"} <= set(header):
        return None
    place = header.index("sd")
    said = (number(cells[place]) for cells in map(_cells, lines[1:]) if len(cells) == len(header))
    return next((sd for sd in reversed([*said]) if sd), None)


def _rows(lines: list[str], header: list[str], complaints: list[str]) -> Iterator[_Row]:
    now: _Row | None = None
    for place, line in enumerate(lines[1:], 2):
        cells = _cells(line)
        if cells == header:
            complaints.append(f"line {place}: the column names once more, passed over")
        elif len(cells) >= len(header):
            if now:
                yield _told(now, complaints)
            now = _Row(place, [*cells[: len(header) - 1], "\t".join(cells[len(header) - 1 :])])
        elif now and (len(cells) == 1 or not _begins(cells, header)):
            now.cells[-1] += "\n" + line
            now.went_on += bool(line.strip())
        elif line.strip():
            if now:
                yield _told(now, complaints)
            now = _Row(place, cells)
    if now:
        yield _told(now, complaints)


def _begins(cells: list[str], header: list[str]) -> bool:
    """Whether a line with too few cells is a row that lacks its last ones: those that hold numbers hold numbers."""
    return len(cells) > len(header) // 2 and any(number(cell) is not None for cell in cells[1:])


def _told(row: _Row, complaints: list[str]) -> _Row:
    if row.went_on:
        complaints.append(
            f"line {row.line}: its last column goes on for {row.went_on} more lines, which were put together"
        )
    return row


def _entry(row: int, found: _Row, header: list[str], metric: str, status: int | None, complaints: list[str]) -> Entry:
    cells = found.cells
    if len(cells) < len(header):
        complaints.append(f"line {found.line}: {len(cells)} of {len(header)} columns; the others count as empty")
        cells = cells + [""] * (len(header) - len(cells))
    fate = Fate.UNKNOWN if status is None else fate_of(cells[status])
    if status is not None and fate is Fate.UNKNOWN:
        said = clean(cells[status]).strip()[:40]
        complaints.append(f"line {found.line}: the status {said!r} is not known; counted as not kept")
    text = cells[header.index(metric)].strip()
    value = None if fate is Fate.CRASH else number(text)
    if value is None and fate is not Fate.CRASH:
        complaints.append(
            f"line {found.line}: {metric} is {clean(text)[:40]!r}, no finite number; it counts as no value"
        )
    description = next((cells[header.index(name)] for name in _DESCRIPTIONS if name in header), "")
    commit = cells[header.index("commit")].strip() if "commit" in header else ""
    category = cells[header.index("category")].strip().lower() if "category" in header else ""
    return Entry(row, found.line, 0, value, fate, description.strip(), commit, category)


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.rstrip("\r").split("\t")]
