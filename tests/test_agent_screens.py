"""What the dashboard shows of the agent: what it says, what it was told, what it believes, what it was refused."""

import shutil
from pathlib import Path

import pytest
from agent_runs import write_agent_run
from test_dashboard import NARROW, WIDE, Recorded, text_of, until, until_shown

from checkpoints import writes
from checkpoints.store import Store
from checkpoints.thought import Purpose
from tui.app import Dashboard


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
