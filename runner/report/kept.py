"""What was kept and on what evidence, and which of it looks like noise."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TypeGuard

from checkpoints.records import BASELINE, Interval, Outcome, Row, State
from runner.figures import EVEN
from runner.report import measured
from runner.report.blocks import Block, Bullets, Column, Paragraph, Table
from runner.report.facts import Facts, reference
from runner.report.wording import (
    changed,
    count,
    ends,
    listed,
    named,
    per_cent,
    points,
    with_half_width,
    with_interval,
)

MOST = 30
"""Keeps that are shown one by one; of more, the newest."""

SMALL = 0.02
"""A lead over even, as a share, below which a shrunken win rate says little."""

FALLEN = 0.01
"""How far, as a share, a keep may fall in the ranking before it is worth a word."""


def kept(facts: Facts) -> Iterator[Block]:
    """Each keep with its votes and its intervals; where a number judges, with that."""
    if facts.scalar:
        yield from measured.kept(facts)
        return
    keeps = facts.kept
    baseline = facts.baseline
    if baseline and (rate := reference(baseline)):
        yield Paragraph(f"It began with the program's own recipe: {with_interval(rate)} {facts.gauge}.")
    if not keeps:
        yield Paragraph("Nothing was kept." if facts.tried else "Nothing was tried yet.")
        return
    if len(keeps) > MOST:
        yield Paragraph(f"The newest {MOST} of {count(len(keeps), 'keep')}:")
    judges = "pairs for and against" if facts.metric else "votes for and against"
    columns = [Column("#", True), Column("change"), Column(judges, True), Column("won against its opponent, %", True)]
    columns += [Column("95 % interval", True), Column("at any time", True), Column("shrunken lead", True)]
    columns.append(Column(f"{facts.metric} then, %" if facts.metric else "against the reference then, %", True))
    if facts.standings:
        columns.append(Column("ranked now, %", True))
    yield Table(tuple(columns), tuple(_evidence(facts, row) for row in keeps[-MOST:]))
    if overruled := [row for row in keeps if row.verdict and row.verdict.outcome is not Outcome.KEEP]:
        one_by_one = listed([row.experiment.number for row in overruled])
        yield Paragraph(f"Kept by a person against the verdict: {one_by_one}.")


def noise(facts: Facts) -> Iterator[Block]:
    """What a careful reader would not build on yet."""
    keeps = facts.kept
    if facts.judged and not facts.scalar:
        yield Paragraph(by_luck(facts))
    lines = [f"{named(row)}: {doubt}." for row, doubt in doubts(facts)]
    if len(lines) > MOST:
        lines = [*lines[-MOST:], f"and {len(lines) - MOST:,} more such lines about earlier keeps"]
    if facts.scalar:
        lines.insert(0, measured.noise(facts))
    elif facts.metric and facts.baseline:
        lines.insert(0, _one_training(facts, keeps))
    lines += [*_narrow(keeps), *_whole_gain(facts)]
    if unsettled := [row for row in facts.tried if row.experiment.state is State.INCONCLUSIVE]:
        one_by_one = listed([row.experiment.number for row in unsettled])
        lines.append(f"{one_by_one} ended without an answer: shown to be neither better nor worse.")
    if lines:
        yield Bullets(tuple(lines))
    elif keeps:
        yield Paragraph(
            "No keep looks like noise by itself: not by its intervals, its shrunken lead or what came after it."
        )
    else:
        yield Paragraph("There is nothing yet that could be noise.")


def doubts(facts: Facts) -> list[tuple[Row, str]]:
    """What speaks against single keeps, keep by keep."""
    lucky = _overtaken(facts)
    found: list[tuple[Row, str]] = []
    for row in facts.kept:
        own = [*_weak(row), *_fallen(facts, row), *lucky.get(row.experiment.number, ())]
        found += [(row, doubt) for doubt in own]
    return found


def doubted(facts: Facts) -> list[int]:
    """Numbers of the keeps of which something speaks against, those among them that only the rule confirms."""
    rows = [*(row for row, _ in doubts(facts)), *_only_by_the_rule(facts.kept)]
    return sorted({row.experiment.number for row in rows})


def by_luck(facts: Facts) -> str:
    """How many keeps the number of looks alone explains: the rule's error is that of one experiment, not of a night."""
    looks, alpha = len(facts.judged), facts.alpha
    if alpha is None:
        return f"{looks:,} were judged, and the more there are, the more keeps luck alone gives if nothing works."
    most = f"up to about {alpha * looks:,.1f} keeps would come of luck alone if nothing worked"
    return f"{looks:,} were judged at α = {alpha:g} each: {most}."


