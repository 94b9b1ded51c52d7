"""The plots: axes that hold still, thinning that keeps its place, signs for every state, and no braille where asked."""

import math
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkpoints.records import (
    Experiment,
    Interval,
    Intervention,
    Metric,
    Outcome,
    Proposal,
    Row,
    State,
    Step,
    Verdict,
    ZoomOut,
)
from runner.figures import BLUE, ORANGE, Figure, Line
from runner.trails import final_loss, framed, marks, trail, win_rates
from tui.axes import Limits, around, experiments_ahead, log_ticks
from tui.plots import Frame, load, loaded, paint
from tui.plots.thinning import smooth, thin
from tui.plots.training import logged, shown, training
from tui.plots.votes import Ballots, votes
from tui.series import Series
from tui.signs import STATES
from tui.snapshot import Snapshot
from tui.widgets.training_plot import TrainingPlot

values = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50)
LIMITS = Limits(45, 65)


def row(number: int, state: State, rate: float | None = None, half: float = 3) -> Row:
    """An experiment that was judged, its rate against the reference in per cent."""
    interval = None if rate is None else Interval(rate / 100, (rate - half) / 100, (rate + half) / 100)
    experiment = Experiment(number, state, Proposal("h", "data", None, "p"), {}, None, None, 10.0 * number, None, "")
    verdict = Verdict(number, Outcome.KEEP, 60, 40, 0, None, None, None, interval, "why", 10.0 * number + 5)
    return Row(experiment, verdict, 1.2)


def drawn(
    rows: Sequence[Row], width: int = 60, height: int = 12, right: int = 20, limits: Limits = LIMITS
) -> list[str]:
    """The plot of win rates, line by line."""
    load()
    found = win_rates(rows, "", False)
    assert found
    lines = paint(
        framed(found, (limits.lower, limits.upper), ()), Frame(width, height, Limits(-0.6, right + 0.6), limits)
    )
    assert len(lines) == height and all(line.cell_len == width for line in lines)
    return [line.plain for line in lines]


def curves(
    candidate: tuple[Sequence[float], Sequence[float]],
    champion: tuple[Sequence[float], Sequence[float]] | None = None,
    *,
    right: float,
    limits: Limits,
    size: tuple[int, int] = (58, 12),
    plain: bool = False,
    log: bool = False,
) -> list[str]:
    """The plot of a training, line by line."""
    load()

    def series(number: int, points: tuple[Sequence[float], Sequence[float]]) -> Series:
        steps, losses = points
        logs = zip(steps, losses, strict=True)
        return Series(number, tuple(Metric(number, "train", int(step), {"loss": loss}) for step, loss in logs))

    own = shown(series(4, candidate), "loss", right)
    rival = shown(series(2, champion), "loss", right) if champion else None
    assert own
    frame = Frame(*size, Limits(0, right), limits, log, plain)
    return [line.plain for line in paint(training("loss", own, rival), frame)]


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
    shorter = thin(steps[:800], raw[:800], Limits(0, 1000), 100)
    longer = thin(steps, raw, Limits(0, 1000), 100)
    assert len(longer[0]) <= 100
    assert shorter[0][:80] == longer[0][:80]
    assert shorter[1][:80] == longer[1][:80]


@pytest.mark.parametrize("state", [State.KEPT, State.DISCARDED, State.INCONCLUSIVE, State.VETOED])
def test_each_state_has_its_sign_at_its_rate(state: State) -> None:
    lines = drawn([row(4, state, 60)])
    assert next(index for index, line in enumerate(lines) if STATES[state].mark in line) < 5


def test_a_crash_stands_at_the_foot_and_what_was_cancelled_nowhere() -> None:
    lines = drawn([row(0, State.KEPT, 53), row(4, State.CRASHED), row(5, State.CANCELLED, 60)])
    assert "×" in lines[9]
    assert "–" not in "".join(lines)


def test_even_is_ruled_and_keeps_are_joined_by_the_best() -> None:
    lines = drawn([row(0, State.KEPT, 53), row(5, State.KEPT, 58), row(9, State.DISCARDED, 52)])
    assert any("50" in line and "┈┈┈┈" in line for line in lines)
    assert any("●────" in line for line in lines)


def test_a_vetoed_keep_is_not_part_of_the_line() -> None:
    lines = drawn([row(0, State.KEPT, 53), row(5, State.VETOED, 58), row(9, State.DISCARDED, 52)])
    assert not any("⊘─" in line for line in lines)


def test_of_ten_thousand_experiments_every_keep_is_drawn_and_the_rest_is_a_cloud() -> None:
    rows = [row(n, State.KEPT if n % 2000 == 0 else State.DISCARDED, 55 + n / 2500 - n % 7) for n in range(10_000)]
    lines = "".join(drawn(rows, right=12_288))
    assert lines.count("●") == 5
    assert "○" not in lines
    assert sum("\u2800" < sign <= "\u28ff" for sign in lines) > 50


