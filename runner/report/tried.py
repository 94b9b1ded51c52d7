"""What was tried: one line each while they fit a page, else the telling ones and counts; and what went wrong."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from checkpoints.records import Outcome, Row, State
from runner.report.blocks import Block, Bullets, Column, Paragraph, Table
from runner.report.facts import Facts
from runner.report.measured import effect, value
from runner.report.wording import changed, count, listed, named, per_cent, shortened, with_half_width

FEW = 60
"""Experiments up to which each has its line."""

SHOWN = 20
"""Keeps, and near misses, that have a line where not all have one."""

SIGNS = {
    State.KEPT: "● kept",
    State.DISCARDED: "○ discarded",
    State.INCONCLUSIVE: "◐ inconclusive",
    State.CRASHED: "× crashed",
    State.VETOED: "⊘ vetoed",
}
"""The screen's signs, with the words beside them."""

_SENTENCE = 320
"""Characters of a verdict's sentence."""


def tried(facts: Facts) -> Iterator[Block]:
    """All of them, or those that tell something and a count of the rest."""
    rows = facts.tried
    if not rows:
        yield Paragraph("Nothing yet: only the baseline." if facts.baseline else "Nothing yet.")
        return
    if len(rows) <= FEW:
        yield _table(facts, rows)
    else:
        yield Paragraph(f"{len(rows):,} were tried. By category:")
        yield _categories(rows)
        yield Paragraph(f"The newest keeps, up to {SHOWN}:")
        yield _table(facts, facts.kept[-SHOWN:])
        if near := near_misses(rows)[:SHOWN]:
            yield Paragraph("The nearest misses, the nearest first:")
            yield _table(facts, near)
        yield Paragraph("All of them, one a line: autoresearch-tui results")
    if cancelled := [row for row in facts.rows if row.experiment.state is State.CANCELLED]:
        yield Paragraph(f"{count(len(cancelled), 'proposal')} never came to an end and used nothing of the budget.")


def near_misses(rows: Sequence[Row]) -> list[Row]:
    """Not kept, though more votes were for them than against; the open ones first, then by how far ahead they were."""
    ahead = [
        (row.experiment.state is State.INCONCLUSIVE, row.verdict.win_rate.estimate, row)
        for row in rows
        if row.experiment.state in (State.INCONCLUSIVE, State.DISCARDED)
        and row.verdict
        and row.verdict.win_rate
        and row.verdict.win_rate.estimate > 0.5
    ]
    return [row for _, _, row in sorted(ahead, key=lambda one: one[:2], reverse=True)]


def crashes(facts: Facts) -> Iterator[Block]:
    """Which experiments gave no evidence, and why; those of one reason together."""
    crashed = [row for row in facts.tried if row.experiment.state is State.CRASHED]
    if not crashed:
        yield Paragraph("Nothing: every experiment came to a verdict.")
        return
    by_reason = defaultdict[str, list[Row]](list)
    for row in crashed:
        by_reason[row.experiment.note or (row.verdict.reason if row.verdict else "")].append(row)
    reasons = sorted(by_reason.items(), key=lambda one: -len(one[1]))
    yield Bullets(tuple(_crash(reason, rows) for reason, rows in reasons[:SHOWN]))
    if len(reasons) > SHOWN:
        yield Paragraph(f"{len(reasons) - SHOWN:,} more reasons, for one or a few crashes each.")


def _crash(reason: str, rows: list[Row]) -> str:
    which = named(rows[0]) if len(rows) == 1 else listed([row.experiment.number for row in rows])
    return f"{which}: {shortened(reason or 'no reason was recorded', _SENTENCE)}"


def _table(facts: Facts, rows: Sequence[Row]) -> Table:
    metric = facts.metric
    if facts.scalar:
        gained, came = Column("gain over its opponent", True), Column(metric, True)
    else:
        gained = Column("pairs won, %" if metric else "against its opponent, %", True)
        came = Column(f"{metric}, %" if metric else "against the reference, %", True)
    foreseen = Column("expected" if facts.scalar else "expected, %", True)
    expected = [foreseen] if any(row.experiment.proposal.expected for row in rows) else []
    columns = [Column("#", True), Column("change"), Column("category"), *expected, gained, came]
    columns += [Column("Δ loss", True), Column("verdict"), Column("why", long=True)]
    return Table(tuple(columns), tuple(_line(facts, row, bool(expected)) for row in rows))


def _line(facts: Facts, row: Row, expected: bool) -> tuple[str, ...]:
    experiment, verdict = row.experiment, row.verdict
    sign = SIGNS.get(experiment.state, str(experiment.state))
    why = verdict.reason if verdict else experiment.note
    if facts.scalar:
        found = (effect(row), value(row))
    else:
        rates = (verdict.win_rate, verdict.reference) if verdict else (None, None)
        found = (with_half_width(rates[0]), with_half_width(rates[1]))
    return (
        f"#{experiment.number}",
        changed(row),
        experiment.proposal.category,
        *([_expected(facts, row)] if expected else []),
        *found,
        _loss(facts, row),
        sign,
        shortened(why or experiment.note, _SENTENCE),
    )


def _expected(facts: Facts, row: Row) -> str:
    """The gain that whoever proposed expected: as a win rate where people vote, else in the metric's unit."""
    expected = row.experiment.proposal.expected
    if expected is None:
        return "–"
    return f"{expected.effect:+.4g}" if facts.scalar else per_cent(0.5 + expected.effect)


def _loss(facts: Facts, row: Row) -> str:
    """Its last loss less its parent's."""
    parent = row.experiment.parent
    before = facts.rows[parent].final_loss if parent is not None else None
    if row.final_loss is None or before is None:
        return "–"
    return f"{round(row.final_loss - before, 3) + 0.0:+.3f}"


def _categories(rows: Sequence[Row]) -> Table:
    states = defaultdict[str, Counter[State]](Counter)
    best: dict[str, float] = {}
    for row in rows:
        category = row.experiment.proposal.category
        states[category][row.experiment.state] += 1
        if row.verdict and row.verdict.win_rate and row.verdict.outcome is Outcome.KEEP:
            best[category] = max(best.get(category, 0.0), row.verdict.win_rate.estimate)
    columns = (Column("category"), Column("tried", True), *(Column(sign, True) for sign in SIGNS.values()))
    return Table(
        (*columns, Column("largest win, %", True)),
        tuple(
            (
                category,
                f"{of.total():,}",
                *(f"{of[state]:,}" for state in SIGNS),
                per_cent(best[category]) if category in best else "–",
            )
            for category, of in sorted(states.items(), key=lambda one: -one[1].total())
        ),
    )
