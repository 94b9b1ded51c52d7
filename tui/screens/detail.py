"""Detail: one experiment with everything that speaks for and against it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from checkpoints.reader import Reader
from checkpoints.records import Answer, Json, Row, Stage, StageState, Verdict, model_name
from checkpoints.text import clean
from tui import plots
from tui.axes import around
from tui.screens.page import Page
from tui.signs import BLUE, BRIGHT, GREEN, GREY, ORANGE, RED, STATES
from tui.snapshot import Series, Snapshot, read_on
from tui.widgets.curves import curve_of
from tui.widgets.lines import said
from tui.words import clock, duration, half_width, numbers, per_cent

SAMPLES = 12
"""Prompts whose answers are shown side by side."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is read from the store for one experiment, beside its row."""

    stages: tuple[Stage, ...]
    answers: tuple[Answer, ...]
    own: Series
    parent: Series | None


def read_evidence(folder: Path, row: Row) -> Evidence:
    """Read it with a connection of its own, so that this may happen in any thread."""
    with closing(Reader(folder)) as reader:
        number, parent = row.experiment.number, row.experiment.parent
        return Evidence(
            tuple(reader.stages(number)),
            tuple(reader.answers(number)),
            read_on(reader, number, None),
            read_on(reader, parent, None) if parent is not None else None,
        )


def detail_page(snapshot: Snapshot, row: Row, evidence: Evidence, width: int) -> Page:
    """The page for a terminal of so many columns."""
    experiment, sign = row.experiment, STATES[row.experiment.state]
    heading = Text.assemble(
        (f"#{experiment.number} ", f"bold {BRIGHT}"), (f"{sign.mark} {sign.word}  ", f"bold {sign.colour}")
    )
    heading.append_text(said(experiment.proposal.change or experiment.proposal.hypothesis, BRIGHT))
    return Page(heading, Group(*_sections(snapshot, row, evidence, width - 4)))


