"""When a zoom-out is due unasked: on schedule, on a plateau, after a streak of one category."""

from __future__ import annotations

from checkpoints.records import Change, Experiment, Outcome, Proposal, Row, State, Verdict, ZoomOut
from runner.agent.diversity import barred
from runner.agent.zoom_out import due
from runner.settings import ZoomOut as Settings

NEVER = Settings(every=1000, plateau=1000, streak=1000)
STATES = {Outcome.KEEP: State.KEPT, Outcome.DISCARD: State.DISCARDED, None: State.TRAINING}
CATEGORIES = ("data", "loss", "capacity", "schedule")


def row(number: int, outcome: Outcome | None = Outcome.DISCARD, category: str = "", state: State | None = None) -> Row:
    """An experiment that was proposed at its number; each of another category than its neighbours."""
    category = category or CATEGORIES[number % 4]
    proposal = Proposal("", category, Change("f", 0, number), "test") if number else Proposal("", "", None, "program")
    end = state or STATES.get(outcome, State.INCONCLUSIVE)
    verdict = Verdict(number, outcome, 0, 0, 0, None, None, None, None, "", 0.0) if outcome else None
    return Row(Experiment(number, end, proposal, None, None, None, float(number), None, ""), verdict)


BASE = row(0, Outcome.KEEP)


def taken(at: float) -> ZoomOut:
    return ZoomOut(1, "scheduled", "", "", (), at)


def test_nothing_is_due_before_anything_happened() -> None:
    assert due([], [], Settings(every=1, plateau=1, streak=1)) is None
    assert due([BASE], [], Settings(every=1, plateau=1, streak=1)) is None


def test_it_is_due_every_so_many_experiments_and_counts_from_the_last_one() -> None:
    settings = NEVER.model_copy(update={"every": 3})
    rows = [BASE, *(row(number, Outcome.KEEP) for number in (1, 2, 3, 4, 5))]
    assert due(rows[:3], [], settings) is None
    assert due(rows[:4], [], settings) == "scheduled"
    assert due(rows[:6], [taken(3.5)], settings) is None
    assert due([*rows, row(6)], [taken(3.5)], settings) == "scheduled"


def test_it_is_due_after_so_many_verdicts_without_a_keep() -> None:
    settings = NEVER.model_copy(update={"plateau": 3})
    rows = [BASE, row(1), row(2, Outcome.INCONCLUSIVE), row(3, Outcome.CRASH)]
    assert due(rows[:3], [], settings) is None
    assert due(rows, [], settings) == "plateau"
    assert due([*rows[:3], row(3, None)], [], settings) is None, "what is under way is no verdict"
    assert due([*rows, row(4)], [taken(1.5)], settings) == "plateau"
    assert due([*rows, row(4)], [taken(2.5)], settings) is None


def test_a_keep_puts_off_the_plateau_and_does_not_prevent_it() -> None:
    settings = NEVER.model_copy(update={"plateau": 3})
    rows = [BASE, row(1), row(2), row(3, Outcome.KEEP), row(4), row(5)]
    assert due(rows, [], settings) is None
    assert due([*rows, row(6)], [], settings) == "plateau"


def test_it_is_due_after_so_many_proposals_of_one_category_without_a_keep() -> None:
    settings = NEVER.model_copy(update={"streak": 3})
    rows = [BASE, row(1, category="loss"), row(2, None, "data"), row(3, None, "data")]
    assert due(rows, [], settings) is None
    assert due([*rows, row(4, None, "data")], [], settings) == "streak"
    kept = [BASE, row(1, category="data"), row(2, Outcome.KEEP, "data"), row(3, category="data"), row(4, None, "data")]
    assert due(kept, [], settings) is None


def test_a_keep_that_a_person_vetoed_ends_no_streak_and_what_a_person_kept_does() -> None:
    settings = NEVER.model_copy(update={"streak": 3})
    rows = [BASE, row(1, Outcome.KEEP, "data", State.VETOED), row(2, category="data"), row(3, None, "data")]
    assert due(rows, [], settings) == "streak" and list(barred(rows, [], None, CATEGORIES, 3, {})) == ["data"]
    rows[2] = row(2, Outcome.DISCARD, "data", State.KEPT)
    assert due(rows, [], settings) is None and barred(rows, [], None, CATEGORIES, 3, {}) == {}


def test_what_was_cancelled_counts_for_nothing() -> None:
    rows = [BASE, *(row(number, None, "data", State.CANCELLED) for number in range(1, 9))]
    assert due(rows, [], Settings(every=2, plateau=2, streak=2)) is None
