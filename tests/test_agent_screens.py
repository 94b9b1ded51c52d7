"""What the dashboard shows of the agent: what it says, what it was told, what it believes, what it was refused."""

import shutil
from pathlib import Path

import pytest
from agent_runs import INSTEAD, REPAIRED, write_agent_run
from test_dashboard import NARROW, WIDE, Recorded, choose, text_of, until, until_shown

from checkpoints import writes
from checkpoints.store import Store
from checkpoints.thought import Exchange, Purpose
from tui.app import Dashboard

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
