"""The night on one page: right on runs of every kind, readable in every form, and nothing from outside is markup."""

import re
import time
from contextlib import closing
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from runs import Story, write_run
from test_command_line import ask, one_line
from test_dashboard import Recorded, until_shown

from checkpoints import writes
from checkpoints.reader import Reader
from checkpoints.records import Change, Interval, Lane, Proposal, Row, RunState, Step
from checkpoints.store import Store
from runner.report.blocks import Report, Table
from runner.report.facts import Facts, LaneTime, NoRun, gather
from runner.report.html import html
from runner.report.kept import noise
from runner.report.markdown import markdown, text
from runner.report.page import report
from tui.app import Dashboard
from tui.report_lines import parts

HOSTILE = (
    "<script>alert(1)</script> <img src=http://evil.example/x onerror=alert(1)> ![x](http://evil.example/y) "
    "[z](javascript:alert(1)) | `code` **bold** $x$ &amp; \x1b]52;c;aGk=\x07 \u202e 漢字 🙂"
    "\n# heading\n- item\n---\n1. one"
)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("written") / "run"
    write_run(folder, 12)
    return folder


@pytest.fixture(scope="module")
def facts(written: Path) -> Facts:
    return facts_of(written)


def facts_of(folder: Path, driven: bool = True) -> Facts:
    with closing(Reader(folder)) as read:
        return gather(read, driven)


def begun(folder: Path, program: str = "# demo") -> Store:
    store = Store(folder)
    store.submit(writes.create_run, "demo", "better answers", 20, 7).result()
    store.submit(writes.read_program, program, "0" * 64, "").result()
    return store


def said(page: Report, title: str) -> str:
    """A section as plain text."""
    (section,) = (section for section in page.sections if section.title == title)
    return "\n".join(str(block) for block in section.blocks)


def test_the_night_is_told_in_three_lines_with_who_voted(facts: Facts) -> None:
    page = report(facts)

    state, best, worth = page.summary
    assert state.startswith("The run is going on: 12 of 20 experiments in")
    assert "3 keeps, 1 crashed, 1 taken back by a person, 1 without an answer" in state
    assert re.match(r"Best is #10, data\.mix\.expert .* → .*: 57\.8 % \(54\.4 to 61\.2\) against the reference", best)
    assert "by simulated voters" in best and "+4.8 points over the baseline" in best
    assert "noise" in worth


def test_every_experiment_that_ended_has_its_line_with_verdict_and_sentence(facts: Facts) -> None:
    page = report(facts)

    (table,) = (
        block
        for section in page.sections
        if section.title == "What was tried"
        for block in section.blocks
        if isinstance(block, Table)
    )
    assert [row[0] for row in table.rows] == [f"#{number}" for number in range(1, 13)]
    verdicts = [row[6] for row in table.rows]
    assert verdicts[:4] == ["● kept", "○ discarded", "○ discarded", "◐ inconclusive"] and "⊘ vetoed" in verdicts
    assert table.rows[5][-1] == "out of memory twice, also with half the batch"


def test_a_keep_stands_beside_both_intervals_and_its_shrunken_lead(facts: Facts) -> None:
    evidence = said(report(facts), "What was kept, and on what evidence")

    assert "'99 : 59', '62.7', '54.9 to 69.8', '49.7 to 74.5', '+7.8 points', '54.2 ±3.4'" in evidence


def test_what_a_person_did_and_what_waited_for_what_is_told(facts: Facts) -> None:
    page = report(facts)

    assert "'veto #8', '#10 57.8 % → #10 57.8 %', '+0.0 points'" in said(page, "What the person's steps did")
    assert [what for lane in facts.lanes for what, _ in lane.waited] == [
        "training of an experiment",
        "votes on an experiment",
    ]
    assert "Optimiser knobs: four tries, one keep." in said(page, "Stock taken")


def test_each_lane_is_told_with_its_share_of_the_time_and_what_it_waited_for(facts: Facts) -> None:
    hour_ago = replace(facts.run, created_at=facts.at - 3600)
    waited = (("votes on an experiment", 1200.0), ("an uploaded model", 0.1))

    page = report(replace(facts, run=hour_ago, lanes=(LaneTime(Lane.ANALYZE, 900.0, 12, 1, waited),)))

    (table,) = (block for block in page.sections[8].blocks if isinstance(block, Table))
    assert table.rows == (
        ("analyze", "12", "1", "15 min 00 s", "25 %", "20 min 00 s", "20 min 00 s for votes on an experiment"),
    )


def test_training_has_its_price_where_the_program_names_one(facts: Facts) -> None:
    priced = replace(facts, run=replace(facts.run, usd_per_hour=3600.0))
    trained = next(lane.busy for lane in facts.lanes if lane.lane is Lane.TRAIN)

    page = report(priced)

    assert dict(page.facts)["spent"] == f"${trained:.2f} on training"
    assert "spent" not in dict(report(facts).facts)


