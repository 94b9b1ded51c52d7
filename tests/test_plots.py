"""The plots: axes that hold still, thinning that keeps its place, signs for every state."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkpoints.records import State
from tui.axes import Limits, around, experiments_ahead
from tui.plots import (
    Curve,
    Point,
    load,
    loaded,
    losses,
    smooth,
    thin,
    win_rates,
)
from tui.signs import STATES

values = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50)
LIMITS = Limits(45, 65)


@given(values)
def test_limits_around_values_contain_them(found: list[float]) -> None:
    limits = around(found)
    assert limits.lower <= min(found) <= max(found) <= limits.upper
    assert limits.lower < limits.upper


@given(values, values)
def test_an_axis_stays_until_the_data_leaves_it(first: list[float], later: list[float]) -> None:
    before = around(first)
    after = before.hold(later)
    inside = all(before.lower <= value <= before.upper for value in later)
    assert (after == before) is inside
    assert after.lower <= before.lower and before.upper <= after.upper


@given(st.integers(0, 5000), st.integers(0, 5000), st.integers(24, 200))
def test_the_axis_of_experiments_never_shrinks_and_always_holds_the_latest(
    latest: int, budget: int, columns: int
) -> None:
    assert experiments_ahead(latest, budget, columns) >= latest
    assert (
        experiments_ahead(latest + 1, budget, columns) >= experiments_ahead(latest, budget, columns) or latest == budget
    )


def test_the_axis_of_experiments_is_the_budget_from_the_start_where_it_fits() -> None:
    assert {experiments_ahead(latest, 20, 58) for latest in range(21)} == {20}


@given(st.lists(st.floats(0.1, 10), min_size=1, max_size=60), st.floats(0, 0.95))
def test_an_average_starts_at_the_first_loss_and_stays_between_the_extremes(raw: list[float], weight: float) -> None:
    smoothed = smooth(raw, weight)
    assert smoothed[0] == pytest.approx(raw[0])
    assert all(min(raw) - 1e-9 <= value <= max(raw) + 1e-9 for value in smoothed)


def test_thinning_takes_the_mean_of_fixed_buckets_so_that_old_points_stay_where_they_are() -> None:
    steps = [float(step) for step in range(1, 1001)]
    raw = [1 / step for step in steps]
    shorter = thin(steps[:800], raw[:800], 1000, 100)
    longer = thin(steps, raw, 1000, 100)
    assert len(longer[0]) <= 100
    assert shorter[0][:80] == longer[0][:80]
    assert shorter[1][:80] == longer[1][:80]


@pytest.mark.parametrize("state", [State.KEPT, State.DISCARDED, State.INCONCLUSIVE, State.VETOED])
def test_each_state_has_its_sign_at_its_rate(state: State) -> None:
    lines = win_rates([Point(4, state, 60, 57, 63)], 60, 12, 20, LIMITS)
    row = next(index for index, line in enumerate(lines) if STATES[state].mark in line.plain)
    assert row < 5
    assert len(lines) == 12 and all(line.cell_len == 60 for line in lines)


def test_a_crash_stands_at_the_foot() -> None:
    lines = win_rates([Point(4, State.CRASHED)], 60, 12, 20, LIMITS)
    assert "×" in lines[9].plain


def test_even_is_ruled_and_keeps_are_joined_by_the_best() -> None:
    points = [Point(0, State.KEPT, 53), Point(5, State.KEPT, 58), Point(9, State.DISCARDED, 52)]
    drawn = [line.plain for line in win_rates(points, 60, 12, 20, LIMITS)]
    assert any("50" in line and "┈┈┈┈" in line for line in drawn)
    assert any("●────" in line for line in drawn)


def test_a_vetoed_keep_is_not_part_of_the_line() -> None:
    points = [Point(0, State.KEPT, 53), Point(5, State.VETOED, 58), Point(9, State.DISCARDED, 52)]
    drawn = [line.plain for line in win_rates(points, 60, 12, 20, LIMITS)]
    assert not any("⊘─" in line for line in drawn)


def test_of_ten_thousand_experiments_every_keep_is_drawn() -> None:
    points = [Point(n, State.KEPT if n % 2000 == 0 else State.DISCARDED, 55, 53, 57) for n in range(10_000)]
    drawn = "".join(line.plain for line in win_rates(points, 60, 12, 12_288, LIMITS))
    assert drawn.count("●") == 5


def test_a_further_step_changes_few_lines_of_the_plot() -> None:
    steps = [float(step) for step in range(1, 301)]
    raw = [1 + math.exp(-step / 60) for step in steps]
    limits = around(raw)

    def drawn(until: int) -> list[str]:
        candidate = Curve("candidate #4", tuple(steps[:until]), tuple(raw[:until]))
        champion = Curve("champion #2", tuple(steps), tuple(raw))
        return [line.plain for line in losses(candidate, champion, 58, 12, 600, limits)]

    before, after = drawn(200), drawn(201)
    assert sum(old != new for old, new in zip(before, after, strict=True)) <= 2


def test_a_loss_beyond_the_axis_is_drawn_at_its_edge_and_breaks_nothing() -> None:
    lines = losses(Curve("candidate #1", (1.0, 2.0), (1e9, 1.0)), None, 40, 8, 10, Limits(0, 2))
    assert len(lines) == 8
    assert "candidate #1" in "".join(line.plain for line in lines)


def test_plotext_is_loaded_when_asked_and_not_before() -> None:
    load()
    assert loaded()


@pytest.mark.parametrize("limits", [Limits(20, 100), Limits(0, 100), Limits(45, 65), Limits(10, 55)])
def test_even_is_labelled_on_every_axis_of_win_rates(limits: Limits) -> None:
    load()
    lines = [line.plain for line in win_rates([Point(0, State.KEPT, 52, 50, 54)], 58, 12, 8, limits)]
    assert [line for line in lines if line.lstrip().startswith("50")]


def test_an_axis_within_what_is_possible_ends_there() -> None:
    assert Limits(-20, 120).within(0, 100) == Limits(0, 100)
    assert Limits(40, 70).within(0, 100) == Limits(40, 70)


@pytest.mark.parametrize("height", [6, 9, 12, 30])
@pytest.mark.parametrize("limits", [Limits(0.25, 0.95), Limits(0.1, 0.9), Limits(0.48, 0.52), Limits(1.5, 7)])
def test_an_axis_of_losses_has_two_labels_that_differ(limits: Limits, height: int) -> None:
    load()
    drawn = losses(Curve("c", (1.0, 9.0), (limits.upper, limits.lower)), None, 58, height, 10, limits)
    labels = [line.plain.partition("┤")[0].strip() for line in drawn if "┤" in line.plain]
    assert len(labels) >= 2 and len(set(labels)) == len(labels)
    assert all(limits.lower <= float(label) <= limits.upper for label in labels)