def difference(before: Mapping[str, Any], after: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Fields of a recipe in which two differ, by their paths; a field that one has not is None there."""
    for name in sorted({*before, *after}):
        old, new, here = before.get(name), after.get(name), f"{path}{name}"
        if isinstance(old, dict) and isinstance(new, dict):
            yield from difference(old, new, f"{here}.")  # pyright: ignore[reportUnknownArgumentType]
        elif old != new:
            yield here, old, new


def _sections(snapshot: Snapshot, row: Row, evidence: Evidence, width: int) -> Iterator[RenderableType]:
    yield _verdict(row, snapshot.metric)
    yield _hypothesis(row)
    yield _recipe(snapshot, row)
    if evidence.own.train and plots.loaded():
        yield _title("Loss").append_text(_loss(evidence, width))
    yield _lanes(evidence.stages)
    yield from _samples(row, evidence.answers, width)


def _title(text: str) -> Text:
    return Text().append(f"\n{text}\n", f"bold {BLUE}")


def _verdict(row: Row, metric: str) -> Text:
    text, verdict = _title("Verdict"), row.verdict
    if verdict is None:
        return text.append("none yet", style=GREY)
    text.append_text(said(verdict.reason, BRIGHT))
    if row.experiment.note:
        text.append("\n").append_text(said(row.experiment.note, RED))
    for line in _numbers(verdict, metric):
        text.append(f"\n{line}", style=GREY)
    return text


def _numbers(verdict: Verdict, metric: str) -> Iterator[str]:
    if verdict.wins + verdict.losses + verdict.ties:
        judges = "pairs" if metric else "votes"
        yield f"{judges:<12} {verdict.wins} for it, {verdict.losses} for its opponent, {verdict.ties} about equal"
    rates = {"win rate": verdict.win_rate, "at any time": verdict.anytime, metric or "reference": verdict.reference}
    for name, rate in rates.items():
        if rate:
            interval = f"95 % from {per_cent(rate.low)} to {per_cent(rate.high)}"
            yield f"{name:<12} {per_cent(rate.estimate)} % {half_width(rate)}, {interval}"
    if verdict.shrunken is not None:
        yield f"shrunken     {per_cent(verdict.shrunken)} %, against the winner's curse"


def _hypothesis(row: Row) -> Text:
    proposal = row.experiment.proposal
    text = _title("Hypothesis").append_text(said(proposal.hypothesis, BRIGHT))
    origin = said(f"{proposal.category}, proposed by {proposal.proposer}", GREY)
    return text.append(" — ", style=GREY).append_text(origin)


def _recipe(snapshot: Snapshot, row: Row) -> Text:
    experiment = row.experiment
    parent = snapshot.row(experiment.parent)
    over = f" over champion #{experiment.parent}" if parent else ""
    text = _title(f"Recipe{over}")
    if experiment.recipe is None:
        return text.append("bound to the champion when its training starts", style=GREY)
    before: Json = (parent.experiment.recipe or {}) if parent else {}
    fields = list(difference(before, experiment.recipe))
    for path, old, new in fields:
        text.append_text(said(path).append("  "))
        if parent:
            text.append_text(said(_value(old), f"strike {RED}")).append(" → ", style=GREY)
        text.append_text(said(_value(new), f"bold {GREEN}")).append("\n")
    if not fields:
        text.append("the same as its parent's\n", style=GREY)
    kept = tuple(sorted(number for number in row.contains if number))
    return text.append(f"built on the keeps {numbers(kept)}" if kept else "built on the baseline", style=GREY)


def _value(value: object) -> str:
    return "—" if value is None else str(value)


def _loss(evidence: Evidence, width: int) -> Text:
    rival = curve_of("parent", evidence.parent) if evidence.parent and evidence.parent.train else None
    own = curve_of("this", evidence.own)
    values = [*own.losses, *(rival.losses if rival else ())]
    right = max((*own.steps, *(rival.steps if rival else ())), default=1.0)
    size = max(min(width, 110), 30), 12
    return Text("\n").join(plots.losses(own, rival, *size, max(right, 1.0), around(values)))


def _lanes(stages: tuple[Stage, ...]) -> Text:
    text = _title("Lanes")
    return text.append_text(Text("\n").join(_stage(stage) for stage in stages))


def _stage(stage: Stage) -> Text:
    took = duration(stage.seconds) if stage.seconds is not None else "under way"
    colour = {StageState.DONE: GREEN, StageState.FAILED: RED}.get(stage.state, ORANGE)
    attempt = f" attempt {stage.attempt}" if stage.attempt > 1 else ""
    text = Text(f"{clock(stage.started_at)}  {stage.lane:<9}{attempt} ").append(f"{stage.state}", style=colour)
    return text.append(f"  {took}  ", style=GREY).append_text(said(stage.error, RED))


def _samples(row: Row, answers: tuple[Answer, ...], width: int) -> Iterator[RenderableType]:
    own = row.experiment.model
    by_prompt: dict[str, dict[str, str]] = {}
    for answer in answers:
        by_prompt.setdefault(answer.prompt, {})[answer.model] = answer.text
    both = {prompt: said_by for prompt, said_by in by_prompt.items() if own in said_by}
    if not both:
        yield _title("Samples").append("answers come with the votes", style=GREY)
        return
    yield Text().append("\nSamples", f"bold {BLUE}")
    rival = _rival(row, answers)
    table = Table(box=None, padding=(0, 2, 1, 0), expand=True, show_edge=False, header_style=f"bold {BRIGHT}")
    if width >= 76:
        table.add_column("prompt", width=12, style=GREY, overflow="fold")
    table.add_column(f"#{row.experiment.number} (candidate)", ratio=1, overflow="fold")
    table.add_column(f"{_named(row, rival)} (opponent)", ratio=1, overflow="fold")
    for prompt, said_by in list(both.items())[:SAMPLES]:
        cells = [_paragraph(said_by[own]), _paragraph(said_by.get(rival, "—"))]
        table.add_row(*([said(prompt)] if width >= 76 else []), *cells)
    yield table


def _rival(row: Row, answers: tuple[Answer, ...]) -> str:
    if row.experiment.opponent is not None:
        return model_name(row.experiment.opponent)
    return next((answer.model for answer in answers if answer.model != row.experiment.model), "")


def _named(row: Row, rival: str) -> str:
    return rival if row.experiment.opponent is None else f"#{row.experiment.opponent}"


def _paragraph(text: str) -> Text:
    return Text(clean(text))
