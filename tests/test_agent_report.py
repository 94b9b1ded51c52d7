"""The report and the results of runs in which an agent proposes or a metric judges."""

import json
from contextlib import closing
from pathlib import Path

import pytest
from agent_runs import MODEL, REPAIRED, write_agent_run, write_metric_run
from test_command_line import ask
from test_report import facts_of, said

from checkpoints import writes
from checkpoints.reader import Reader
from checkpoints.store import Store
from runner.report.html import html
from runner.report.markdown import markdown
from runner.report.page import report
from runner.results_json import results_json


@pytest.fixture(scope="module")
def talked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("talked") / "run"
    write_agent_run(folder, 12, live=False)
    return folder


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("measured") / "run"
    write_metric_run(folder, 6)
    return folder


def test_the_report_holds_the_foresight_the_notes_the_directions_and_what_the_agent_cost(talked: Path) -> None:
    page = report(facts_of(talked))
    believed = said(page, "What the agent now believes")
    assert "Foresight: of 10 expected effects 4 had the right sign" in believed
    assert "Never train on rows with names of customers." in believed
    assert "→ weigh expert rows by their margin" in said(page, "Stock taken")
    assert dict(page.facts)["agent"].endswith("and 3 without a known price; 1 proposal refused")
    assert "expected, %" in said(page, "What was tried") and "53.0" in said(page, "What was tried")


def test_a_metric_is_reported_in_its_own_unit_with_its_noise_its_trainings_and_the_locked_rows(measured: Path) -> None:
    page = report(facts_of(measured))
    assert "Best is #6" in page.summary[1] and "val_bpb 0.99000 (0.98940 to 0.99060)" in page.summary[1]
    assert "sd of one run" in said(page, "What looks like noise") and "less is better" in dict(page.facts)["judge"]
    kept = said(page, "What was kept, and on what evidence")
    assert "+0.0040 (+0.0020 to +0.0060)" in kept and "0.991" in kept
    assert "%" not in said(page, "What was tried")
    for text in (markdown(page), html(page)):
        assert "0.99000" in text


def test_a_whole_run_is_one_json_object_with_what_does_not_fit_a_table(talked: Path) -> None:
    with closing(Reader(talked)) as read:
        whole = json.loads(json.dumps(results_json(read)))
    mended = whole["experiments"][REPAIRED]
    assert (mended["proposer"], mended["expected"], mended["refusals"]) == (MODEL, 0.03, 1)
    assert mended["agent_tokens"] == 2 * 1940 and mended["agent_usd"] == 0.0042
    assert whole["agent"]["refusals"] == 1 and whole["calibration"]["experiments"] == 10
    assert [note["text"] for note in whole["notes"]][1] == "Short answers matter more than polite ones."
    assert whole["zoom_outs"][-1]["directions"][1] == "weigh expert rows by their margin"


def test_results_as_json_are_asked_for_at_the_command_line(measured: Path) -> None:
    done = ask("results", "--json", str(measured))
    last = json.loads(done.stdout)["experiments"][-1]
    assert (last["value"], last["effect"], last["locked"], last["trainings"]) == (0.99, 0.004, 0.991, 4)


@pytest.mark.slow
def test_hostile_texts_of_the_agent_stay_text_in_every_form_of_the_report(tmp_path: Path) -> None:
    evil = "<script>alert(1)</script> \x1b]52;c;aGk=\x07 [x](javascript:alert(1))"
    write_metric_run(tmp_path / "run", 1)
    with Store(tmp_path / "run") as store:
        store.submit(writes.add_note, evil).result()
        store.submit(writes.add_zoom_out, "forced", evil, evil, [evil], [evil]).result()
    page = report(facts_of(tmp_path / "run"))
    assert "\x1b" not in markdown(page) and "\\<script" in markdown(page)
    assert "\x1b" not in html(page) and "<script>" not in html(page)
