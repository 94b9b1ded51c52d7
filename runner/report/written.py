"""The report of a run folder, as text: what the command prints and what the dashboard exports."""

from __future__ import annotations

from pathlib import Path

from checkpoints import strokes
from checkpoints.store import holder
from checkpoints.visitor import reading
from runner.report.facts import gather
from runner.report.page import report


def written(folder: Path, as_html: bool) -> str:
    """The report, in Markdown or in HTML.

    Args:
        folder: Of the run.
        as_html: A page that stands by itself; its plot takes a second or two more.

    Raises:
        NoRun: The run has not begun.
        StoreError: The store cannot be read; the message says why.
    """
    with reading(folder) as read:
        made = report(gather(read, driven=holder(folder) is not None))
    if as_html:
        from runner.report.html import html

        return html(made)
    from runner.report.markdown import markdown

    return markdown(made)


def write(text: str, path: Path) -> None:
    """Put it into a file, which is whole or as it was.

    Raises:
        OSError: No room, no such folder, or no right to write there.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_text(text, encoding="utf-8")
        strokes.put(part, path)
    except OSError:
        strokes.take(part)
        raise
