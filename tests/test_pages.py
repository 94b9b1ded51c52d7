"""Pages to read: what was said when stock was taken, the help, and which actions reach a page."""

import shutil
from pathlib import Path

import pytest
from runs import write_run
from test_dashboard import WIDE, Recorded, choose, text_of, until, until_shown
from textual.pilot import Pilot

from checkpoints import writes
from checkpoints.records import Change, Proposal, Step
from checkpoints.store import Store
from tui.app import Dashboard
from tui.keys import ACTIONS
from tui.leaving import Leave
from tui.screens.arena import VOTING
from tui.screens.detail import MOVING
from tui.screens.page import BY_SECTION, READING
from tui.signs import STATES


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pages") / "run"
    write_run(folder, 12)
    return folder


@pytest.fixture
def folder(written: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(written, tmp_path / "run"))


async def palette(pilot: Pilot[Leave], name: str) -> None:
    await pilot.press("ctrl+p")
    await until(pilot, lambda: len(pilot.app.screen_stack) > 1)
    await pilot.press(*name)
    await until_shown(pilot, f"{name} (")
    await pilot.press("enter")


async def test_stock_taken_is_kept_with_what_came_of_it(folder: Path) -> None:
    with Store(folder) as store:
        text = "Data was tried once.\n[red]Loss[/red] never was. \x1b[2J"
        store.submit(writes.add_zoom_out, "plateau", "", text, ["loss"]).result()
        change = Change("training.beta", 0.1, 0.3)
        number = store.submit(writes.propose, Proposal("hold on", "loss", change, "agent", 2), "h").result()
        async with Dashboard(folder, Recorded(), store.listen).run_test(size=WIDE) as pilot:
            await until_shown(pilot, "champion #10", f"#{number}")
            await pilot.press("Z")
            screen = await until_shown(pilot, "2 zoom-outs", "Zoom-out 2", "nothing had been kept for a while")
            assert "[red]Loss[/red] never was. [2J" in screen
            assert screen.index("Zoom-out 2") < screen.index("Zoom-out 1")
            assert "asked to: look at the data" in screen and "next from: data, loss" in screen
            assert f"· #{number} next  loss: beta 0.1 → 0.3" in screen
            assert "no experiment has followed from it yet" in screen
            await store.do(writes.cancel, number, "skipped")
            await until_shown(pilot, "1 experiment followed: 1 cancelled", f"– #{number} cancelled  loss: beta")


async def test_without_a_zoom_out_it_says_how_to_have_one(tmp_path: Path) -> None:
    write_run(tmp_path / "run", 2)
    async with Dashboard(tmp_path / "run", Recorded()).run_test(size=(60, 16)) as pilot:
        await until_shown(pilot, "champion #1")
        await pilot.press("Z")
        await until_shown(pilot, "none yet; z has stock taken")


async def test_of_a_million_characters_said_when_stock_was_taken_a_page_is_shown(tmp_path: Path) -> None:
    write_run(tmp_path / "run", 1)
    with Store(tmp_path / "run") as store:
        store.submit(writes.add_zoom_out, "plateau", "", "word\u202e " * 200_000, ["loss"]).result()
    async with Dashboard(tmp_path / "run", Recorded()).run_test(size=WIDE) as pilot:
        await until_shown(pilot, "champion #1")
        await pilot.press("Z")
        await until_shown(pilot, "Zoom-out 1")
        await pilot.press("G")
        await until_shown(pilot, "characters)", "next from: loss")


async def test_help_has_every_key_of_every_screen_and_every_sign_also_on_a_small_terminal(written: Path) -> None:
    async with Dashboard(written, Recorded()).run_test(size=(60, 16)) as pilot:
        await until_shown(pilot, "champion #10")
        await pilot.press("f1")
        seen = await until_shown(pilot, "Help", "Steer the run")
        while "more" in (screen := text_of(pilot.app)).splitlines()[-1]:  # type: ignore[arg-type]
            seen += screen
            await pilot.press("pagedown")
        words = " ".join((seen + screen).split())
    for action in (*ACTIONS, *READING, *BY_SECTION, *MOVING, *VOTING):
        assert " ".join(action.help.split()[:4]) in words, action
    assert all(f"{sign.mark} {sign.word}" in words for sign in STATES.values())
    assert all(lane in words for lane in ("train", "upload", "evaluate", "analyze"))


async def test_a_key_that_steers_applies_to_the_experiment_whose_page_is_open(written: Path) -> None:
    recorded = Recorded()
    async with Dashboard(written, recorded).run_test(size=WIDE) as pilot:
        await until_shown(pilot, "champion #10")
        await choose(pilot, 12)
        await pilot.press("enter", "right")
        await until_shown(pilot, "#11 ")
        await pilot.press("right")
        await until_shown(pilot, "#10 ● kept", "Verdict")
        await pilot.press("v")
        await until_shown(pilot, "Veto #10")
        await pilot.press(*"rude", "enter")
        await until(pilot, lambda: recorded.steps)
        await until_shown(pilot, "#10 ● kept")
    assert recorded.steps == [(Step.VETO, 10, "rude", {"branch": False})]


async def test_the_palette_reaches_everything_from_a_page_and_escape_leads_back(written: Path) -> None:
    async with Dashboard(written, Recorded()).run_test(size=WIDE, notifications=True) as pilot:
        await until_shown(pilot, "champion #10")
        await pilot.press("enter")
        await until_shown(pilot, "Verdict")
        await pilot.press("4")
        assert len(pilot.app.screen_stack) == 2
        await palette(pilot, "Stock taken")
        await until_shown(pilot, "1 zoom-out")
        await pilot.press("escape")
        await until_shown(pilot, "Verdict")
        await palette(pilot, "Events")
        await until(pilot, lambda: len(pilot.app.screen_stack) == 1)
        focused = pilot.app.focused
        assert focused and focused.id == "events"
