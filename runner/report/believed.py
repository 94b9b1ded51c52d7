"""Whom the votes place where, and what that is worth: agreement, the place's advantage, metrics, promotion."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from checkpoints.reader import Reader
from checkpoints.records import REFERENCE, Interval
from checkpoints.trust import Calibration, Exclusion, Look, Promotion, PromotionTest
from lanes.analyze.findings import Correlation, Strength, Trust
from lanes.analyze.study import NAME, Study, of_insight
from runner.figures import BLUE, Figure, Points
from runner.report.blocks import Block, Bullets, Column, Paragraph, Picture, Report, Section, Table
from runner.report.wording import count, day_and_time, per_cent, shortened, with_interval

MOST = 30
"""Models, and pairs, that are shown one by one."""

DISAGREEMENTS = 5
"""Pairs that a metric and people order in opposite ways that are named."""

_ELO_MARGIN = 0.08
"""Share of a scatter plot's height, and width, that is left free at each end."""


@dataclass(frozen=True, slots=True)
class Believed:
    """What the store says of it at one moment."""

    study: Study | None
    """None before the first vote, and where a metric judges."""

    excluded: tuple[Exclusion, ...]
    calibrations: tuple[Calibration, ...]
    tests: tuple[PromotionTest, ...]
    looks: tuple[Look, ...]
    """The last few of the last test."""

    promotions: tuple[Promotion, ...]


def gather(read: Reader) -> Believed:
    """Read it.

    Raises:
        sqlite3.Error: The store cannot be read.
    """
    found, tests = read.insight(NAME), read.promotion_tests()
    return Believed(
        study=of_insight(found) if found else None,
        excluded=tuple(read.exclusions()),
        calibrations=tuple(read.calibrations()),
        tests=tuple(tests),
        looks=tuple(read.looks_of(tests[-1].number)[-5:]) if tests else (),
        promotions=tuple(read.promotions()),
    )


def page(name: str, believed: Believed) -> Report:
    """It as a page of its own."""
    sections = (
        Section("Ranking", tuple(ranking(believed))),
        Section("Voters", tuple(voters(believed))),
        Section("Metrics against people", tuple(metrics(believed))),
        Section("Promotion", tuple(promotion(believed))),
    )
    return Report(name, (), (), (), sections, ())


def ranking(believed: Believed) -> Iterator[Block]:
    """All models of the run by Bradley–Terry."""
    study = believed.study
    if study is None:
        yield Paragraph("Nobody has voted yet, or the votes have not been studied: that is done after each verdict.")
        return
    columns = (
        Column("model"), Column("Elo", True), Column("95 % interval", True), Column("against the reference, %", True),
        Column("95 % interval, %", True), Column("votes", True),
    )  # fmt: skip
    yield Table(columns, tuple(map(_place, study.strengths[:MOST])))
    if len(study.strengths) > MOST:
        yield Paragraph(f"and {len(study.strengths) - MOST:,} more below them.")
    if study.unknown:
        names = ", ".join(study.unknown[:MOST])
        yield Paragraph(f"No chain of wins links these to the others, so nothing can be said of them: {names}.")
    yield Paragraph(
        f"Bradley–Terry over {count(study.votes, 'vote')}, a tie half a win to each; intervals from "
        f"{study.resamples:,} resamples of the {count(study.voters, 'voter')}, so that many votes of one are not many "
        f"voters. {_older(study)}".strip()
    )


def voters(believed: Believed) -> Iterator[Block]:
    """Who votes, and how far they agree."""
    lines: list[str] = []
    if study := believed.study:
        simulated = f", {study.simulated:,} of them simulated" if study.simulated else ""
        lines += [f"{count(study.voters, 'voter')}{simulated}.", study.agreement.sentence, study.position.sentence]
    for one in believed.excluded[:MOST]:
        lines.append(f"{one.voter} was excluded on {day_and_time(one.at)}: {shortened(one.reason, 160)}.")
    for one in believed.calibrations[-1:]:
        fate = "passed" if one.passed else "not passed"
        lines.append(f"Judge {one.judge}, {fate} on {count(one.labels, 'label')}: {shortened(one.reason, 200)}")
    yield Bullets(tuple(filter(None, lines))) if lines else Paragraph("Nobody has voted yet.")


def metrics(believed: Believed) -> Iterator[Block]:
    """Each automatic metric held against the people's ranking."""
    found = believed.study.trusts if believed.study else ()
    if not found:
        yield Paragraph("No metric was measured on two models that people have voted on.")
    for one in found:
        yield Paragraph(one.sentence)
        yield Picture(_scatter(one), _numbers(one))
        if one.disagreements:
            yield Bullets(tuple(_disagreements(one)))


