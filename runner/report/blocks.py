"""What a page is made of, whoever writes it: every text is plain, whatever characters it has, and never markup."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from runner.figures import Figure


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A few sentences."""

    text: str


@dataclass(frozen=True, slots=True)
class Bullets:
    """Short lines of equal rank."""

    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table."""

    name: str
    numeric: bool = False
    """Its figures stand under each other."""

    long: bool = False
    """It has sentences: on a narrow screen it goes below the others."""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of as many cells as there are columns."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Picture:
    """A figure, and one line of text where no picture can be."""

    figure: Figure
    instead: str


@dataclass(frozen=True, slots=True)
class Quote:
    """A text of several lines, as somebody wrote it."""

    said_by: str
    text: str


Block: TypeAlias = Paragraph | Bullets | Table | Picture | Quote


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and what stands under it."""

    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """The whole page."""

    title: str
    summary: tuple[str, ...]
    """The night in three lines."""

    alerts: tuple[str, ...]
    """What asks for a person, if anything does."""

    facts: tuple[tuple[str, str], ...]
    """The heading's particulars, by name."""

    sections: tuple[Section, ...]
    notes: tuple[str, ...]
    """How the figures are to be read."""
