"""The dashboard as a person meets it: what is on the screen, what the keys do, what hostile text does not do."""

import asyncio
import html
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from runs import write_run
from textual.pilot import Pilot
from textual.strip import Strip

from checkpoints import writes
from checkpoints.records import Answer, Change, Level, Proposal, RunState, State, Step
from checkpoints.store import Store
from tui.app import Dashboard
from tui.keys import ACTIONS
from tui.leaving import Leave
from tui.snapshot import Snapshot
from tui.watch import Watcher
from tui.wheel import Wheel
from tui.widgets.lines import changed

WIDE, NARROW = (120, 40), (80, 24)
CELL = 12.2
"""Width of a cell in Textual's picture of the screen."""


class Recorded:
    """Where the dashboard's interventions go in these tests."""

    def __init__(self) -> None:
        self.steps: list[tuple[Step, int | None, str, dict[str, Any]]] = []

    async def __call__(self, step: Step, experiment: int | None, reason: str, detail: dict[str, Any]) -> int:
        self.steps.append((step, experiment, reason, detail))
        return len(self.steps)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("written") / "run"
    write_run(folder, 12)
    return folder


@pytest.fixture
def folder(written: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(written, tmp_path / "run"))


@pytest.fixture
def recorded() -> Recorded:
    return Recorded()


def text_of(app: Dashboard) -> str:
    """The screen as lines of text, from its picture, in which each piece stands at its place."""
    rows: dict[float, list[tuple[int, str]]] = {}
    pieces = re.findall(r'<text class="\S+-r\d+" x="([\d.]+)" y="([\d.]+)"[^>]*>(.*?)</text>', app.export_screenshot())
    for x, y, piece in pieces:
        column = round(float(x) / CELL)
        rows.setdefault(float(y), []).append((column, html.unescape(piece).replace("\xa0", " ")))
    return "\n".join(_joined(row) for _, row in sorted(rows.items()))


def _joined(row: list[tuple[int, str]]) -> str:
    line = ""
    for column, piece in sorted(row):
        line += " " * (column - cell_len(line)) + piece
    return line


async def until(pilot: Pilot[Any], true: Callable[[], object], seconds: float = 15) -> None:
    """Wait for what the screen or the test's records should come to."""
    for _ in range(int(seconds / 0.05)):
        await pilot.pause()
        if true():
            return
        await asyncio.sleep(0.05)
    pytest.fail(f"did not come true; on the screen:\n{text_of(pilot.app)}")  # type: ignore[arg-type]


async def until_shown(pilot: Pilot[Any], *texts: str) -> str:
    """Wait until all of that is on the screen; returns the screen."""
    await until(pilot, lambda: all(text in text_of(pilot.app) for text in texts))  # type: ignore[arg-type]
    return text_of(pilot.app)  # type: ignore[arg-type]


async def choose(pilot: Pilot[Any], number: int) -> None:
    """Move the cursor of the table to an experiment."""
    app = pilot.app
    assert isinstance(app, Dashboard)
    await pilot.press("3", "home")
    while (chosen := app.main.chosen) and chosen.experiment.number > number:
        await pilot.press("down")


async def test_before_there_is_a_store_it_says_starting_and_then_shows_the_run(
    written: Path, tmp_path: Path, recorded: Recorded
) -> None:
    folder = tmp_path / "later"
    async with Dashboard(folder, recorded).run_test(size=WIDE, notifications=True) as pilot:
        await until_shown(pilot, "starting…")
        shutil.copytree(written, folder)
        await until_shown(pilot, "RUN", "champion #10")


async def test_the_wide_screen_shows_all_panels_at_once(folder: Path, recorded: Recorded) -> None:
    async with Dashboard(folder, recorded).run_test(size=WIDE, notifications=True) as pilot:
        screen = await until_shown(pilot, "champion #10", "24/40 steps", "candidate #14", "⊘ vetoed")
    for panel in ("Lanes", "Win rate % against the reference", "Loss #14 over champion #10", "Experiments", "Memory"):
        assert panel in screen
    for sign in ("● champion", "○ discarded", "× crashed", "⊘ vetoed", "▶ training"):
        assert sign in screen
    assert "waits for votes on #13" in screen
    assert "p Pause" in screen and "q Quit…" in screen