def promotion(believed: Believed) -> Iterator[Block]:
    """What is served for good, and what the tests on fresh votes said."""
    standing = [one for one in believed.promotions if one.until is None]
    for one in standing:
        lift = f", {with_interval(one.lift)} on fresh votes" if one.lift else ""
        yield Paragraph(f"exp-{one.experiment:04d} is promoted since {day_and_time(one.since)}{lift}.")
    if not standing:
        yield Paragraph("Nothing is promoted: `autoresearch-tui promote` does it, or says what that lacks.")
    if believed.tests:
        yield Bullets(tuple(_test(one) for one in believed.tests[-5:]))
    if believed.looks:
        said = ", ".join(f"{one.model} ({one.voters})" for one in believed.looks)
        yield Paragraph(
            f"Recommended at the last looks of test {believed.looks[-1].test}, with the voters behind it: {said}."
        )


def _place(one: Strength) -> tuple[str, ...]:
    rate = one.reference
    return (
        one.model,
        _elo(one.elo.estimate),
        f"{_elo(one.elo.low)} to {_elo(one.elo.high)}",
        per_cent(rate.estimate) if rate and one.model != REFERENCE else "–",
        f"{per_cent(rate.low)} to {per_cent(rate.high)}" if rate and one.model != REFERENCE else "–",
        f"{one.votes:,}",
    )


def _elo(value: float) -> str:
    return f"{value:.0f}" if math.isfinite(value) else ("∞" if value > 0 else "−∞")


def _older(study: Study) -> str:
    left_out = [
        f"{number:,} {what} left out"
        for number, what in ((study.left_out, "older votes were"), (study.models_left_out, "older models were"))
        if number
    ]
    return f"{' and '.join(left_out)}." if left_out else ""


def _numbers(one: Trust) -> str:
    """``Spearman −0.20 [−1.00, 0.90], p = 0.80; Kendall …``."""
    parts = [
        _correlation(name, value) for name, value in (("Spearman", one.spearman), ("Kendall", one.kendall)) if value
    ]
    return "; ".join(parts) or f"{one.metric} of {count(len(one.points), 'model')}: too few to order"


def _correlation(name: str, found: Correlation) -> str:
    exact = "exact" if found.exact else f"of {found.permutations:,} orders"
    interval = found.interval
    return f"{name} {interval.estimate:.2f} [{interval.low:.2f}, {interval.high:.2f}], p = {found.p:.2f} ({exact})"


def _disagreements(one: Trust) -> Iterator[str]:
    for pair in one.disagreements[:DISAGREEMENTS]:
        sure = f"{100 * pair.sure:.0f} %" if pair.sure < 0.995 else "over 99 %"
        yield f"{one.metric} puts {pair.by_metric} before {pair.by_people}; people do not, {sure} sure"
    if (more := len(one.disagreements[DISAGREEMENTS:]) + one.more) > 0:
        yield f"and {count(more, 'pair')} more"


def _test(one: PromotionTest) -> str:
    if one.ended_at is None:
        return f"test {one.number} on fresh votes goes on"
    return f"test {one.number}: {shortened(one.reason, 240)}"


def _scatter(one: Trust) -> Figure:
    """The metric to the right, people's Elo upwards; models in a pair that disagrees are open signs."""
    torn = {name for pair in one.disagreements for name in (pair.by_metric, pair.by_people)}
    points = tuple(
        Points(
            label, sign, BLUE, tuple(point.value for point in chosen), tuple(point.elo.estimate for point in chosen),
            *_closed([point.elo for point in chosen]),
        )
        for label, sign, chosen in (
            ("agrees", "dot", [point for point in one.points if point.model not in torn]),
            ("in a pair that disagrees", "ring", [point for point in one.points if point.model in torn]),
        )
        if chosen
    )  # fmt: skip
    values = [point.value for point in one.points]
    elos = [elo for each in points for elo in (*each.low, *each.high, *each.ys)]
    return Figure(
        title=f"{one.metric} against people",
        x_label=one.metric,
        y_label=f"people's Elo upwards; {one.metric} {min(values):.3g} to {max(values):.3g} to the right",
        points=points,
        y_limits=_around(elos),
        x_limits=_around(values),
    )


def _closed(intervals: list[Interval]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Both ends, an open one at the estimate: a plot has no infinity."""
    return (
        tuple(one.low if math.isfinite(one.low) else one.estimate for one in intervals),
        tuple(one.high if math.isfinite(one.high) else one.estimate for one in intervals),
    )


def _around(values: list[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    free = _ELO_MARGIN * (high - low) or 0.5
    return low - free, high + free