def test_one_that_failed_badly_does_not_flatten_all_others() -> None:
    near = win_rates([row(n, State.DISCARDED, 50 + n) for n in range(9)], "", False)
    far = win_rates([*(row(n, State.DISCARDED, 50 + n) for n in range(9)), row(9, State.DISCARDED, 3)], "", False)
    assert near and far
    assert far.seen == near.seen


def test_marks_stand_where_a_person_changed_something_and_where_stock_was_taken() -> None:
    rows = [row(n, State.DISCARDED, 52) for n in range(5)]
    done = [
        Intervention(number, step, None, {}, "", at, acknowledged, effect)
        for number, (step, at, acknowledged, effect) in enumerate([
            (Step.INJECT, 25.0, 26.0, "it is next"),
            (Step.VETO, 31.0, None, ""),
            (Step.VETO, 32.0, 33.0, "refused: it is no keep"),
            (Step.PAUSE, 34.0, 35.0, "paused"),
        ])
    ]  # fmt: skip
    found = marks(rows, done, [ZoomOut(1, "forced", "", "", (), 41.0)])
    assert [(mark.x, mark.label) for mark in found] == [(4.5, "zoom-out"), (2.5, "a person's step")]
    figure = framed(win_rates(rows, "", False) or pytest.fail("no trail"), (45, 65), found)
    axis = paint(figure, Frame(60, 12, Limits(-0.6, 20.6), LIMITS))[-2].plain
    assert axis.index("▴") < axis.index("↗")


def test_a_further_step_changes_few_lines_of_the_plot() -> None:
    steps = [float(step) for step in range(1, 301)]
    raw = [1 + math.exp(-step / 60) for step in steps]
    limits = around(raw)
    before, after = (
        curves((steps[:until], raw[:until]), (steps, raw), right=600, limits=limits) for until in (200, 201)
    )
    assert sum(old != new for old, new in zip(before, after, strict=True)) <= 2


def test_without_colours_the_champion_is_told_from_the_candidate_by_its_dashes() -> None:
    steps = [float(step) for step in range(1, 301)]
    lines = curves((steps, [2.0] * 300), (steps, [1.0] * 300), right=300, limits=Limits(0.5, 2.5))
    own, rival = (next(line for line in lines if line.startswith(label)) for label in ("2.0", "1.0"))
    assert " " not in own[5:-2].strip()
    assert own.count(" ") + 10 < rival.count(" ")
    assert any("━ candidate #4" in line for line in lines) and any("╍ champion #2" in line for line in lines)


def test_a_plain_plot_has_no_sign_that_is_not_ascii_but_those_of_states() -> None:
    steps = [float(step) for step in range(1, 101)]
    lines = curves((steps, [2.0] * 100), (steps, [1.0] * 100), right=100, limits=Limits(0.5, 2.5), plain=True)
    assert all(line.isascii() for line in lines)
    assert any("****" in line for line in lines) and any("++" in line for line in lines)
    figure = framed(
        win_rates([row(0, State.KEPT, 53), row(5, State.KEPT, 58)], "", False) or pytest.fail(), (45, 65), ()
    )
    plain = paint(figure, Frame(60, 12, Limits(-0.6, 20.6), LIMITS, plain=True))
    assert all(line.plain.replace("●", "").isascii() for line in plain)


def test_a_loss_beyond_the_axis_is_drawn_at_its_edge_and_breaks_nothing() -> None:
    lines = curves(((1.0, 2.0), (1e9, 1.0)), right=10, limits=Limits(0, 2), size=(40, 8))
    assert len(lines) == 8
    assert "candidate #4" in "".join(lines)


@pytest.mark.parametrize("log", [False, True])
def test_numbers_as_large_and_as_small_as_there_are_break_nothing(log: bool) -> None:
    plot = TrainingPlot()
    logged = [1.7e308, 5e-324, 1.0] if log else [1.7e308, -1.7e308, 5e-324]
    trained = Series(4, tuple(Metric(4, "train", step, {"loss": loss}) for step, loss in enumerate(logged, 1)))
    plot.snapshot = Snapshot(candidate=trained)
    plot.turn_axis()
    picture = plot.picture(58)
    assert picture and picture.log is log
    assert len(paint(picture.figure, Frame(58, 12, picture.x, picture.y, picture.log))) == 12


def test_a_logarithmic_axis_gives_each_tenfold_the_same_room() -> None:
    lines = curves(((1.0, 9.0), (100.0, 0.1)), right=10, limits=Limits(0.1, 100), size=(40, 14), log=True)
    rows = {label: index for index, line in enumerate(lines) if (label := line.partition("┤")[0].strip())}
    assert rows["1"] - rows["10"] == pytest.approx(rows["10"] - rows["100"], abs=1)