async def test_simulated_voters_are_called_so_from_the_first_look_also_between_two_evaluations(
    tmp_path: Path, recorded: Recorded
) -> None:
    write_run(tmp_path / "run", 3, live=False)
    with Store(tmp_path / "run") as store:
        store.submit(writes.propose, Proposal("an idea", "data", Change("data.mix.expert", 1, 2), "playbook")).result()
    async with Dashboard(tmp_path / "run", recorded).run_test(size=WIDE) as pilot:
        await until_shown(pilot, "against the reference · simulated")


@pytest.mark.parametrize("simulated", [True, False])
async def test_simulated_voters_are_called_so_and_people_are_not(
    tmp_path: Path, recorded: Recorded, simulated: bool
) -> None:
    write_run(tmp_path / "run", 3, simulated=simulated)
    async with Dashboard(tmp_path / "run", recorded).run_test(size=WIDE, notifications=True) as pilot:
        screen = await until_shown(pilot, "148/400")
    assert ("simulated voters" in screen) is simulated
    assert ("· simulated ·" in screen) is simulated


async def test_a_metric_is_called_by_its_name_and_its_pairs_are_no_votes(tmp_path: Path, recorded: Recorded) -> None:
    write_run(tmp_path / "run", 3, simulated=False, judge="val_pref_acc")
    async with Dashboard(tmp_path / "run", recorded).run_test(size=WIDE, notifications=True) as pilot:
        screen = await until_shown(pilot, "val_pref_acc %, held-out pairs", "champion #1")
        assert "Win rate % against" not in screen
        await choose(pilot, 1)
        await pilot.press("enter")
        await until_shown(pilot, "pairs        ", "val_pref_acc ")


@pytest.mark.parametrize(
    ("panel", "words"),
    [("1", "50"), ("2", "candidate #14"), ("3", "lora_alpha"), ("4", "zoom-out 1"), ("5", "veto: keep #8")],
)
async def test_a_small_terminal_shows_one_panel_at_a_time(
    folder: Path, recorded: Recorded, panel: str, words: str
) -> None:
    async with Dashboard(folder, recorded).run_test(size=NARROW, notifications=True) as pilot:
        await until_shown(pilot, "champion #10")
        await pilot.press(panel)
        screen = await until_shown(pilot, f"[{panel} ", words, "24/40", "q Quit…")
    assert len(screen.splitlines()) <= NARROW[1]


@pytest.mark.parametrize(
    "size",
    [
        (60, 16),
        (80, 24),
        (100, 30),
        (200, 60),
        *(pytest.param(size, marks=pytest.mark.slow) for size in [(99, 50), (40, 10), (20, 5)]),
    ],
)
async def test_no_size_breaks_it(folder: Path, recorded: Recorded, size: tuple[int, int]) -> None:
    async with Dashboard(folder, recorded).run_test(size=WIDE, notifications=True) as pilot:
        await until_shown(pilot, "champion #10")
        await pilot.resize_terminal(*size)
        for key in ("1", "2", "3", "4", "5", "6", "m", "j", "k", "end", "home", "m"):
            await pilot.press(key)
        await until(pilot, lambda: ("RUN" if size >= (60, 16) else "60×16") in text_of(pilot.app))
        for line in text_of(pilot.app).splitlines():
            assert len(line) <= size[0]


async def test_maximise_gives_the_focused_panel_the_screen_and_gives_it_back(folder: Path, recorded: Recorded) -> None:
    async with Dashboard(folder, recorded).run_test(size=WIDE, notifications=True) as pilot:
        await until_shown(pilot, "zoom-out 1 (forced)")
        await pilot.press("5", "m")
        screen = await until_shown(pilot, "[5 Events]", "out of memory twice")
        assert "╭─ Memory" not in screen and "24/40 steps" in screen
        await pilot.press("m")
        await until_shown(pilot, "─ Memory ─", "─ Experiments ─")