def whole_gain(facts: Facts) -> tuple[Interval, Interval] | None:
    """What the night was worth: the baseline's rate and the champion's; None while that is nothing."""
    baseline, champion = facts.baseline, facts.champion
    if baseline is None or champion is None or champion.experiment.number == BASELINE:
        return None
    first, last = reference(baseline), reference(champion)
    return (first, last) if first and last else None


def _evidence(facts: Facts, row: Row) -> tuple[str, ...]:
    verdict, standing = row.verdict, facts.standings.get(row.experiment.number)
    won, anytime = (verdict.win_rate, verdict.anytime) if verdict else (None, None)
    cells = [
        f"#{row.experiment.number}",
        changed(row),
        f"{verdict.wins:,} : {verdict.losses:,}" if verdict else "–",
        per_cent(won.estimate) if won else "–",
        ends(won) if won else "–",
        ends(anytime) if anytime else "–",
        points(verdict.shrunken - EVEN / 100) if verdict and verdict.shrunken is not None else "–",
        with_half_width(reference(row)),
    ]
    if facts.standings:
        cells.append(with_half_width(standing.reference) if standing else "–")
    return tuple(cells)


def _weak(row: Row) -> Iterator[str]:
    verdict = row.verdict
    if verdict is None:
        return
    if _holds_even(verdict.win_rate):
        yield f"its 95 % interval, {ends(verdict.win_rate)} %, includes even"
    if verdict.shrunken is not None and verdict.shrunken - EVEN / 100 < SMALL and verdict.win_rate:
        raw = points(verdict.win_rate.estimate - EVEN / 100)
        yield f"its lead of {raw} shrinks to {points(verdict.shrunken - EVEN / 100)} against the winner's curse"


def _only_by_the_rule(keeps: Sequence[Row]) -> list[Row]:
    """Kept by the rule, which looks in one direction; the interval of both directions does not confirm it yet."""
    return [row for row in keeps if row.verdict and _holds_even(row.verdict.anytime) and not any(_weak(row))]


def _narrow(keeps: Sequence[Row]) -> Iterator[str]:
    if narrow := _only_by_the_rule(keeps):
        one_by_one = listed([row.experiment.number for row in narrow])
        yield (
            f"{one_by_one}: kept by the rule, while the wider interval that holds however often one looks still "
            "includes even; more votes would settle it."
        )


def _holds_even(interval: Interval | None) -> TypeGuard[Interval]:
    return interval is not None and interval.low <= EVEN / 100 <= interval.high


def _fallen(facts: Facts, row: Row) -> Iterator[str]:
    standing, then = facts.standings.get(row.experiment.number), reference(row)
    if standing and then and (lost := then.estimate - standing.reference.estimate) >= FALLEN:
        now = per_cent(standing.reference.estimate)
        yield (
            f"{per_cent(then.estimate)} % against the reference when it was kept, {now} % by all votes of the "
            f"run so far ({points(-lost)})"
        )


def _overtaken(facts: Facts) -> dict[int, list[str]]:
    """Keeps that everything built on them scored below: the sign of a lucky first measurement."""
    later, best = Counter[int](), dict[int, float]()
    for row in sorted(facts.rows, key=lambda row: len(row.contains), reverse=True):
        number, parent, rate = row.experiment.number, row.experiment.parent, reference(row)
        if parent is None:
            continue
        counts = row.experiment.state is State.KEPT and rate is not None
        later[parent] += later[number] + counts
        highest = max(best.get(number, 0.0), rate.estimate if counts and rate else 0.0)
        best[parent] = max(best.get(parent, 0.0), highest)
    found: dict[int, list[str]] = {}
    for row in facts.kept:
        own, number = reference(row), row.experiment.number
        if own and later[number] and best[number] < own.estimate:
            found[number] = [
                f"it scored {per_cent(own.estimate)} %, and {count(later[number], 'keep')} built on it scored below "
                f"that, at most {per_cent(best[number])} %: its own score may have been luck"
            ]
    return found


def _one_training(facts: Facts, keeps: Sequence[Row]) -> str:
    judged = f"{facts.metric} was measured on one training each: the intervals hold the chance in the held-out pairs"
    seeds = "not that in the seed of a training, so a lead within a point or two may be the seed's"
    doubt = f" That goes for {listed([row.experiment.number for row in keeps], 6)}." if keeps else ""
    return f"{judged}, {seeds}.{doubt}"


def _whole_gain(facts: Facts) -> Iterator[str]:
    if gain := whole_gain(facts):
        first, last = gain
        said = "overlap" if last.low <= first.high else "do not overlap"
        yield (
            f"The champion stands {points(last.estimate - first.estimate)} over the baseline; their 95 % intervals "
            f"{said} ({ends(first)} and {ends(last)})."
        )
