"""What is said of one experiment, section by section: the verdict first, what it rests on after it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from checkpoints.records import Experiment, Intervention, Row, Stage, StageState, Step, Tally
from tui import plots, thinking
from tui.battles import PERSON
from tui.evidence import Evidence, Sample, Votes
from tui.judgement import judgement
from tui.plots.training import LOSS, series_lines
from tui.recipes import compared, recipe
from tui.series import Series
from tui.signs import BLUE, BRIGHT, GREEN, GREY, ORANGE, RED
from tui.snapshot import Snapshot
from tui.widgets.lines import paragraphs, said
from tui.words import clock, duration

LONGEST = 1200
"""Characters of an answer that are shown; the rest is counted."""

_SIDE_BY_SIDE = 76
"""Cells from which two answers stand side by side."""


def sections(snapshot: Snapshot, row: Row, found: Evidence | None, width: int) -> Iterator[tuple[str, RenderableType]]:
    """Titles and what they stand over; what must be read from the store only with what was found there."""
    yield "Verdict", _verdict(snapshot, row)
    if found:
        yield "Evidence", judgement(snapshot, row, found.votes, width, found.measurements)
    yield "Hypothesis", thinking.belief(snapshot, row)
    if found and found.refusals:
        yield "Refused before it", thinking.refused(found.refusals)
    if lines := thinking.edit(row.experiment.proposal.change):
        yield "Edit", Text("\n").join(lines)
    if not found:
        return
    over = " and ".join(f"{name} #{number}" for name, number in compared(snapshot, row, found.recipes))
    yield f"Recipe{f' over {over}' if over else ''}", Group(*recipe(snapshot, row, found.recipes, width))
    if found.own.train and plots.loaded():
        yield "Loss", _curves(found, width)
    if found.own.evals:
        yield "Held out", _evals(found.own, found.parent)
    yield "Samples", _samples(snapshot, row, found.samples, width)
    if steps := [*_steps(snapshot.interventions, row.experiment.number), *_voted(found.votes)]:
        yield "A person's steps", Text("\n").join(steps)
    if found.exchanges:
        yield "What the agent was asked", thinking.exchanges(found.exchanges)
    yield "Lanes", _lanes(found.stages)


def told(text: object, style: str = "") -> Text:
    """Text from outside that may be broken into lines."""
    return Text().append_text(said(text, style))


def _verdict(snapshot: Snapshot, row: Row) -> Text:
    experiment, lines = row.experiment, list[Text]()
    if experiment.note:
        lines.append(told(experiment.note, RED))
    if row.verdict:
        lines.append(told(row.verdict.reason, BRIGHT))
    else:
        lines += [told(line, ORANGE) for line in _under_way(snapshot, experiment)]
    if not lines:
        lines.append(Text("none" if experiment.ended_at else "none yet", style=GREY))
    return Text("\n").join(lines)


def _under_way(snapshot: Snapshot, experiment: Experiment) -> Iterator[str]:
    for progress in snapshot.at_work:
        if progress.experiment == experiment.number and experiment.ended_at is None:
            of = f" of {progress.total:g}" if progress.total else ""
            yield f"none yet: {progress.done:g}{of} {progress.doing}, {progress.detail}"


def _curves(found: Evidence, width: int) -> Text:
    size = max(min(width, 110), 30), 12
    return Text("\n").join(series_lines(LOSS, found.own, found.parent, ("this", "parent"), *size))


def _evals(own: Series, parent: Series | None) -> RenderableType:
    """The last measurements by step, and the parent's last."""
    last = own.evals[-4:]
    rival = parent.evals[-1] if parent and parent.evals else None
    table = Table.grid(padding=(0, 2))
    heads = [Text(f"step {metric.step}", style=GREY, justify="right") for metric in last]
    if rival:
        heads.append(Text(f"parent #{rival.experiment}", style=GREY, justify="right"))
    table.add_row(Text(), *heads)
    for name in sorted({name for metric in last for name in metric.values}):
        measured = [metric.values.get(name) for metric in last] + ([rival.values.get(name)] if rival else [])
        figures = ("—" if value is None else f"{value:.4g}" for value in measured)
        table.add_row(told(name, GREY), *(Text(figure, justify="right") for figure in figures))
    return table


