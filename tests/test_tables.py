"""The table and the log, sorted and filtered; what the header says of the machine and of the money."""

import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from runs import write_run
from test_dashboard import Recorded, text_of, until, until_shown

from checkpoints.records import (
    Event,
    Experiment,
    Interval,
    Level,
    Outcome,
    Proposal,
    Row,
    Run,
    RunState,
    State,
    Verdict,
)
from tui.app import Dashboard
from tui.machine import Gauge
from tui.order import ORDERS, Found
from tui.snapshot import EVENTS, Snapshot
from tui.widgets.header import counted, machine, spent
from tui.widgets.logs import Events


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("tables") / "run"
    write_run(run, 12)
    return run


def row(number: int, rate: float | None, loss: float | None, hypothesis: str = "", parent: int | None = 0) -> Row:
    proposal = Proposal(hypothesis, "data", None, "playbook")
    state = State.DISCARDED if rate else State.CRASHED
    experiment = Experiment(number, state, proposal, None, parent if number else None, None, 0.0, None, "")
    interval = Interval(rate, 0, 1) if rate else None
    outcome = Outcome.DISCARD if rate else Outcome.CRASH
    verdict = Verdict(number, outcome, 0, 0, 0, interval, None, None, None, "because", 0.0)
    return Row(experiment, verdict, loss, None, 10.0 * number if rate else None)


ROWS = (
    row(0, 0.5, 1.0),
    row(1, 0.6, 0.9, "Short answers win"),
    row(2, None, None),
    row(3, 0.7, 0.95, "short and [red"),
)


def shown(order: str, words: str = "") -> list[int]:
    found = Found()
    found.order, found.words = order, words
    return [each.experiment.number for each in found.rows(ROWS)]


@pytest.mark.parametrize(
    ("order", "numbers"),
    [("number", [3, 2, 1, 0]), ("win rate", [3, 1, 0, 2]), ("loss", [1, 3, 2, 0]), ("time", [0, 1, 3, 2])],
)
def test_experiments_are_sorted_with_what_has_no_number_last(order: str, numbers: list[int]) -> None:
    assert shown(order) == numbers


@pytest.mark.parametrize(
    ("words", "numbers"), [("SHORT", [3, 1]), ("short [red", [3]), ("crashed", [2]), ("no such", [])]
)
def test_all_words_of_a_filter_must_occur_in_whatever_case(words: str, numbers: list[int]) -> None:
    assert shown("number", words) == numbers


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("words", ["short win", "SHORT [r", "crashed", "no such"])
def test_words_find_the_same_typed_letter_by_letter_taken_back_and_at_once(words: str, order: str) -> None:
    found = Found()
    found.order = order
    for typed in (*(words[:n] for n in range(len(words))), words + "x", words):
        found.words = typed.strip()
        numbers = [each.experiment.number for each in found.rows(ROWS)]
    assert numbers == shown(order, words)


def test_what_is_shown_is_made_again_only_when_something_changed() -> None:
    found = Found()
    first = found.rows(ROWS)
    assert found.rows(ROWS) is first
    found.order = "loss"
    assert found.rows(ROWS) is not first
    assert found.rows(tuple(list(ROWS))) is not first


async def test_s_sorts_the_table_and_slash_filters_it_while_the_words_are_typed(folder: Path) -> None:
    async with Dashboard(folder, Recorded()).run_test(size=(120, 40)) as pilot:
        app = pilot.app
        assert isinstance(app, Dashboard)
        await until_shown(pilot, "champion #10", "Experiments")
        await pilot.press("s")
        await until_shown(pilot, "Experiments · by win rate")
        best = app.main.chosen
        assert best and best.verdict and best.verdict.win_rate
        rates = [each.verdict.win_rate.estimate for each in app.snapshot.rows if each.verdict and each.verdict.win_rate]
        assert best.verdict.win_rate.estimate == max(rates)
        await pilot.press("slash", *"beta", "enter")
        screen = await until_shown(pilot, "of 15 with “beta”")
        assert "training.beta" in screen or "beta 0.1" in screen
        await pilot.press("slash", *" [/x", "enter")
        await until_shown(pilot, "no experiment with “beta [/x”")
        await pilot.press("enter")
        assert len(app.screen_stack) == 1, "there is nothing to look at in detail"
        await pilot.press("slash", "escape")
        await until(pilot, lambda: "with “" not in text_of(app))