@pytest.mark.parametrize(("keys", "when"), [(["enter"], "stage"), (["down", "enter"], "now")])
async def test_pause_asks_after_this_stage_or_now(folder: Path, recorded: Recorded, keys: list[str], when: str) -> None:
    async with Dashboard(folder, recorded).run_test(size=WIDE, notifications=True) as pilot:
        await until_shown(pilot, "champion #10")
        await pilot.press("p")
        await until_shown(pilot, "After this stage", "Now")
        await pilot.press(*keys)
        await until(pilot, lambda: recorded.steps)
    assert recorded.steps == [(Step.PAUSE, None, "", {"when": when})]


async def test_an_intervention_is_shown_until_the_runner_has_acknowledged_it(folder: Path, recorded: Recorded) -> None:
    with Store(folder) as store:
        app = Dashboard(folder, recorded, store.listen)
        async with app.run_test(size=WIDE, notifications=True) as pilot:
            await until_shown(pilot, "champion #10")
            number = await store.do(writes.intervene, Step.PAUSE, detail={"when": "stage"})
            await until_shown(pilot, "pausing after this stage…")
            await pilot.press("p")
            await until_shown(pilot, "still under way")
            await store.do(writes.acknowledge, number, "nothing new starts")
            await store.do(writes.set_run, RunState.PAUSED, "by a person")
            screen = await until_shown(pilot, "⏸ PAUSED by a person", "p Go on")
            assert "pausing after" not in screen
            await pilot.press("p")
            await until(pilot, lambda: recorded.steps)
    assert recorded.steps == [(Step.RESUME, None, "", {})]


async def test_zoom_out_takes_an_optional_direction(folder: Path, recorded: Recorded) -> None:
    async with Dashboard(folder, recorded).run_test(size=WIDE, notifications=True) as pilot:
        await until_shown(pilot, "champion #10")
        await pilot.press("z", *"data", "enter")
        await until(pilot, lambda: recorded.steps)
        await pilot.press("z", "enter")
        await until(pilot, lambda: len(recorded.steps) == 2)
    assert recorded.steps[0] == (Step.ZOOM_OUT, None, "", {"text": "data"})
    assert recorded.steps[1] == (Step.ZOOM_OUT, None, "", {"text": ""})


async def test_a_veto_names_its_consequence_and_needs_a_reason(folder: Path, recorded: Recorded) -> None:
    async with Dashboard(folder, recorded).run_test(size=WIDE, notifications=True) as pilot:
        await until_shown(pilot, "champion #10")
        await choose(pilot, 10)
        await pilot.press("v")
        await until_shown(pilot, "Veto #10", "champion #10 → #5", "#13, #14 are cancelled")
        await pilot.press("enter")
        await until_shown(pilot, "a few words are needed")
        assert not recorded.steps
        await pilot.press(*"rude", "enter")
        await until(pilot, lambda: recorded.steps)
    assert recorded.steps == [(Step.VETO, 10, "rude", {"branch": False})]


async def test_a_veto_of_a_keep_that_others_contain_offers_the_whole_branch(folder: Path, recorded: Recorded) -> None:
    async with Dashboard(folder, recorded).run_test(size=WIDE, notifications=True) as pilot:
        await until_shown(pilot, "champion #10")
        await choose(pilot, 5)
        await pilot.press("v")
        await until_shown(pilot, "Take back #5 alone", "goes on reigning", "whole branch: #5, #10")
        await pilot.press("down", "enter", *"no", "enter")
        await until(pilot, lambda: recorded.steps)
    assert recorded.steps == [(Step.VETO, 5, "no", {"branch": True})]


@pytest.mark.parametrize(
    ("number", "why"), [(0, "the baseline cannot be vetoed"), (12, "discarded; only a kept one can be vetoed")]
)
async def test_a_key_that_does_not_apply_says_why(folder: Path, recorded: Recorded, number: int, why: str) -> None:
    async with Dashboard(folder, recorded).run_test(size=WIDE, notifications=True) as pilot:
        await until_shown(pilot, "champion #10")
        await choose(pilot, number)
        await pilot.press("v")
        await until(pilot, lambda: why in " ".join(text_of(pilot.app).split()))
    assert not recorded.steps