@given(st.floats(-8, 8), st.floats(0.05, 12), st.integers(2, 15))
def test_a_logarithmic_axis_has_two_labels_at_least_and_not_more_than_have_room(
    lower: float, spread: float, most: int
) -> None:
    found = log_ticks(Limits(lower, lower + spread), most)
    assert 2 <= len(found) <= most + 2
    assert all(lower - 1e-9 <= math.log10(value) <= lower + spread + 1e-9 for value in found)


def test_series_are_offered_loss_first_and_by_what_people_ask_for() -> None:
    names = {"entropy": 1.0, "grad_norm": 1.0, "epoch": 0.1, "loss": 2.0, "rewards/accuracies": 0.5, "zeta": 1.0}
    series = Series(3, (Metric(3, "train", 1, names),), (Metric(3, "eval", 1, {"eval_loss": 2.1}),))
    assert logged(series, None) == ["loss", "rewards/accuracies", "grad_norm", "entropy", "zeta"]
    found = shown(series, "loss", 10)
    assert found and found.tests == ((1.0,), (2.1,))


def test_the_interval_of_votes_narrows_and_is_the_one_that_holds_at_any_time() -> None:
    wins = tuple(round(0.6 * vote) for vote in range(1, 401))
    figure = votes(Ballots(3, 1, 400, wins), 400, 58, simulated=False)
    band = figure.bands[0]
    widths = [high - low for low, high in zip(band.low, band.high, strict=True)]
    assert len(widths) < 80 and widths[-1] < widths[0] / 3
    assert band.low[-1] < 55 < figure.lines[0].ys[-1] == pytest.approx(60)


def test_a_picture_may_be_larger_than_the_terminal_it_is_drawn_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("LINES", "10")
    assert len(drawn([row(0, State.KEPT, 53)], 150, 50)) == 50


def test_a_figure_says_of_each_line_what_it_is() -> None:
    load()
    lines = (Line("one", ORANGE, (0, 9), (1, 2)), Line("two", BLUE, (0, 9), (2, 1), dashed=True))
    found = paint(Figure("t", "x", "y", lines=lines), Frame(40, 8, Limits(0, 9), Limits(0, 3)))
    assert found[0].plain.endswith("╍ two") and found[1].plain.endswith("━ one")


def test_plotext_is_loaded_when_asked_and_not_before() -> None:
    load()
    assert loaded()


@pytest.mark.parametrize("limits", [Limits(20, 100), Limits(0, 100), Limits(45, 65), Limits(10, 55)])
def test_even_is_labelled_on_every_axis_of_win_rates(limits: Limits) -> None:
    lines = drawn([row(0, State.KEPT, 52)], 58, 12, 8, limits)
    assert [line for line in lines if line.lstrip().startswith("50")]


def test_an_axis_within_what_is_possible_ends_there() -> None:
    assert Limits(-20, 120).within(0, 100) == Limits(0, 100)
    assert Limits(40, 70).within(0, 100) == Limits(40, 70)


@pytest.mark.parametrize("height", [6, 9, 12, 30])
@pytest.mark.parametrize("limits", [Limits(0.25, 0.95), Limits(0.1, 0.9), Limits(0.48, 0.52), Limits(1.5, 7)])
def test_an_axis_of_losses_has_two_labels_that_differ(limits: Limits, height: int) -> None:
    drawn = curves(((1.0, 9.0), (limits.upper, limits.lower)), right=10, limits=limits, size=(58, height))
    labels = [line.partition("┤")[0].strip() for line in drawn if "┤" in line]
    assert len(labels) >= 2 and len(set(labels)) == len(labels)
    assert all(limits.lower <= float(label) <= limits.upper for label in labels)


def test_those_kept_are_joined_by_the_best_of_them_that_stands() -> None:
    rows = [row(0, State.KEPT, 50), row(1, State.KEPT, 56), row(2, State.VETOED, 59), row(3, State.KEPT, 53)]
    found = win_rates([*rows, row(4, State.DISCARDED, 51)], "", False)
    assert found and [round(y) for y in found.figure.lines[0].ys] == [50, 56, 56, 56]
    assert found.figure.lines[0].xs == (0, 1, 3, 4)
    losses = [replace(one, final_loss=loss) for one, loss in zip(rows, (1.2, 1.1, 0.9, 1.15), strict=True)]
    fallen = trail(losses, final_loss, "Loss", "loss", less_is_better=True)
    assert fallen and fallen.figure.lines[0].ys == (1.2, 1.1, 1.1, 1.1)
