"""What the agent believes by now, and what is worth trying next."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace

from checkpoints.records import BASELINE, ENDS, Hypothesis, HypothesisStatus, RunState
from runner.agent.calibration import calibrated
from runner.agent.categories import category_of
from runner.report.blocks import Block, Bullets, Paragraph
from runner.report.facts import Facts
from runner.report.kept import doubted
from runner.report.tried import near_misses
from runner.report.wording import count, listed, named, shortened, with_interval

MOST = 12
"""Beliefs of one status that are shown; of more, the newest."""

NEAR = 5
"""Near misses that are named."""

_LENGTH = 240
"""Characters of a belief."""

_STATUS = {
    HypothesisStatus.SUPPORTED: "Supported",
    HypothesisStatus.REFUTED: "Refuted",
    HypothesisStatus.OPEN: "Open",
}


def beliefs(facts: Facts) -> Iterator[Block]:
    """By status, each with the experiments that speak for or against it."""
    if not facts.hypotheses:
        yield Paragraph("Nothing yet.")
    if any(row.experiment.proposal.expected for row in facts.rows):
        yield Paragraph(f"Foresight: {calibrated(facts.rows)}.")
    if facts.notes:
        yield Paragraph(f"A person's notes to it ({len(facts.notes):,}):")
        yield Bullets(tuple(shortened(note.text, _LENGTH) for note in facts.notes[-MOST:]))
    for status, word in _STATUS.items():
        found = _once([one for one in facts.hypotheses if one.status is status])
        if not found:
            continue
        shown = f"; the newest {MOST}" if len(found) > MOST else ""
        yield Paragraph(f"{word} ({len(found):,}{shown}):")
        yield Bullets(tuple(_belief(one) for one in found[-MOST:]))


def next_steps(facts: Facts) -> Iterator[Block]:
    """What the store gives reason to try; nothing here is a promise."""
    lines = [*_unfinished(facts), *_near(facts), *_never(facts)]
    open_ones = [one for one in facts.hypotheses if one.status is HypothesisStatus.OPEN and not _under_way(facts, one)]
    lines += [f"Open: {_belief(one)}" for one in _once(open_ones)[-NEAR:]]
    if careful := doubted(facts):
        way = "read why (⏎ in the dashboard)" if facts.metric else "vote on answers blind (a in the dashboard)"
        lines.append(f"Before building on {listed(careful, 6)}: {way}; v takes back what does not hold.")
    yield Bullets(tuple(lines)) if lines else Paragraph("The store gives no hint: a zoom-out may (z in the dashboard).")


def _unfinished(facts: Facts) -> Iterator[str]:
    under_way = [row for row in facts.rows if row.experiment.state not in ENDS]
    if facts.run.state is not RunState.FINISHED and under_way:
        yield f"Under way: {'; '.join(f'{named(row)} ({row.experiment.state})' for row in under_way[:4])}."
    if facts.run.state is RunState.FINISHED:
        yield "To go on, raise budget.experiments in program.md, or open more of its space."
    if facts.metric and not facts.scalar and facts.champion and facts.champion.experiment.number != BASELINE:
        yield "Train the champion again with other seeds: one training does not tell its lead from the seed's."


def _near(facts: Facts) -> Iterator[str]:
    """More votes can settle what was left open; what was discarded is unlikely to have the lift worth having."""
    for row in near_misses(facts.tried)[:NEAR]:
        verdict = row.verdict
        assert verdict is not None and verdict.win_rate is not None
        judges = "pair" if facts.metric else "vote"
        evidence = f"{with_interval(verdict.win_rate)} of {count(verdict.wins + verdict.losses, judges)}"
        yield f"Near miss, {row.experiment.state}: {named(row)}, {evidence}; t in the dashboard tries it again."


def _never(facts: Facts) -> Iterator[str]:
    """Parts of the program's space that no experiment came from."""
    tried = {row.experiment.proposal.category for row in facts.rows}
    fields = defaultdict[str, list[str]](list)
    for field in facts.open_fields:
        fields[category_of(field)].append(field)
    for category, open_to in fields.items():
        if category not in tried:
            more = f" and {len(open_to) - 4} more" if len(open_to) > 4 else ""
            yield f"Never tried: {category} ({', '.join(open_to[:4])}{more})."


def _once(found: Sequence[Hypothesis]) -> list[Hypothesis]:
    """Each text once, with all experiments that speak to it; in the order in which they were last held."""
    by_text: dict[str, Hypothesis] = {}
    for one in found:
        before = by_text.pop(one.text, None)
        by_text[one.text] = replace(one, experiments=before.experiments + one.experiments) if before else one
    return list(by_text.values())


def _under_way(facts: Facts, belief: Hypothesis) -> bool:
    """Whether an experiment that is under way will speak to it."""
    return any(
        number < len(facts.rows) and facts.rows[number].experiment.ended_at is None for number in belief.experiments
    )


def _belief(one: Hypothesis) -> str:
    speak = f" ({listed(one.experiments, 6)})" if one.experiments else ""
    return f"{shortened(one.text, _LENGTH)}{speak}"
