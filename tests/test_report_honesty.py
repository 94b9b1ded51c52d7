"""The report claims no more than the night can bear: luck is counted over all looks, and who reigns by hand is said."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from runs import write_run
from test_dashboard import Recorded, until_shown

from checkpoints.reader import Reader
from checkpoints.records import Championship, Intervention, Outcome, State, Step
from runner.report.facts import Facts, gather
from runner.report.kept import noise
from runner.report.page import report
from tui import plots
from tui.app import Dashboard
from tui.report_lines import parts
from tui.snapshot import Snapshot, look
from tui.widgets.header import Header


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory) -> Facts:
    folder: Path = tmp_path_factory.mktemp("written")
    write_run(folder, 12)
    with closing(Reader(folder)) as read:
        return replace(gather(read, driven=True), alpha=0.05)


def reigned(facts: Facts, number: int, pinned: bool = False) -> Facts:
    verdict = facts.rows[number].verdict
    assert verdict is not None
    return replace(facts, reigns=(Championship(number, verdict.decided_at, None, "", pinned),))


def said(facts: Facts, title: str) -> str:
    (section,) = (section for section in report(facts).sections if section.title == title)
    return "\n".join(map(str, section.blocks))


def test_the_number_of_looks_says_how_many_keeps_luck_alone_would_give(facts: Facts) -> None:
    luck = "11 were judged at α = 0.05 each: up to about 0.6 keeps would come of luck alone if nothing worked."

    assert luck in str(next(noise(facts))) and luck in report(facts).summary[2]
    unknown = str(next(noise(replace(facts, alpha=None))))
    assert "11 were judged" in unknown and "α" not in unknown


def test_keeps_that_only_the_rule_confirms_are_among_those_to_be_careful_with(facts: Facts) -> None:
    assert "Be careful with #1, #5 and #10" in report(facts).summary[2]


def test_a_pinned_champion_is_not_called_the_best_and_later_keeps_are_named(facts: Facts) -> None:
    best = report(reigned(facts, 5, pinned=True)).summary[1]

    assert best.startswith("Champion is #5, ") and ", held there by a person: " in best
    assert best.endswith("; kept since: #10.")


def test_a_baseline_that_reigns_over_keeps_is_not_said_to_be_unbeaten(facts: Facts) -> None:
    best = report(reigned(facts, 0, pinned=True)).summary[1]

    assert best.startswith("Champion is the baseline, held there by a person: ")
    assert best.endswith("; kept since: #1, #5 and #10.")


def test_a_champion_against_its_verdict_is_told_with_the_verdict(facts: Facts) -> None:
    row = facts.rows[12]
    assert row.verdict is not None and row.verdict.outcome is Outcome.DISCARD
    anyway = replace(row, experiment=replace(row.experiment, state=State.KEPT))
    rows = [*facts.rows[:12], anyway, *facts.rows[13:]]

    best = report(reigned(replace(facts, rows=rows, tried=(*facts.tried[:-1], anyway)), 12)).summary[1]

    assert best.startswith("Champion is #12, ") and ", though its verdict was discard: " in best


def test_a_champion_that_a_veto_put_back_is_told_with_whom_the_veto_took(facts: Facts) -> None:
    back = reigned(facts, 10)
    since = back.reigns[0].since
    veto = Intervention(9, Step.VETO, 12, {}, "", since, since + 0.1, "done", {"then": [10, False]})

    best = report(replace(back, interventions=(veto,))).summary[1]

    assert best.startswith("Champion is #10, ") and ", since #12 was taken back by a person: " in best


def test_the_report_proposes_only_what_can_be_done_with_a_doubted_keep(facts: Facts) -> None:
    following = said(facts, "What to try next")

    assert "Before building on #1, #5 and #10: vote on answers blind (a in the dashboard)" in following
    assert "once more before" not in following


def test_the_plot_in_the_terminal_has_its_unit_its_voters_and_its_legend(facts: Facts) -> None:
    plots.load()
    pieces = list(parts(report(facts), 78))
    drawn = pieces[pieces.index("Progress") + 1]
    assert not isinstance(drawn, str)
    text = " ".join(" ".join(line.plain for line in drawn).split())

    assert text.startswith("win rate against the reference, %, simulated voters")
    assert "● kept" in text and "○ discarded" in text and "▴ your step" in text
    assert "baseline and keeps: 53.0 % to 57.8 % against the reference, by simulated voters" in text


@pytest.mark.parametrize("simulated", [True, False])
def test_the_rate_in_the_header_of_a_narrow_screen_says_whether_voters_are_simulated(
    tmp_path: Path, simulated: bool
) -> None:
    write_run(tmp_path, 3, live=False, simulated=simulated)
    header = Header()
    with closing(Reader(tmp_path)) as read:
        header.snapshot = look(read, Snapshot())

    (line,) = header.lines(80, 1)

    assert ("54.2% ±3.4 sim." in line.plain) is simulated and "kept 1/3" in line.plain


async def test_help_says_what_a_verdict_rests_on_and_when_a_rate_was_taken(tmp_path: Path) -> None:
    async with Dashboard(tmp_path, Recorded()).run_test(size=(200, 200)) as pilot:
        await pilot.press("question_mark")
        await until_shown(
            pilot,
            "the verdict rests on it, not on an interval",
            "by all votes until the verdict fell",
            "the ranking after the newest verdict",
            "simulated voters judge",
        )
