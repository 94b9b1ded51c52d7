"""What the dashboard shows of the agent: what it says, what it was told, what it believes, what it was refused."""

import json
import math
import shutil
import time
from pathlib import Path
from random import Random

import pytest
from agent_runs import INSTEAD, REPAIRED, write_agent_run, write_metric_run
from hypothesis import example, given
from hypothesis import strategies as st
from sqlite_utils import Database
from test_dashboard import NARROW, WIDE, Recorded, choose, text_of, until, until_shown

from checkpoints import writes
from checkpoints.records import Experiment, Interval, Outcome, Proposal, Row, State, Step, Verdict
from checkpoints.store import Store
from checkpoints.thought import Exchange, Purpose, Spent
from runner.trails import less_is_better
from tui.app import Dashboard
from tui.branches import branches
from tui.screens.ask import so_far
from tui.widgets.header import used
from tui.widgets.progress_plot import ProgressPlot

TALL = (120, 90)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("agent") / "run"
    write_agent_run(folder, 12)
    return folder


@pytest.fixture
def folder(written: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(written, tmp_path / "run"))


@pytest.mark.parametrize("size", [WIDE, NARROW])
async def test_what_the_agent_says_is_on_the_screen_as_it_comes_and_goes_when_it_has_ended(
    folder: Path, size: tuple[int, int]
) -> None:
    with Store(folder) as store:
        async with Dashboard(folder, Recorded(), store.listen).run_test(size=size) as pilot:
            await until_shown(pilot, "answering you…", "drifted")
            evil = "word " * 300 + '"why": "[red]\x1b]52;c;aGk=\x07 pairs'
            await store.do(writes.speak, Purpose.PROPOSE, evil, 1.0)
            screen = await until_shown(pilot, "proposing…", "pairs")
            assert "\x1b" not in screen and "word word word word word word word word word word" not in screen
            await store.do(writes.fall_silent)
            await until_shown(pilot, "training of #14")
            await until(pilot, lambda: not app_says(pilot.app, "proposing"))


def app_says(app: object, words: str) -> bool:
    assert isinstance(app, Dashboard)
    return words in text_of(app)


async def test_what_the_agent_has_cost_stands_in_the_first_line(written: Path) -> None:
    async with Dashboard(written, Recorded()).run_test(size=WIDE) as pilot:
        screen = await until_shown(pilot, "champion #10")
    assert "agent >$0.03" in screen.splitlines()[0]
    assert used(Spent(5, 1234, 0.0, 4)) == "agent 1.2k tokens", "more than nothing tells nobody anything"


async def test_the_detail_holds_what_was_expected_against_what_came_and_what_was_refused_before(written: Path) -> None:
    async with Dashboard(written, Recorded()).run_test(size=TALL) as pilot:
        await until_shown(pilot, "champion #10")
        await choose(pilot, REPAIRED)
        await pilot.press("enter")
        screen = await until_shown(pilot, "expected", "Refused before it")
    lines = {line.strip().split("  ")[0]: line.strip() for line in screen.splitlines()}
    assert lines["expected"].endswith("+3.0 points over its opponent")
    assert "+12.7 points [+4.9, +19.8]  more than expected" in lines["came"]
    assert "no more than 51 % against its opponent" in lines["refuted by"]
    assert "two changes, lora.r and training.beta: propose one" in screen


async def test_every_exchange_can_be_read_whole_from_the_experiment_that_came_of_it(folder: Path) -> None:
    long = "\n".join(f"line {number} of a long question" for number in range(3000))
    with Store(folder) as store:
        said = Exchange(0, 1.0, Purpose.ASK, "m", "text", None, long, "[red]\x1b]52;c;\x07 yes", "", 9, 9, None, 1.0)
        store.submit(writes.add_exchange, said).result()
    async with Dashboard(folder, Recorded()).run_test(size=WIDE) as pilot:
        await until_shown(pilot, "champion #10")
        await choose(pilot, REPAIRED)
        await pilot.press("enter")
        await until_shown(pilot, "Verdict")
        await pilot.press("E")
        await until_shown(pilot, "1 of 2: proposal", "1,800 tokens in, 140 out, $0.0021", "Champion #4. Propose one")
        await pilot.press("right")
        await until_shown(pilot, "2 of 2: proposal, mended")
        await pilot.press("escape", "escape", "E")
        screen = await until_shown(pilot, "16 of 16: answer to a person", "no price", "[red]")
        assert "\x1b" not in screen
        await pilot.press("end")
        await until_shown(pilot, "line 2999 of a long question")