async def test_escape_leaves_every_dialogue_without_a_trace(folder: Path, recorded: Recorded) -> None:
    async with Dashboard(folder, recorded).run_test(size=WIDE, notifications=True) as pilot:
        await until_shown(pilot, "champion #10")
        await choose(pilot, 10)
        for key in ("p", "z", "v", "q", "enter", "question_mark"):
            await pilot.press(key)
            await until(pilot, lambda: len(pilot.app.screen_stack) == 2)
            await pilot.press("escape")
            await until(pilot, lambda: len(pilot.app.screen_stack) == 1)
    assert not recorded.steps


async def test_an_intervention_that_cannot_be_recorded_is_told_and_the_screen_stays(folder: Path) -> None:
    async def refuse(*_: object) -> int:
        raise OSError("No space left on device")

    async with Dashboard(folder, refuse).run_test(size=WIDE, notifications=True) as pilot:
        await until_shown(pilot, "champion #10")
        await pilot.press("p")
        await until_shown(pilot, "After this stage")
        await pilot.press("enter")
        await until(pilot, lambda: "No space left on device" in " ".join(text_of(pilot.app).split()))
        assert "champion #10" in text_of(pilot.app)


async def test_detail_of_an_experiment_that_crashed_or_has_not_ended_says_what_there_is(
    folder: Path, recorded: Recorded
) -> None:
    async with Dashboard(folder, recorded).run_test(size=WIDE, notifications=True) as pilot:
        await until_shown(pilot, "candidate #14")
        for number, words in ((14, "none yet"), (6, "out of memory twice"), (0, "the program's own recipe")):
            await choose(pilot, number)
            await pilot.press("enter")
            await until_shown(pilot, words, "Recipe")
            await pilot.press("end")
            await until_shown(pilot, "Lanes")
            await pilot.press("escape")


@pytest.mark.parametrize(
    ("keys", "left"),
    [(["enter"], Leave.DETACH), (["down", "enter"], Leave.DRAIN), (["j", "j", "enter"], Leave.STOP)],
)
async def test_quit_asks_what_becomes_of_the_run(
    folder: Path, recorded: Recorded, keys: list[str], left: Leave
) -> None:
    app = Dashboard(folder, recorded)
    async with app.run_test(size=WIDE, notifications=True) as pilot:
        await until_shown(pilot, "champion #10")
        await pilot.press("q")
        await until_shown(pilot, "Detach", "Drain", "Stop")
        await pilot.press(*keys)
        await until(pilot, lambda: app.return_value is not None)
    assert app.return_value is left


async def test_quitting_a_run_that_somebody_else_steers_just_leaves(folder: Path, recorded: Recorded) -> None:
    Wheel(folder).take()
    app = Dashboard(folder, recorded, owned=False)
    async with app.run_test(size=WIDE, notifications=True) as pilot:
        await until_shown(pilot, "champion #10")
        await pilot.press("q")
        await until(pilot, lambda: app.return_value is not None)
    assert app.return_value is Leave.DETACH


async def test_a_run_that_no_process_drives_is_not_shown_as_running(folder: Path, recorded: Recorded) -> None:
    driven = True
    app = Dashboard(folder, recorded, owned=False, driven=lambda: driven)
    async with app.run_test(size=WIDE, notifications=True) as pilot:
        await until_shown(pilot, "▶ RUN", "champion #10")
        driven = False
        screen = await until_shown(pilot, "■ STOPPED", "no process drives this run; start it again")
        assert "▶ RUN" not in screen


