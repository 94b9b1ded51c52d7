"""What a person did and what came of it, and what was said when stock was taken."""

from __future__ import annotations

from collections.abc import Iterator

from checkpoints.records import Step
from runner.aftermath import Aftermath, Moment, aftermaths
from runner.report.blocks import Block, Bullets, Column, Paragraph, Quote, Table
from runner.report.facts import Facts
from runner.report.wording import count, per_cent, points, shortened, time_of_day

MOST = 40
"""Steps that are shown; of more, the newest."""

TEXTS = 5
"""Zoom-outs whose text is shown; of more, the newest."""


def steps(facts: Facts) -> Iterator[Block]:
    """Each step that changed something, with the champion before and after it."""
    done = aftermaths(facts.rows, facts.reigns, facts.interventions, facts.until)
    votes = sum(one.step is Step.VOTE for one in facts.interventions)
    if not facts.interventions:
        yield Paragraph("Nobody did anything: the loop went on by itself.")
        return
    if done:
        if len(done) > MOST:
            yield Paragraph(f"The newest {MOST} of {len(done):,}:")
        columns = (
            Column("when"), Column("step"), Column("champion before → after"), Column("change", True),
            Column("until the next step", True), Column("what happened", long=True),
        )  # fmt: skip
        yield Table(columns, tuple(_step(one) for one in done[-MOST:]))
        yield Paragraph("What came after a step need not have come of it: read the change with the experiments in it.")
    if votes:
        yield Paragraph(f"{count(votes, 'blind vote')} given in the dashboard; they count among the votes above.")
    if refused := [one for one in facts.interventions if one.refused]:
        said = "; ".join(f"{one.step}: {shortened(one.effect, 120)}" for one in refused[-5:])
        yield Paragraph(f"Not done: {said}.")
    if pending := [one for one in facts.interventions if one.acknowledged_at is None and one.step is not Step.VOTE]:
        yield Paragraph(f"Still waiting for the loop: {', '.join(one.step for one in pending)}.")


def stock(facts: Facts) -> Iterator[Block]:
    """The zoom-outs with their texts, the newest first."""
    if not facts.zoom_outs:
        yield Paragraph("Stock was not taken yet; z in the dashboard asks for it.")
    for one in facts.zoom_outs[: -TEXTS - 1 : -1]:
        asked = f", asked to look at: {shortened(one.steering, 200)}" if one.steering else ""
        then = f"; then from {', '.join(one.categories)}" if one.categories else ""
        yield Quote(f"{time_of_day(one.at)}, {one.trigger}{asked}{then}", one.text)
        if one.directions:
            yield Bullets(tuple(f"→ {shortened(direction, 240)}" for direction in one.directions))
    if len(facts.zoom_outs) > TEXTS:
        yield Paragraph(f"{len(facts.zoom_outs) - TEXTS:,} earlier ones are in the dashboard.")


def _step(one: Aftermath) -> tuple[str, ...]:
    step = one.intervention
    on = f" #{step.experiment}" if step.experiment is not None else ""
    undone = ", undone since" if one.undone else ""
    reason = f" ({shortened(step.reason, 120)})" if step.reason else ""
    text = step.detail.get("text")
    asked = f"“{shortened(str(text), 160)}” " if text else ""
    return (
        time_of_day(step.at),
        f"{step.step}{on}{undone}",
        f"{_champion(one.before)} → {_champion(one.after)}",
        points(one.gain) if one.gain is not None else "–",
        f"{one.tried} tried, {one.kept} kept",
        f"{asked}{shortened(step.effect, 240)}{reason}",
    )


def _champion(moment: Moment) -> str:
    if moment.champion is None:
        return "none"
    return f"#{moment.champion}" + (f" {per_cent(moment.rate.estimate)} %" if moment.rate else "")
