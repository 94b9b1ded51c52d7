"""The page as HTML that stands by itself: the plot inside, no script, nothing fetched; dark where the reader's is."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from html import escape
from pathlib import Path

from checkpoints.text import clean
from runner.figures import INK, PAPER, Figure
from runner.pictures import DrawingFailed, draw_now
from runner.report.blocks import Block, Bullets, Paragraph, Picture, Quote, Report, Table

_STYLE = """
:root { color-scheme: light dark; --paper: #fefefe; --ink: #1c2733; --soft: #5c6875; --rule: #dfe4e8; --mark: #0072b2;
  --warn: #fff4dc; }
@media (prefers-color-scheme: dark) { :root { --paper: #10151b; --ink: #e3e8ee; --soft: #9aa6b2; --rule: #2b3540;
  --mark: #56b4e9; --warn: #3a2f14; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1rem 3rem; max-width: 68rem; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.6rem; line-height: 1.2; margin: 0 0 .75rem; }
h2 { font-size: 1.15rem; margin: 2.2rem 0 .5rem; padding-top: .6rem; border-top: 1px solid var(--rule); }
p { margin: .5rem 0; }
.summary { font-size: 1.1rem; border-left: 4px solid var(--mark); padding-left: .8rem; }
.alert { background: var(--warn); padding: .5rem .8rem; border-radius: 4px; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; margin: 1rem 0; }
dt, figcaption, .notes, th { color: var(--soft); }
dd { margin: 0; }
ul { padding-left: 1.2rem; margin: .5rem 0; }
li { margin: .2rem 0; }
.wide { overflow-x: auto; margin: .75rem 0; }
table { border-collapse: collapse; font-size: .86rem; width: 100%; }
th { text-align: left; font-weight: 600; vertical-align: bottom; }
th, td { padding: .3rem .7rem .3rem 0; }
td { border-top: 1px solid var(--rule); vertical-align: top; overflow-wrap: normal; }
.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
th.n { white-space: normal; }
th { overflow-wrap: normal; }
.long { min-width: 16rem; color: var(--soft); overflow-wrap: anywhere; }
.change { min-width: 12rem; overflow-wrap: anywhere; }
.verdict { white-space: nowrap; }
figure { margin: .75rem 0; overflow-x: auto; }
svg { width: 100%; min-width: 34rem; height: auto; }
blockquote { margin: .5rem 0; padding: .2rem 0 .2rem .8rem; border-left: 3px solid var(--rule); white-space: pre-wrap; }
.notes { font-size: .86rem; margin-top: 2.5rem; border-top: 1px solid var(--rule); padding-top: .6rem; }
@media (max-width: 40rem) {
  thead { display: none; }
  tr { display: block; border-top: 1px solid var(--rule); padding: .5rem 0; }
  td, td.n, td.long { display: flex; justify-content: space-between; gap: 1rem; border: 0; padding: .05rem 0;
    min-width: 0; text-align: right; white-space: normal; }
  td.long { display: block; text-align: left; padding-top: .2rem; }
  td::before { content: attr(data-name); color: var(--soft); text-align: left; flex: none; max-width: 50%; }
  td:first-child { display: block; text-align: left; font-weight: 600; }
  td:first-child::before, td.long::before { content: none; }
}
@media print {
  :root { --paper: #fff; --ink: #000; --soft: #444; --rule: #bbb; --mark: #0072b2; --warn: #eee; }
  body { max-width: none; padding: 0; font-size: 10.5pt; }
  .wide { overflow: visible; }
  tr, figure, li { break-inside: avoid; }
  h2 { break-after: avoid; }
}
"""


_OWN = ("change", "verdict")
"""Columns with a style of their own, by their names."""


def html(report: Report) -> str:
    """The whole page; takes the second or two that matplotlib needs. Without matplotlib the plot is a line of text."""
    title = _text(report.title)
    body = [
        f"<h1>{title}</h1>",
        '<div class="summary">',
        *(f"<p>{_text(line)}</p>" for line in report.summary),
        "</div>",
    ]
    body += [f'<p class="alert">{_text(line)}</p>' for line in report.alerts]
    body += ["<dl>", *(f"<dt>{_text(name)}</dt><dd>{_text(value)}</dd>" for name, value in report.facts), "</dl>"]
    for section in report.sections:
        body.append(f"<section><h2>{_text(section.title)}</h2>")
        body += [part for block in section.blocks for part in _parts(block)]
        body.append("</section>")
    body += ['<div class="notes">', *(f"<p>{_text(note)}</p>" for note in report.notes), "</div>"]
    head = (
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{_STYLE}</style>"
    )
    return "\n".join(["<!DOCTYPE html>", f'<html lang="en"><head>{head}</head>', "<body>", *body, "</body></html>", ""])


def _text(said: str) -> str:
    return escape(" ".join(clean(said).split()))


def _parts(block: Block) -> Iterator[str]:
    match block:
        case Paragraph():
            yield f"<p>{_text(block.text)}</p>"
        case Bullets():
            yield f"<ul>{''.join(f'<li>{_text(item)}</li>' for item in block.items)}</ul>"
        case Table():
            yield from _table(block)
        case Picture():
            yield from _picture(block)
        case Quote():
            yield f"<figure><figcaption>{_text(block.said_by)}</figcaption>"
            yield f"<blockquote>{escape(clean(block.text).strip())}</blockquote></figure>"


def _table(table: Table) -> Iterator[str]:
    classes = [
        "n" if column.numeric else "long" if column.long else column.name if column.name in _OWN else ""
        for column in table.columns
    ]
    names = [_text(column.name) for column in table.columns]
    heads = "".join(f'<th class="{kind}">{name}</th>' for kind, name in zip(classes, names, strict=True))
    yield f'<div class="wide"><table><thead><tr>{heads}</tr></thead><tbody>'
    for row in table.rows:
        cells = [
            f'<td class="{kind}" data-name="{name}">{_text(cell)}</td>'
            for kind, name, cell in zip(classes, names, row, strict=True)
        ]
        yield f"<tr>{''.join(cells)}</tr>"
    yield "</tbody></table></div>"


def _picture(picture: Picture) -> Iterator[str]:
    label = _text(picture.instead)
    if not picture.figure.points:
        yield f"<p>{label}</p>"
        return
    try:
        drawn = _svg(picture.figure)
    except DrawingFailed as failed:
        yield f"<p>{label}</p><p>{_text(str(failed))}</p>"
        return
    yield f'<figure role="img" aria-label="{label}">{drawn}</figure>'


def _svg(figure: Figure) -> str:
    """The figure as a part of the page, in the page's own colours of ink and paper."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "figure.svg"
        draw_now(figure, path)
        drawn = path.read_text(encoding="utf-8")
    drawn = re.sub(r"<metadata>.*?</metadata>", "", drawn[drawn.index("<svg") :], flags=re.DOTALL)
    return drawn.replace(INK, "var(--ink)").replace(PAPER, "var(--paper)")