@pytest.mark.parametrize("size", [(60, 16), (80, 24), (120, 40)])
async def test_a_long_reason_does_not_push_the_champion_out(
    folder: Path, recorded: Recorded, size: tuple[int, int]
) -> None:
    with Store(folder) as store:
        why = "all 6 experiments of the budget are done; raise budget.experiments to go on with this run"
        store.submit(writes.set_run, RunState.FINISHED, why).result()
    async with Dashboard(folder, recorded).run_test(size=size, notifications=True) as pilot:
        screen = await until_shown(pilot, "■ FINISHED", "champion #10")
    assert ("■ FINISHED all 6 exp" in screen) is (size[0] >= 80)


async def test_what_a_lane_waits_for_fits_a_small_terminal(folder: Path, recorded: Recorded) -> None:
    with Store(folder) as store:
        store.submit(writes.start_waiting, "upload", "a trained model").result()
    async with Dashboard(folder, recorded).run_test(size=(60, 16), notifications=True) as pilot:
        await until_shown(pilot, "◷ a trained model")
        await pilot.resize_terminal(*WIDE)
        await until_shown(pilot, "waits for a trained model")


async def test_an_event_is_shown_whole_where_there_is_room_for_many(folder: Path, recorded: Recorded) -> None:
    with Store(folder) as store:
        text = f"begins {'and goes on ' * 15}to its end"
        store.submit(writes.event, Level.WARNING, "run", text).result()
    async with Dashboard(folder, recorded).run_test(size=WIDE, notifications=True) as pilot:
        assert "to its end" not in await until_shown(pilot, "begins and goes on", "champion #10")
        await pilot.press("5", "m")
        await until_shown(pilot, "begins and goes on", "to its end")


async def test_a_change_is_named_without_a_languages_marks(tmp_path: Path, recorded: Recorded) -> None:
    with Store(tmp_path / "run") as store:
        store.submit(writes.create_run, "demo", "better", 9, 7).result()
        for field, old, new in (
            ("training.loss_type", ["sigmoid"], ["ipo", "sft"]),
            ("data.filters.deduplicate", False, True),
            ("data.mix.expert", None, 2.0),
            ("lora.r", 8, 16),
        ):
            store.submit(writes.propose, Proposal("why", "data", Change(field, old, new), "agent")).result()
    async with Dashboard(tmp_path / "run", recorded).run_test(size=WIDE, notifications=True) as pilot:
        await until_shown(
            pilot, "loss_type sigmoid → ipo+sft", " deduplicate no → yes", "mix.expert none → 2.0", "lora.r 8 → 16"
        )


async def test_what_hinders_writing_is_on_the_screen(folder: Path, recorded: Recorded) -> None:
    async with Dashboard(folder, recorded, trouble=lambda: "cannot write run.db: disk full").run_test() as pilot:
        await until_shown(pilot, "⚠ cannot write run.db: disk full")


async def test_hostile_text_is_neither_markup_nor_control(folder: Path, recorded: Recorded) -> None:
    evil = "[red [/] [@click=app.exit]x \x1b]52;c;aGk=\x07 \x1b[2J \u202egnp.exe \x9b31m 漢字🙂"
    with Store(folder) as store:
        number = store.submit(writes.propose, Proposal(evil, "data", None, evil)).result()
        store.submit(writes.add_hypothesis, evil, "data", number).result()
        store.submit(writes.event, Level.WARNING, "run", evil, number).result()
        store.submit(writes.set_run, RunState.PAUSED, evil).result()
        store.submit(writes.start_waiting, "upload", evil).result()
        store.submit(writes.add_answers, [Answer(10, evil, "exp-0010", evil)]).result()
        store.submit(writes.add_zoom_out, "forced", evil, evil, [evil]).result()
    async with Dashboard(folder, recorded, trouble=lambda: evil).run_test(size=WIDE, notifications=True) as pilot:
        await until_shown(pilot, "[red [/]", "漢字")
        for key in ("enter", "escape", "1", "4", "5", "v", "m"):
            await pilot.press(key)
        await choose(pilot, 10)
        for key in ("enter", "end"):
            await pilot.press(key)
            screen = text_of(pilot.app)
            assert not set(screen) & {"\x1b", "\x07", "\x9b", "\u202e"}