def test_events_that_are_not_in_hand_are_not_said_to_be_none() -> None:
    events = Events()
    events.words = "absent"
    for count, said in (
        (EVENTS, "no event with “absent” among the last 500; / changes it"),
        (3, "“absent”; / changes"),
    ):
        events.snapshot = Snapshot(events=tuple(Event(n, 0.0, Level.INFO, "run", None, "it") for n in range(count)))
        assert said in events.nothing


async def test_slash_filters_the_events_where_they_are_in_focus(folder: Path) -> None:
    async with Dashboard(folder, Recorded()).run_test(size=(80, 24), notifications=True) as pilot:
        await until_shown(pilot, "champion #10")
        await pilot.press("5", "slash", *"#10 it beat", "enter")
        screen = await until_shown(pilot, "exp-0010 is champion: it beat", "/#10 it beat")
        assert "zoom-out" not in screen.partition("5 Events")[2].partition("\n")[2].partition("p Pause")[0]
        await pilot.press("slash", "escape", "s")
        await until_shown(pilot, "s sorts the table of experiments")


def test_the_header_says_what_the_gpus_do_where_there_are_any(monkeypatch: pytest.MonkeyPatch) -> None:
    """The driver is a double: there is no GPU on the machines that run the tests."""

    class Missing(Exception):
        pass

    driver = SimpleNamespace(
        NVMLError=Missing,
        NVML_TEMPERATURE_GPU=0,
        nvmlInit=lambda: None,
        nvmlDeviceGetCount=lambda: 2,
        nvmlDeviceGetHandleByIndex=lambda number: number,
        nvmlDeviceGetUtilizationRates=lambda handle: SimpleNamespace(gpu=90 + 4 * handle),
        nvmlDeviceGetMemoryInfo=lambda handle: SimpleNamespace(used=30 * 2**30),
        nvmlDeviceGetTemperature=lambda handle, sensor: 60 + handle,
        nvmlDeviceGetName=lambda handle: "NVIDIA H100 80GB HBM3",
    )
    monkeypatch.setitem(sys.modules, "pynvml", driver)
    gauge = Gauge()
    assert machine(gauge.read()) == "", "the first answer about a processor's load is about nothing"
    deadline = time.monotonic() + 9
    while (looked := gauge.read()) is None and time.monotonic() < deadline:
        time.sleep(0.1)
    assert machine(looked) == "2×H100 92% 60G 61°"

    def not_supported(handle: int) -> None:
        raise Missing

    driver.nvmlDeviceGetUtilizationRates = not_supported
    gauge = Gauge()
    gauge.read()
    while (looked := gauge.read()) is None and time.monotonic() < deadline:
        time.sleep(0.1)
    assert machine(looked) == "2×H100 60G 61°"

    def lost(number: int) -> int:
        raise Missing

    driver.nvmlDeviceGetHandleByIndex = lost
    gauge = Gauge()
    gauge.read()
    time.sleep(1.1)
    assert machine(gauge.read()).startswith("CPU"), "a driver that goes away is no reason to say nothing"


def test_the_header_says_money_where_there_is_a_price_and_hours_where_there_is_none() -> None:
    run = Run("demo", "", RunState.RUNNING, "", 10, 0.0, 7)
    counts = counted([*ROWS, *ROWS[1:]])
    assert counts.seconds == 80
    assert spent(run, counts, 0).plain == "trained 0:01"
    priced = Run("demo", "", RunState.RUNNING, "", 10, 0.0, 7, usd_per_hour=90.0)
    assert spent(priced, counts, 0).plain == "$2.00"
    assert spent(run, counts, 17).plain == "17 trainings 0:01"