def with_rate(row: Row, own: Interval | None = None, reference: float | None = None, shrunken: float = 0.57) -> Row:
    """The keep with other evidence."""
    assert row.verdict is not None
    now = Interval(reference, reference - 0.03, reference + 0.03) if reference else row.verdict.reference
    verdict = replace(row.verdict, win_rate=own or row.verdict.win_rate, reference=now, shrunken=shrunken)
    return replace(row, verdict=verdict)


def test_a_keep_whose_interval_holds_even_or_whose_lead_shrinks_to_little_is_doubted(facts: Facts) -> None:
    rows = list(facts.rows)
    rows[1] = with_rate(rows[1], own=Interval(0.53, 0.48, 0.58))
    rows[5] = with_rate(rows[5], shrunken=0.512)
    changed = replace(facts, rows=rows, tried=tuple(rows[1:13]))

    lines = "\n".join(str(block) for block in noise(changed))

    assert "#1 data.mix.expert 0.0 → 1.0: its 95 % interval, 48.0 to 58.0 %, includes even" in lines
    assert "#5 lora.r 16 → 32: its lead of +12.7 points shrinks to +1.2 points" in lines
    assert "Be careful with #1, #5 and #10" in report(changed).summary[2], "#10 is kept by the rule alone"


def test_a_keep_above_all_that_was_built_on_it_may_have_been_luck(facts: Facts) -> None:
    rows = list(facts.rows)
    rows[1] = with_rate(rows[1], reference=0.66)
    lucky = replace(facts, rows=rows, tried=tuple(rows[1:13]), standings={})

    lines = "\n".join(str(block) for block in noise(lucky))

    assert (
        "#1 data.mix.expert 0.0 → 1.0: it scored 66.0 %, and 2 keeps built on it scored below that, at most 57.8 %"
        in lines
    )
    assert "may have been luck" not in "\n".join(str(block) for block in noise(facts))


def test_what_was_built_on_a_keep_counts_whatever_its_number(facts: Facts) -> None:
    rows = list(facts.rows)
    rows[1] = with_rate(rows[1], reference=0.66)
    for number, parent, contains in ((10, 1, {0, 1}), (5, 10, {0, 1, 10})):
        bound = replace(rows[number].experiment, parent=parent)
        rows[number] = replace(rows[number], experiment=bound, contains=frozenset(contains))

    lines = "\n".join(str(block) for block in noise(replace(facts, rows=rows, tried=tuple(rows[1:13]), standings={})))

    assert "#1 data.mix.expert 0.0 → 1.0: it scored 66.0 %, and 2 keeps built on it scored below that" in lines


def test_a_metric_run_says_that_one_training_does_not_tell_a_lead_from_the_seeds(tmp_path: Path) -> None:
    write_run(tmp_path, 5, judge="val_pref_acc", live=False)

    page = report(facts_of(tmp_path))

    assert "Each model was trained once" in page.summary[2]
    assert "val_pref_acc was measured on one training each" in said(page, "What looks like noise")
    assert "of held-out pairs in the right order (val_pref_acc)" in page.summary[1]
    assert "Train the champion again with other seeds" in said(page, "What to try next")


