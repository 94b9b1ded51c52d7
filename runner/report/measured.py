"""Keeps and noise where a number judges that was measured over several trainings: in its own unit."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from checkpoints.records import Interval, Row
from runner.report.blocks import Block, Column, Paragraph, Table
from runner.report.facts import Facts
from runner.report.wording import changed, count

MOST = 30
"""Keeps that are shown one by one; of more, the newest."""


def kept(facts: Facts) -> Iterator[Block]:
    """Each keep with its metric, its gain, its trainings and what the locked hold-out says beside."""
    if facts.baseline and facts.baseline.verdict and facts.baseline.verdict.value:
        yield Paragraph(f"It began with the program's own recipe: {facts.metric} {value(facts.baseline)}.")
    if not facts.kept:
        yield Paragraph("Nothing was kept." if facts.tried else "Nothing was tried yet.")
        return
    if len(facts.kept) > MOST:
        yield Paragraph(f"The newest {MOST} of {count(len(facts.kept), 'keep')}:")
    columns = (
        Column("#", True), Column("change"), Column(facts.metric, True), Column("gain over its opponent", True),
        Column("expected", True), Column("trainings", True), Column("on the locked hold-out", True),
    )  # fmt: skip
    yield Table(columns, tuple(_keep(facts, row) for row in facts.kept[-MOST:]))
    if facts.locked:
        yield Paragraph("The locked hold-out is looked at for keeps only, and decides nothing.")


def noise(facts: Facts) -> str:
    """What repeated trainings say of how much one varies."""
    floor = facts.floor
    if floor is None:
        return (
            f"How much {facts.metric} varies from one training to the next was not measured: a lead may be the seed's."
        )
    ends = f"{_digits(floor.low, floor.high - floor.low)} to {_digits(floor.high, floor.high - floor.low)}"
    return f"{facts.metric}: {floor.words}; single runs of the champion's recipe fall into {ends}."


def value(row: Row) -> str:
    """``0.9900 (0.9894 to 0.9906)``, or a dash."""
    found = row.verdict.value if row.verdict else None
    return _interval(found)


def effect(row: Row) -> str:
    """``+0.0040 (+0.0020 to +0.0060)``, or a dash."""
    return _interval(row.verdict.effect if row.verdict else None, "+")


def _keep(facts: Facts, row: Row) -> tuple[str, ...]:
    number, expected = row.experiment.number, row.experiment.proposal.expected
    return (
        f"#{number}",
        changed(row),
        value(row),
        effect(row),
        f"{expected.effect:+.4g}" if expected else "–",
        f"{facts.trainings.get(number, 0):,}",
        f"{facts.locked[number]:.6g}" if number in facts.locked else "–",
    )


def _interval(found: Interval | None, sign: str = "") -> str:
    if found is None:
        return "–"
    width = found.high - found.low
    estimate, low, high = (_digits(one, width, sign) for one in (found.estimate, found.low, found.high))
    return f"{estimate} ({low} to {high})" if width else estimate


def _digits(number: float, width: float, sign: str = "") -> str:
    """To two digits of an interval's half width."""
    if not (math.isfinite(width) and width > 0):
        return f"{number:{sign}.5g}"
    decimals = max(0, min(6, 1 - math.floor(math.log10(width / 2))))
    return f"{number:{sign}.{decimals}f}"


def bars(rows: Sequence[Row], less: bool) -> list[float]:
    """Heights by which baseline and keeps are drawn: what is better stands higher."""
    values = [row.verdict.value.estimate for row in rows if row.verdict and row.verdict.value]
    return [-one for one in values] if less else values