def _samples(snapshot: Snapshot, row: Row, samples: Sequence[Sample], width: int) -> RenderableType:
    """What both models said: side by side where there is room, else one above the other."""
    if not samples:
        asked = "which asks for no answers" if row.verdict else "no answers are asked for"
        why = f"judged by {snapshot.metric}, {asked}" if snapshot.metric else "answers come with the votes"
        return told(why, GREY)
    opponent = "reference" if row.experiment.opponent is None else f"#{row.experiment.opponent}"
    names = f"#{row.experiment.number} (candidate)", f"{opponent} (opponent)"
    side_by_side = width >= _SIDE_BY_SIDE
    parts: list[RenderableType] = []
    for sample in samples:
        answers = [_answer(*said_by) for said_by in zip(names, (ORANGE, BLUE), (sample.own, sample.rival), strict=True)]
        pair = Table.grid(expand=True, padding=(0, 2, 0, 0))
        for _ in range(2 if side_by_side else 1):
            pair.add_column(ratio=1, overflow="fold")
        for cells in [answers] if side_by_side else [[answer] for answer in answers]:
            pair.add_row(*cells)
        parts += [_asked(sample), pair, Text()]
    return Group(*parts[:-1])


def _asked(sample: Sample) -> Text:
    text = Text().append("❯ ", BLUE).append_text(_shortened(sample.question or sample.prompt, BRIGHT))
    votes = sample.votes
    if votes == Tally(0, 0, 0):
        return text
    return text.append(f"  {votes.wins} for it, {votes.losses} against, {votes.ties} equal", GREY)


def _answer(name: str, colour: str, text: str) -> Text:
    return Text().append(f"{name}\n", colour).append_text(_shortened(text))


def _shortened(text: str, style: str = "") -> Text:
    """As it was said, also over several lines."""
    shown = Text().append_text(paragraphs(text[:LONGEST].strip(), style))
    rest = len(text) - LONGEST
    return shown.append(f" … {rest} more characters", GREY) if rest > 0 else shown


def concerning(interventions: Sequence[Intervention], number: int) -> list[Intervention]:
    """What a person did to an experiment, votes among it, and what they undid of that."""
    own: dict[object, Intervention] = {}
    for one in interventions:
        if one.experiment == number or one.detail.get("of") in own:
            own[one.number] = one
    return list(own.values())


def _steps(interventions: Sequence[Intervention], number: int) -> Iterator[Text]:
    for one in concerning(interventions, number):
        if one.step is Step.VOTE:
            continue
        text = Text().append(f"{clock(one.at)}  ", GREY).append_text(said(one.step, BRIGHT))
        if one.reason:
            text.append_text(said(f": {one.reason}"))
        came = one.effect if one.acknowledged_at else "not taken up yet"
        yield text.append(" → ", GREY).append_text(said(came, GREY))


def _voted(votes: Votes) -> Iterator[Text]:
    for voter, counted in votes.people.items():
        total = counted.decisive + counted.ties
        what = f"{counted.wins} for it, {counted.losses} against, {counted.ties} equal"
        yield told(f"{voter.removeprefix(PERSON)} voted {total} times: {what}")


def _lanes(stages: Sequence[Stage]) -> Text:
    return Text("\n").join(map(_stage, stages)) if stages else Text("it has not started", style=GREY)


def _stage(stage: Stage) -> Text:
    took = duration(stage.seconds) if stage.seconds is not None else "under way"
    colour = {StageState.DONE: GREEN, StageState.FAILED: RED}.get(stage.state, ORANGE)
    attempt = f"attempt {stage.attempt} " if stage.attempt > 1 else ""
    text = Text().append(f"{clock(stage.started_at)}  {stage.lane:<9}{attempt}").append(f"{stage.state}", colour)
    text.append(f"  {took}  ", GREY)
    kind = f"{stage.failure}: " if stage.failure else ""
    return text.append_text(said(f"{kind}{stage.error}" if stage.error else "", RED))
