"""The page as Markdown that also reads well as plain text; what comes from outside stays text."""

from __future__ import annotations

import re
from collections.abc import Iterator

from checkpoints.text import clean
from runner.report.blocks import Block, Bullets, Paragraph, Picture, Quote, Report, Table

# Only where a character would be read as markup, so that `training.learning_rate` needs no backslash.
_MARKUP = re.compile(r"[\\`*<~$&|]|!(?=\[)|\](?=[(\[])|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
_AT_THE_START = re.compile(r"^(?:([>\[]|[#+=-](?=[\s#+=-]|$))|(\d+)([.)])(?=\s|$))")


def markdown(report: Report) -> str:
    """The whole page."""
    lines = [f"# {text(report.title)}", ""]
    lines += [f"{text(line)}  " for line in report.summary]
    lines += ["", *(f"**Note:** {text(line)}  " for line in report.alerts), ""]
    lines += [f"- {name}: {text(value)}" for name, value in report.facts]
    for section in report.sections:
        lines += ["", f"## {text(section.title)}"]
        for block in section.blocks:
            lines += ["", *_lines(block)]
    lines += ["", "---", "", *(f"{text(note)}  " for note in report.notes)]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)) + "\n"


def text(said: str) -> str:
    """One line of text from outside, of which no character is markup and none steers a terminal."""
    line = _MARKUP.sub(lambda found: f"\\{found[0]}", " ".join(clean(said).split()))
    return _AT_THE_START.sub(lambda found: f"\\{found[1]}" if found[1] else f"{found[2]}\\{found[3]}", line)


def _lines(block: Block) -> Iterator[str]:
    match block:
        case Paragraph():
            yield text(block.text)
        case Bullets():
            yield from (f"- {text(item)}" for item in block.items)
        case Table():
            yield from _table(block)
        case Picture():
            yield text(block.instead)
        case Quote():
            yield f"{text(block.said_by)}:"
            yield ""
            yield from (f"> {text(line)}  " for line in clean(block.text).strip().splitlines())


def _table(table: Table) -> Iterator[str]:
    """Columns of one width each, as far as they are not sentences: the page is also read with less."""
    cells = [[text(cell) for cell in row] for row in ([column.name for column in table.columns], *table.rows)]
    widths = [
        0 if column.long else max(3, *(len(row[place]) for row in cells)) for place, column in enumerate(table.columns)
    ]
    for number, row in enumerate(cells):
        padded = [
            cell.rjust(width) if column.numeric else cell.ljust(width)
            for cell, width, column in zip(row, widths, table.columns, strict=True)
        ]
        yield f"| {' | '.join(padded)} |"
        if number == 0:
            rules = [
                f"{'-' * (max(width, 3) - 1)}{':' if column.numeric else '-'}"
                for width, column in zip(widths, table.columns, strict=True)
            ]
            yield f"| {' | '.join(rules)} |"
