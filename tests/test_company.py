"""Several dashboards at one run: one steers, all look."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from runs import write_run
from test_dashboard import NARROW, WIDE, Recorded, text_of, until, until_shown

from checkpoints.records import Step
from tui.app import Dashboard
from tui.leaving import Leave
from tui.wheel import NotSteering, Wheel

ROOT = Path(__file__).parents[1]

HOLD = "import sys, time; from pathlib import Path; from tui.wheel import Wheel;"
HOLD += "Wheel(Path(sys.argv[1])).take(); print('has it', flush=True); time.sleep(60)"


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


def hold(folder: Path) -> subprocess.Popen[str]:
    """A process that has the wheel until it is killed."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)], stdout=subprocess.PIPE, text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert process.stdout and process.stdout.readline() == "has it\n"
    return process


def test_the_first_has_the_wheel_and_a_second_is_told_who(tmp_path: Path) -> None:
    first, second = Wheel(tmp_path), Wheel(tmp_path)
    assert first.look() == "" and first.held
    assert second.look().startswith(f"process {os.getpid()}") and not second.held
    with pytest.raises(NotSteering, match=rf"process {os.getpid()}.* steers; w takes the wheel"):
        second.grasp()


def test_the_wheel_is_taken_over_and_taken_back(tmp_path: Path) -> None:
    first, second = Wheel(tmp_path), Wheel(tmp_path)
    assert first.take() == ""
    assert second.take().startswith("process ")
    assert second.held and not first.held
    with pytest.raises(NotSteering):
        first.grasp()
    assert first.take().startswith("process ")
    assert first.held and not second.held


def test_a_killed_holder_leaves_the_wheel_free(tmp_path: Path) -> None:
    process, wheel = hold(tmp_path), Wheel(tmp_path)
    assert wheel.look() == f"process {process.pid}"
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert wheel.look() == ""
    wheel.grasp()
    assert wheel.held


async def test_a_dashboard_without_the_wheel_says_who_steers_and_w_takes_it(folder: Path, recorded: Recorded) -> None:
    process = hold(folder)
    app = Dashboard(folder, recorded, owned=False)
    try:
        async with app.run_test(size=WIDE, notifications=True) as pilot:
            await until_shown(pilot, "RUN looking", "champion #10")
            await pilot.press("p")
            await until_shown(pilot, f"process {process.pid} steers; w takes the wheel")
            assert "After this stage" not in text_of(app)
            await app.want(Step.PAUSE)
            assert recorded.steps == []
            await app.want(Step.VOTE, 3)
            assert [step for step, *_ in recorded.steps] == [Step.VOTE]
            await pilot.press("w")
            await until_shown(pilot, f"you steer now; process {process.pid} looks")
            await until(pilot, lambda: "looking" not in text_of(app).partition("\n")[0])
            await pilot.press("p")
            await until_shown(pilot, "▸ After this stage")
    finally:
        process.kill()
        process.wait()


async def test_who_attached_and_steers_may_end_the_loop_and_leaves_it_by_default(
    folder: Path, recorded: Recorded
) -> None:
    for keys, left in ((("enter",), Leave.DETACH), (("j", "enter"), Leave.DRAIN)):
        app = Dashboard(folder, recorded, owned=False)
        async with app.run_test(size=NARROW) as pilot:
            await until_shown(pilot, "champion #10")
            await pilot.press("q")
            await until_shown(pilot, "▸ Leave", "Drain", "Stop")
            await pilot.press(*keys)
            await until(pilot, lambda app=app: app.return_value is not None)
        assert app.return_value is left


async def test_a_step_in_a_run_of_another_user_is_refused_with_their_name(
    folder: Path, recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK)
    app = Dashboard(folder, recorded, owned=False)
    async with app.run_test(size=WIDE, notifications=True) as pilot:
        await until_shown(pilot, "champion #10")
        await pilot.press("p")
        await until_shown(pilot, f"this run belongs to {folder.owner()}, who alone may change it; you may look")
    assert recorded.steps == []


async def test_who_lost_the_wheel_while_asked_how_to_leave_may_only_leave(folder: Path, recorded: Recorded) -> None:
    for owned in (False, True):
        app, other = Dashboard(folder, recorded, owned=owned), Wheel(folder)
        async with app.run_test(size=WIDE, notifications=True) as pilot:
            await until_shown(pilot, "champion #10")
            await pilot.press("q")
            await until_shown(pilot, "▸ Leave" if not owned else "▸ Detach", "Stop")
            other.take()
            await pilot.press("j", "j", "enter")
            await until_shown(pilot, "steers; w takes the wheel")
            assert app.return_value is None
            await pilot.press("q")
            if owned:
                await until_shown(pilot, "▸ Detach")
                await pilot.press("enter")
            await until(pilot, lambda app=app: app.return_value is not None)
        assert app.return_value is Leave.DETACH
        other.close()
