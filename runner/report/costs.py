"""What the night cost: time by lane, who waited for what, and money where the program names a price."""

from __future__ import annotations

from collections.abc import Iterator

from runner.report.blocks import Block, Column, Paragraph, Table
from runner.report.facts import Facts, LaneTime
from runner.report.wording import long, shortened

REASONS = 4
"""Things that a lane waited for which are named; the rest is summed."""


def costs(facts: Facts) -> Iterator[Block]:
    """The price, then the lanes."""
    trained = training_seconds(facts)
    dollars = spent(facts)
    priced = f" at ${facts.run.usd_per_hour:g} an hour: ${dollars:.2f}" if dollars is not None else ""
    unpriced = "" if dollars is not None else "; budget.usd_per_hour in program.md gives it a price"
    yield Paragraph(f"Training took {long(trained)}{priced}{unpriced}.")
    columns = (
        Column("lane"), Column("passages", True), Column("failed", True), Column("busy", True),
        Column("of the time", True), Column("waited", True), Column("for what", long=True),
    )  # fmt: skip
    whole = max(facts.until - facts.run.created_at, 1.0)
    yield Table(columns, tuple(_lane(lane, whole) for lane in facts.lanes))
    until = "to its end" if facts.finished_at else "until now" if facts.driven else "to its last verdict"
    yield Paragraph(f"Of {long(whole)} from its beginning {until}.")


def training_seconds(facts: Facts) -> float:
    """Of all trainings together, those that failed too."""
    took = sum(row.train_seconds or 0.0 for row in facts.rows)
    lane = next((lane.busy for lane in facts.lanes if lane.lane == "train"), 0.0)
    return max(took, lane)


def spent(facts: Facts) -> float | None:
    """Dollars for training; None where the program names no price."""
    price = facts.run.usd_per_hour
    return None if price is None else training_seconds(facts) / 3600 * price


def _lane(lane: LaneTime, whole: float) -> tuple[str, ...]:
    named = [f"{long(seconds)} for {shortened(what, 90)}" for what, seconds in lane.waited[:REASONS] if seconds >= 0.5]
    if (rest := sum(seconds for _, seconds in lane.waited[REASONS:])) >= 0.5:
        named.append(f"{long(rest)} for other things")
    return (
        str(lane.lane),
        f"{lane.passages:,}",
        f"{lane.failed:,}",
        long(lane.busy),
        f"{100 * min(lane.busy / whole, 1):.0f} %",
        long(lane.idle),
        "; ".join(named) or "nothing",
    )