async def test_an_exchange_that_failed_says_why_and_the_playbooks_step_is_marked(folder: Path) -> None:
    async with Dashboard(folder, Recorded()).run_test(size=WIDE) as pilot:
        await until_shown(pilot, "champion #10")
        await choose(pilot, INSTEAD)
        await until_shown(pilot, f"▸  {INSTEAD}≡ ")
        await pilot.press("E", *["left"] * 20)
        await until_shown(pilot, "1 of 15")
        await pilot.press("right", "right", "right")
        await until_shown(pilot, "What went wrong", "rate limit: 429, tried 5 times")


async def test_the_memory_is_read_as_the_agent_gets_it_and_notes_are_written_changed_and_dropped(folder: Path) -> None:
    recorded = Recorded()
    async with Dashboard(folder, recorded).run_test(size=WIDE) as pilot:
        await until_shown(pilot, "champion #10")
        await pilot.press("M")
        await until_shown(pilot, "of at most 8,000 tokens", "outrank all", "Never train on rows with names")
        await pilot.press("a", *"be kind", "enter")
        await until(pilot, lambda: recorded.steps)
        await pilot.press("c")
        await until_shown(pilot, "Change a note", "▸ Short answers")
        await pilot.press("down", "enter")
        await until_shown(pilot, "Never train on rows with names of customers.")
        await pilot.press(*"!", "enter")
        await until(pilot, lambda: len(recorded.steps) == 2)
        await pilot.press("d")
        await until_shown(pilot, "Drop a note")
        await pilot.press("enter")
        await until(pilot, lambda: len(recorded.steps) == 3)
    assert [detail for *_, detail in recorded.steps] == [
        {"text": "be kind"},
        {"of": 1, "text": "Never train on rows with names of customers.!"},
        {"of": 2},
    ]
    assert {step for step, *_ in recorded.steps} == {Step.NOTE}


@pytest.mark.parametrize("size", [WIDE, NARROW])
async def test_a_question_is_typed_its_answer_is_seen_as_it_comes_and_an_idea_is_injected_with_one_key(
    folder: Path, size: tuple[int, int]
) -> None:
    recorded = Recorded()
    async with Dashboard(folder, recorded).run_test(size=size) as pilot:
        await until_shown(pilot, "champion #10")
        await pilot.press("A")
        await until_shown(pilot, "Why did warmup not help?", "And what about beta?", "waits for its answer…")
        await until_shown(pilot, "agent, as it speaks", "it drifted", "▸ schedule  a longer warmup")
        await pilot.press(*"more q?", "enter")
        await until(pilot, lambda: recorded.steps)
        await pilot.press("tab", "down", "i")
        await until(pilot, lambda: len(recorded.steps) == 2)
    assert recorded.steps[0] == (Step.ASK, None, "", {"text": "more q?"})
    assert recorded.steps[1] == (Step.INJECT, None, "", {"text": "fewer, cleaner pairs", "category": "data"})


async def test_the_directions_of_a_zoom_out_stand_under_its_categories(written: Path) -> None:
    async with Dashboard(written, Recorded()).run_test(size=WIDE) as pilot:
        await until_shown(pilot, "champion #10")
        await pilot.press("Z")
        await until_shown(pilot, "next from: data", "→ drop pairs whose answers differ only in length")


