"""The ranking page: what the last study of the votes found, on the screen and in the report, and what it is worth."""

import math
from pathlib import Path

import pytest
from runs import write_run
from test_dashboard import WIDE, Recorded, until_shown

from checkpoints import writes
from checkpoints.records import REFERENCE, Interval, Json, Outcome, Verdict
from checkpoints.store import Store
from checkpoints.trust import Calibration
from lanes.analyze.findings import Agreement, Correlation, Disagreement, Position, Strength, Trust, TrustPoint
from lanes.analyze.study import NAME, Study, as_insight
from runner.report.written import written
from tui.app import Dashboard

EVEN = Interval(0.5, 0.5, 0.5)


def study() -> Json:
    """Two models above the reference, one of which never lost; and a metric that is of another mind."""
    best = Strength(
        "exp-0010", 40, Interval(1180, 1090, math.inf), Interval(2, 1, math.inf), Interval(0.74, 0.6, 1), None
    )
    second = Strength(
        "exp-0002", 55, Interval(1090, 1040, 1150), Interval(1, 0.8, 1.4), Interval(0.63, 0.55, 0.7), None
    )
    last = Strength(REFERENCE, 60, Interval(1000, 1000, 1000), Interval(0.6, 0.5, 0.7), EVEN, None)
    trust = Trust(
        "val_pref_acc", True,
        tuple(TrustPoint(one.model, value, one.elo) for one, value in ((best, 0.61), (second, 0.72), (last, 0.5))),
        Correlation(Interval(0.5, -1.0, 1.0), 1.0, 6, True), None,
        (Disagreement("exp-0002", "exp-0010", 0.97),), (), "val_pref_acc: not significant: three models can agree so.",
    )  # fmt: skip
    position = Position(Interval(0.55, 0.51, 0.59), 12.0, True, "The answer shown first wins 55.0 % of even matches.")
    agreement = Agreement(Interval(0.24, 0.1, 0.4), 30, None, 0, "Voters' agreement is fair: Fleiss' kappa 0.24.")
    return as_insight(Study(155, 0, 31, 0, 1000, (best, second, last), ("exp-0007",), position, agreement, (trust,)))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_run(tmp_path / "run", 12, live=False, simulated=False)
    rate = Interval(0.7, 0.55, 0.8)
    end = Verdict(10, Outcome.KEEP, 35, 15, 4, rate, rate, 0.57, None, "35 to 15 on fresh votes", 9.0, 50)
    with Store(tmp_path / "run") as store:
        store.submit(writes.set_insight, NAME, study()).result()
        store.submit(writes.exclude, "voter-09", "always the left").result()
        store.submit(writes.add_calibration, Calibration(0, "a/judge", 24, 0.83, 0.9, True, "20 of 24", 5.0)).result()
        test = store.submit(writes.begin_test, 10, 0, {}).result()
        store.submit(writes.add_look, "exp-0010", 24, 1).result()
        store.submit(writes.end_test, test, end).result()
        store.submit(writes.promote, 10, test, "belief", rate, "passed").result()
    return tmp_path / "run"


async def test_the_ranking_page_says_who_stands_where_and_what_that_is_worth(folder: Path) -> None:
    async with Dashboard(folder, Recorded()).run_test(size=(120, 60)) as pilot:
        await until_shown(pilot, "champion #10")
        await pilot.press("R")
        screen = await until_shown(pilot, "Metrics against people", "Promotion", "Ranking · demo")
        assert screen.index("exp-0010") < screen.index("exp-0002") < screen.index("reference  1000")
        assert "1090 to ∞" in screen and "60.0 to 100.0" in screen
        assert "No chain of wins links these to the others, so nothing can be said of them: exp-0007" in screen
        assert "Fleiss' kappa 0.24" in screen and "shown first wins 55.0 %" in screen
        assert "voter-09 was excluded" in screen and "Judge a/judge, passed on 24 labels" in screen
        assert "val_pref_acc puts exp-0002 before exp-0010; people do not, 97 % sure" in screen
        assert "Spearman 0.50 [-1.00, 1.00], p = 1.00 (exact)" in screen
        assert "exp-0010 is promoted since" in screen and "70.0 % (55.0 to 80.0) on fresh votes" in screen


async def test_before_the_first_study_the_page_says_so(tmp_path: Path) -> None:
    write_run(tmp_path / "run", 2, live=False)
    async with Dashboard(tmp_path / "run", Recorded()).run_test(size=WIDE) as pilot:
        await until_shown(pilot, "champion #1")
        await pilot.press("R")
        await until_shown(pilot, "the votes have not been studied", "Nothing is promoted")


def test_the_report_has_the_same_in_markdown_and_as_a_web_page(folder: Path) -> None:
    plain, web = written(folder, False), written(folder, True)
    for text in (plain, web):
        assert "Metrics against people" in text and "exp-0010 is promoted since" in text
    row = next(line for line in plain.splitlines() if line.startswith("| exp") and "exp-0010" in line.replace("\\", ""))
    assert "1180" in row and "1090 to ∞" in row