async def test_the_keys_the_help_the_footer_and_the_palette_are_one_table(folder: Path, recorded: Recorded) -> None:
    app = Dashboard(folder, recorded)
    async with app.run_test(size=(120, 80)) as pilot:
        await until_shown(pilot, "champion #10")
        bound = {binding.key for _, binding, _, _ in app.active_bindings.values()}
        for action in ACTIONS:
            name = action.name.partition("(")[0]
            assert hasattr(app, f"action_{name}"), action.name
            assert set(action.keys) <= bound
        commands = {command.title: command.help for command in app.get_system_commands(app.screen)}
        assert set(commands.values()) == {action.help for action in ACTIONS if action.palette}
        await pilot.press("question_mark")
        screen = await until_shown(pilot, "Help")
    for action in ACTIONS:
        assert action.help in screen


async def test_the_cursor_stays_on_its_experiment_when_a_new_one_comes(folder: Path, recorded: Recorded) -> None:
    with Store(folder) as store:
        app = Dashboard(folder, recorded, store.listen)
        async with app.run_test(size=WIDE, notifications=True) as pilot:
            await until_shown(pilot, "champion #10")
            await choose(pilot, 12)
            new = await store.do(writes.propose, Proposal("a new one", "data", None, "playbook"))
            await until_shown(pilot, "#15", "a new one")
            assert app.main.chosen and app.main.chosen.experiment.number == 12
            await pilot.press("home")
            assert app.main.chosen.experiment.number == new
            assert app.main.chosen.experiment.state is State.PROPOSED


def test_looks_are_coalesced_to_two_a_second(folder: Path) -> None:
    looks: list[Snapshot] = []
    listeners: list[Callable[[], None]] = []

    def subscribe(listener: Callable[[], None]) -> Callable[[], None]:
        listeners.append(listener)
        return lambda: listeners.remove(listener)

    async def storm() -> None:
        for _ in range(400):
            for listener in listeners:
                listener()
            await asyncio.sleep(0.005)

    watcher = Watcher(folder, looks.append, subscribe, lambda: "")
    begun = time.monotonic()
    watcher.start()
    asyncio.run(storm())
    watcher.stop()
    assert 2 <= len(looks) <= 2 * (time.monotonic() - begun) + 3, "three at once at the start"


@pytest.mark.slow
def test_a_look_at_a_quiet_run_never_comes(folder: Path) -> None:
    looks: list[Snapshot] = []
    watcher = Watcher(folder, looks.append, None, lambda: "")
    watcher.start()

    async def wait(seconds: float) -> int:
        await asyncio.sleep(seconds)
        return len(looks)

    settled = asyncio.run(wait(3))
    assert asyncio.run(wait(2)) == settled >= 2
    watcher.stop()


def test_nothing_heavy_is_imported_before_the_first_paint() -> None:
    script = "import sys, tui.app; print('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    heavy = {
        "torch",
        "transformers",
        "trl",
        "peft",
        "litellm",
        "sqlite_utils",
        "plotext",
        "psutil",
        "pydantic",
        "scipy",
    }
    assert not heavy & set(done.stdout.split())
    light = {"runner", "runner.ending", "runner.figures", "runner.judges", "runner.trails"}
    light |= {"lanes", "lanes.analyze", "lanes.analyze.win_rate"}
    assert {module for module in done.stdout.split() if module.startswith(("runner", "lanes"))} <= light


@pytest.mark.parametrize(
    ("old", "new", "span"),
    [
        ("same", "same", None),
        ("24/40 steps", "25/40 steps", (1, 2)),
        ("ab", "abc", (2, 3)),
        ("a漢b", "a字b", (1, 3)),
    ],
)
def test_only_the_cells_between_the_first_and_the_last_change_are_sent(
    old: str, new: str, span: tuple[int, int] | None
) -> None:
    assert changed(Strip([Segment(old)]), Strip([Segment(new)])) == span


def test_another_colour_is_a_change_too() -> None:
    assert changed(Strip([Segment("ab")]), Strip([Segment("a"), Segment("b", Style(bold=True))])) == (1, 2)