def test_a_run_that_has_only_begun_and_one_with_only_a_baseline_are_told_as_they_are(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        with pytest.raises(NoRun):
            facts_of(tmp_path)
        story = Story()
        store.submit(story.begin, 20).result()
        assert report(facts_of(tmp_path)).summary[1].startswith("There is no champion yet")
        store.submit(story.finished, 0).result()

    page = report(facts_of(tmp_path, driven=False))

    assert page.summary[0].startswith("The run has stopped half way, nobody drives it: 0 of 20 experiments")
    assert page.summary[1].startswith("Nothing beats the baseline yet: 53.0 %")
    assert page.summary[2] == "There is nothing to build on yet."
    assert page.alerts == ("No process drives it: start it again with autoresearch-tui FOLDER.",)


def test_categories_of_the_space_that_nothing_came_from_are_named(tmp_path: Path) -> None:
    space = "---\nspace:\n  training.beta: {min: 0, max: 1}\n  data.mix.a: {min: 0, max: 1}\n---\nprose"
    with begun(tmp_path, space) as store:
        store.submit(writes.propose, Proposal("h", "data", Change("data.mix.a", 0, 1), "playbook"), "x").result()

    facts = facts_of(tmp_path)
    following = said(report(facts), "What to try next")

    assert facts.alpha == 0.05, "the rule's own, where the program names none"

    assert "Never tried: loss (training.beta)." in following and "Never tried: data" not in following


class Page(HTMLParser):
    """What a browser would make of it."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.fetched: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            if name in ("src", "href", "srcset", "data", "action") and not (value or "").startswith("#"):
                self.fetched.append(value or "")
            assert not name.startswith("on")

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_web_page_stands_by_itself_with_the_plot_in_it(facts: Facts) -> None:
    page = html(report(facts))

    shown = Page(page)
    assert not shown.fetched and "script" not in shown.tags and "svg" in shown.tags
    assert "url(" not in page.replace("url(#", "") and "@import" not in page
    assert "prefers-color-scheme: dark" in page and "viewport" in page
    assert "simulated voters" in shown.text and len(page) < 100_000


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Report:
    folder = tmp_path_factory.mktemp("hostile")
    with begun(folder) as store:
        story = Story()
        store.submit(writes.create_run, "demo", HOSTILE, 20, 7).result()
        store.submit(story.finished, 0).result()
        proposal = Proposal(HOSTILE, "data", Change("data.mix.a", HOSTILE, HOSTILE), HOSTILE)
        store.submit(writes.propose, proposal, "x").result()
        store.submit(writes.add_hypothesis, HOSTILE, "data", 1).result()
        store.submit(writes.crash, 1, HOSTILE).result()
        store.submit(writes.add_zoom_out, "forced", HOSTILE, HOSTILE, ["data"]).result()
        number = store.submit(writes.intervene, Step.INJECT, None, HOSTILE, {"text": HOSTILE}).result()
        store.submit(writes.acknowledge, number, HOSTILE).result()
        store.submit(writes.set_run, RunState.PAUSED, HOSTILE).result()
    return report(facts_of(folder))


def test_nothing_from_outside_is_markup_on_the_web_page(hostile: Report) -> None:
    page = html(hostile)

    shown = Page(page)
    assert not shown.fetched and not {"script", "img", "a"} & shown.tags
    assert "<script>alert(1)</script>" in shown.text and "漢字 🙂" in shown.text
    assert not any(control in page for control in ("\x1b", "\x07", "\u202e"))


def test_nothing_from_outside_is_markup_in_markdown(hostile: Report) -> None:
    page = markdown(hostile)

    made = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(page)
    assert not re.search(r"<(script|img|a|code|h[3-6]|del|em)\b", made)
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in made and "[z](javascript" in made
    assert made.count("<h1>") == 1 and made.count("<hr") == 1 and made.count("<ol>") == 0
    assert not any(control in page for control in ("\x1b", "\x07", "\u202e"))


@pytest.mark.parametrize("width", [58, 78, 118])
def test_no_line_is_wider_than_the_terminal_and_none_steers_it(hostile: Report, facts: Facts, width: int) -> None:
    for page in (hostile, report(facts)):
        lines = [line for part in parts(page, width) if isinstance(part, list) for line in part]
        assert max(line.cell_len for line in lines) <= width
        assert all(line.plain.isprintable() for line in lines)


def test_names_of_fields_need_no_backslash() -> None:
    assert text("training.learning_rate 5e-05 → 0.0001, 62.7 % [54.9, 69.8]") == (
        "training.learning_rate 5e-05 → 0.0001, 62.7 % [54.9, 69.8]"
    )


def test_ten_thousand_experiments_are_a_page_and_not_a_book(facts: Facts) -> None:
    rows = [numbered(facts.rows[1 + number % 12], number) for number in range(10_000)]
    rows[0] = facts.rows[0]
    many = replace(facts, rows=rows, tried=tuple(rows[1:]), run=replace(facts.run, experiments=10_000))
    started = time.monotonic()

    page = report(many)

    assert time.monotonic() - started < 3
    assert len(markdown(page)) < 100_000
    assert "9,999 were tried. By category:" in said(page, "What was tried")


def numbered(row: Row, number: int) -> Row:
    """The row as if it were another experiment's."""
    parent = max(0, number - 12) if number else None
    return replace(row, experiment=replace(row.experiment, number=number, parent=parent))


def test_the_command_prints_markdown_or_writes_a_web_page_and_says_what_is_wrong_in_one_line(
    written: Path, tmp_path: Path
) -> None:
    assert ask("report", written).stdout.startswith("# demo\n")
    assert (
        ask("report", "--html", "-o", tmp_path / "night.html", written).stdout == f"wrote {tmp_path / 'night.html'}\n"
    )
    assert (tmp_path / "night.html").read_text().startswith("<!DOCTYPE html>")
    assert "cannot be written" in one_line(ask("report", "-o", tmp_path / "nowhere" / "night.md", written))
    assert "there is no run in" in one_line(ask("report", tmp_path))


async def test_r_opens_the_page_and_e_writes_it_for_a_browser(written: Path, recorded: Recorded) -> None:
    app = Dashboard(written, recorded)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until_shown(pilot, "champion #10")
        await pilot.press("r")
        screen = await until_shown(pilot, "Best is #10", "simulated voters")
        assert "The run is going on: 12 of 20 experiments" in screen
        await pilot.press("tab", "tab", "tab")
        await until_shown(pilot, "What looks like noise")
        await pilot.press("e")
        await until_shown(pilot, "exported")
        await pilot.press("escape")
        await until_shown(pilot, "champion #10")
    (page,) = (written / "exports").glob("report-*.html")
    assert "<svg" in page.read_text()


@pytest.fixture
def recorded() -> Recorded:
    return Recorded()