async def test_the_tree_stands_on_the_champions_line_and_its_cursor_is_what_keys_apply_to(folder: Path) -> None:
    recorded = Recorded()
    async with Dashboard(folder, recorded).run_test(size=WIDE) as pilot:
        await until_shown(pilot, "champion #10")
        await pilot.press("T")
        screen = await until_shown(pilot, "▸╰─▶ #14", "  ● #10", "  ├─○ #12")
        assert "  ⊘ #8" in screen and f"◐ #{INSTEAD}≡" in screen
        await pilot.press("left", "v")
        await until_shown(pilot, "Veto #10")
        await pilot.press("escape")
        await pilot.press("enter")
        await until_shown(pilot, "#10 ● kept", "Verdict")


@given(st.lists(st.integers(0, 10**6), max_size=60), st.integers(0, 10**6), st.randoms(use_true_random=False))
def test_a_tree_has_each_experiment_once_below_its_parent_and_is_no_wider_than_it_is_forked(
    draws: list[int], pick: int, order: Random
) -> None:
    numbers = [0, *order.sample(range(1, len(draws) + 1), len(draws))]
    parents: list[int | None] = [None] * len(numbers)
    for place, draw in enumerate(draws):
        parents[numbers[place + 1]] = numbers[draw % (place + 1)]
    rows = [_branched(number, parent, parents) for number, parent in enumerate(parents)]
    found = branches(rows, pick % len(rows))
    places = {one.number: place for place, one in enumerate(found)}
    assert sorted(places) == list(range(len(rows)))
    assert all(parent is None or places[parent] < places[number] for number, parent in enumerate(parents))
    assert max(len(one.stem) // 2 for one in found) <= math.log2(len(rows)) + 1


def test_the_longest_line_goes_straight_on_also_where_a_parent_has_the_higher_number() -> None:
    parents: list[int | None] = [None, 5, 0, 2, 0, 4]
    found = branches([_branched(number, parent, parents) for number, parent in enumerate(parents)], None)
    assert [one.number for one in found] == [0, 2, 3, 4, 5, 1]


def test_a_long_row_of_keeps_is_one_column_and_ten_thousand_experiments_are_drawn_at_once() -> None:
    parents = [None, *(3 * (number // 3) for number in range(9_999))]
    rows = [Row(_experiment(number, parent), None) for number, parent in enumerate(parents)]
    started = time.perf_counter()
    found = branches(rows, None)
    assert time.perf_counter() - started < 1
    assert max(len(one.stem) for one in found) == 2


def _branched(number: int, parent: int | None, parents: list[int | None]) -> Row:
    line: set[int] = set()
    while parent is not None:
        line.add(parent)
        parent = parents[parent]
    return Row(_experiment(number, parents[number]), None, contains=frozenset(line))


def _experiment(number: int, parent: int | None) -> Experiment:
    return Experiment(number, State.DISCARDED, Proposal("why", "data", None, "m"), None, parent, parent, 0.0, 1.0, "")


@pytest.fixture(scope="module")
def edited(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("script") / "run"
    write_metric_run(folder, 8, script=True)
    return folder


async def test_a_metric_is_plotted_in_its_own_unit_over_the_noise_of_one_run(edited: Path) -> None:
    async with Dashboard(edited, Recorded()).run_test(size=WIDE) as pilot:
        screen = await until_shown(pilot, "val_bpb, less is better", "┈ noise of one run", "champion #6")
        assert "19 trainings" in screen.splitlines()[0] and "0.99000 ±.00060" in screen.splitlines()[0]
        assert "has logged no curve" in screen and "a deeper model" in screen
        assert any("value       ±" in line for line in screen.splitlines())
        plot = pilot.app.query_one(ProgressPlot).figure()
    assert plot and plot.bands[0].low[0] < 0.99 < plot.bands[0].high[0]
    assert plot.lines[0].ys[-1] == min(plot.lines[0].ys)


async def test_every_seed_the_gain_the_locked_rows_and_the_edit_stand_in_the_detail(edited: Path) -> None:
    async with Dashboard(edited, Recorded()).run_test(size=TALL) as pilot:
        await until_shown(pilot, "champion #6")
        await choose(pilot, 6)
        await pilot.press("enter")
        screen = await until_shown(pilot, "fresh seeds", "train.py: 1 edit")
    for words in ("+0.004 over its opponent", "0.9896 ±0.0005", "on rows that decide nothing", "sd of one run"):
        assert words in screen
    assert "- DEPTH = 8" in screen and "+ DEPTH = 14" in screen


@given(st.booleans(), st.lists(st.floats(0.1, 9), min_size=2, max_size=12, unique=True))
def test_which_way_a_metric_is_to_go_is_told_by_its_effects(less: bool, values: list[float]) -> None:
    rows = [_of_a_metric(number, value, values[0], less) for number, value in enumerate(values)]
    assert less_is_better(rows) is less


def _of_a_metric(number: int, value: float, first: float, less: bool) -> Row:
    gain = (first - value) if less else value - first
    effect = Interval(gain, gain, gain) if number else None
    own = Interval(value, value, value)
    verdict = Verdict(number, Outcome.KEEP, 0, 0, 0, None, None, None, None, "", 0.0, value=own, effect=effect)
    return Row(_experiment(number, 0 if number else None), verdict)


async def test_the_words_of_a_half_answer_are_shown_without_the_json_that_they_come_in(folder: Path) -> None:
    with Store(folder) as store:
        await store.do(writes.speak, Purpose.ASK, '{"answer": "Beta was \\"too\\" low.\\n\\nTry tw', 1.0)
        async with Dashboard(folder, Recorded(), store.listen).run_test(size=WIDE) as pilot:
            assert "answering you… answer: Beta was too low." in await until_shown(pilot, "answering you…")
            await pilot.press("A")
            screen = await until_shown(pilot, 'Beta was "too" low.', "Try tw")
    assert "{" not in screen and "\\" not in screen


@given(st.text(), st.integers(0, 400))
@example('it is \u00e9\n"so" \\', 25)
def test_of_an_answer_that_comes_in_pieces_its_words_are_shown_as_far_as_they_came(answer: str, came: int) -> None:
    whole = json.dumps({"answer": answer, "ideas": []})
    words = so_far(whole[:came])
    assert so_far(whole) == answer and answer.startswith(words[:-1]) and len(words) <= len(answer)


async def test_nothing_is_said_by_an_agent_whose_process_was_killed(folder: Path) -> None:
    async with Dashboard(folder, Recorded(), driven=lambda: False).run_test(size=WIDE) as pilot:
        await until_shown(pilot, "champion #10")
        assert not app_says(pilot.app, "answering you")
        await pilot.press("A")
        await until_shown(pilot, "And what about beta?", "waits for its answer…")
        assert not app_says(pilot.app, "agent, as it speaks")


async def test_what_a_zoom_out_says_itself_is_not_said_again_below_it(folder: Path) -> None:
    with Store(folder) as store:
        text = "Stock.\n\n→ data: weigh rows\n\nNext from: data, schedule."
        await store.do(writes.add_zoom_out, "plateau", "", text, ["data", "schedule"], ["weigh rows"])
    async with Dashboard(folder, Recorded()).run_test(size=WIDE) as pilot:
        await until_shown(pilot, "champion #10")
        await pilot.press("Z")
        screen = await until_shown(pilot, "Stock.")
    assert screen.count("weigh rows") == 1 and screen.lower().count("next from: data, schedule") == 1


async def test_a_belief_that_nothing_has_tested_names_no_experiment(folder: Path) -> None:
    with Store(folder) as store:
        await store.do(writes.add_hypothesis, "rows of names teach nothing", "data")
    async with Dashboard(folder, Recorded()).run_test(size=WIDE) as pilot:
        screen = await until_shown(pilot, "champion #10", "? rows of names teach nothing")
    assert "()" not in screen


async def test_a_training_that_has_only_begun_is_not_said_to_log_no_loss(folder: Path) -> None:
    with Store(folder) as store:
        await store.do(_forget_the_curve_of, 14)
    async with Dashboard(folder, Recorded()).run_test(size=WIDE) as pilot:
        screen = await until_shown(pilot, "champion #10", "Loss #14")
    assert "the curve comes with the first steps" in screen and "has logged no" not in screen


def _forget_the_curve_of(db: Database, number: int) -> None:
    db.execute("DELETE FROM metrics WHERE experiment = ?", [number])
