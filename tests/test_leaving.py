"""What becomes of the run when its person goes: the real command in a pseudo-terminal, with lanes that sleep."""

from __future__ import annotations

import os
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
from small_disk import SmallDisk, mounted
from terminal import ROOT, Terminal

from checkpoints import writes
from checkpoints.reader import Reader
from checkpoints.records import ENDS, RunState, Step
from checkpoints.store import Store, holder
from runner.init import init

SHOWN, GONE = b"\x1b[?1049h", b"\x1b[?1049l"
"""What a program sends when it takes the whole screen, and when it gives it back."""

HEAVY = {"torch", "transformers", "trl", "peft", "litellm", "datasets", "pandas", "scipy"}


@pytest.fixture
def python(tmp_path: Path) -> Path:
    """What stands for Python, so that the processes that the command starts sleep, too."""
    path = tmp_path / "python"
    command = f'exec "{sys.executable}" "{ROOT}/tests/sleeping_command.py" "$@"'
    path.write_text(f'#!/bin/sh\nSLEEPING_PYTHON="{path}"\nexport SLEEPING_PYTHON\n{command}\n')
    path.chmod(0o755)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """The demo's program; whoever holds its run at the end is killed."""
    folder = tmp_path / "demo"
    init("demo", folder)
    yield folder
    while (held := holder(folder / "run")) and (pid := re.match(r"process (\d+)", held)):
        with suppress(ProcessLookupError):
            os.kill(int(pid[1]), signal.SIGKILL)
        time.sleep(0.05)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    yield from mounted(tmp_path / "disk", 300)


def start(python: Path, *arguments: object, **environment: str) -> Terminal:
    return Terminal([str(python), "-m", "tui.main", *map(str, arguments)], **environment)


def many(folder: Path) -> None:
    """Give the run more to do than a test waits for."""
    program = folder / "program.md"
    program.write_text(program.read_text().replace("  experiments: 6 ", "  experiments: 500 "))


def held_by(folder: Path) -> int:
    """Pid of the process that drives the run; 0 when none does."""
    found = re.match(r"process (\d+)", holder(folder / "run") or "")
    return int(found[1]) if found else 0


def ended(folder: Path) -> int:
    """Experiments that have come to their end."""
    with closing(Reader(folder / "run")) as reader:
        return reader.count(*ENDS)


def wait_for(true: Callable[[], object], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come true"
        time.sleep(0.05)


@pytest.mark.slow
def test_detached_the_run_goes_on_and_the_same_command_shows_and_steers_it(python: Path, folder: Path) -> None:
    many(folder)
    screen = start(python, folder)
    screen.until("champion #")
    screen.press("q", "\r")
    assert screen.ended() == 0
    screen.until("the run goes on headless as process", "look at it again: autoresearch-tui")
    before, pid = ended(folder), held_by(folder)
    assert pid not in (0, screen.child.pid) and f"as process {pid};" in screen.text
    wait_for(lambda: ended(folder) > before)

    visit = start(python, folder)
    visit.until("RUN", "champion #")
    visit.press("p")
    visit.until("▸ After this stage")
    visit.press("\r")
    visit.until("⏸ PAUSED", "p Go on", "waits for the go-ahead")
    visit.press("q")
    visit.until("▸ Leave")
    visit.press("\r")
    assert visit.ended() == 0
    visit.until(f"the run goes on, held by process {pid}")
    assert held_by(folder) == pid

    again = start(python, folder)
    again.until("⏸ PAUSED")
    again.press("q", "j", "j", "\r")
    assert again.ended() == 0
    again.until("stopped; go on with: autoresearch-tui")
    assert not held_by(folder)


@pytest.mark.slow
def test_a_second_dashboard_only_looks_until_it_takes_the_wheel_and_its_hang_up_ends_nothing(
    python: Path, folder: Path
) -> None:
    many(folder)
    first = start(python, folder)
    first.until("champion #")
    second = start(python, folder)
    second.until("RUN looking", "champion #")
    second.press("p")
    second.until(f"process {first.child.pid} on pts/", "steers; w takes the wheel")
    second.press("w")
    second.until("you steer now")
    first.until("RUN looking")
    before = ended(folder)
    os.close(second.child.child_fd)
    wait_for(lambda: not second.child.isalive())
    assert held_by(folder) == first.child.pid
    first.press("p")
    first.until("▸ After this stage")
    wait_for(lambda: ended(folder) > before)
    first.press("\x1b", "q", "j", "j", "\r")
    assert first.ended() == 0


@pytest.mark.slow
def test_a_run_without_a_screen_outlives_the_terminal_that_it_was_started_in(python: Path, folder: Path) -> None:
    screen = start(python, "run", "--headless", folder)
    screen.until("exp-0000")
    os.close(screen.child.child_fd)
    _, status = os.waitpid(screen.child.pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert ended(folder) == 7
    assert "finished: all 6 experiments" in (folder / "run" / "headless.log").read_text()


def test_a_lost_terminal_leaves_the_run_going_on_in_the_same_process(python: Path, folder: Path) -> None:
    screen = start(python, folder)
    screen.until("champion #")
    os.close(screen.child.child_fd)
    pid = screen.child.pid
    assert held_by(folder) == pid
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    with closing(Reader(folder / "run")) as reader:
        run = reader.run()
        assert run and run.state is RunState.FINISHED
        assert "the terminal has gone: the run goes on without a screen" in "\n".join(e.text for e in reader.events())
    assert ended(folder) == 7
    assert "finished: all 6 experiments" in (folder / "run" / "headless.log").read_text()


def test_drain_tells_what_happens_and_leaves_nothing_under_way(python: Path, folder: Path) -> None:
    many(folder)
    screen = start(python, folder)
    screen.until("champion #")
    screen.press("q", "j")
    screen.until("▸ Drain")
    screen.press("\r")
    screen.until("finishing the stages under way; Ctrl+C stops now")
    assert screen.ended() == 0
    screen.until("stopped; go on with: autoresearch-tui")
    assert not held_by(folder)
    with closing(Reader(folder / "run")) as reader:
        assert not [stage for stage in reader.stages() if stage.state == "started"]
        before = reader.count(*ENDS)

    again = start(python, folder)
    again.until("champion #")
    wait_for(lambda: ended(folder) > before)
    again.press("q", "j", "j")
    again.until("▸ Stop")
    again.press("\r")
    assert again.ended() == 0


@pytest.mark.slow
def test_stop_does_not_wait_for_a_training_and_ctrl_c_ends_a_drain(python: Path, folder: Path) -> None:
    for keys, interrupted in ((("j", "j", "\r"), False), (("j", "\r"), True)):
        screen = start(python, folder, SLEEPING_SECONDS="600")
        screen.until("▶ training")
        screen.press("q", *keys)
        if interrupted:
            screen.until("Ctrl+C stops now")
            screen.press("\x03")
        assert screen.ended(60) == 0
        screen.until("stopped; go on with")
        assert not held_by(folder)


@pytest.mark.slow
def test_ctrl_c_while_a_run_that_was_left_ends_changes_nothing_about_its_end(python: Path, folder: Path) -> None:
    screen = start(python, folder, SLEEPING_SECONDS="600")
    screen.until("▶ training")
    screen.press("q", "j", "j", "\r")
    screen.until("stopping…")
    while screen.child.isalive():
        screen.child.send("\x03")
    assert screen.ended() == 0


def test_a_stop_that_was_asked_for_before_a_kill_does_not_stop_the_next_start(python: Path, folder: Path) -> None:
    with Store(folder / "run") as store:
        store.submit(writes.intervene, Step.STOP, None, "", {"how": "now"}).result()
    screen = start(python, "run", "--headless", folder, SLEEPING_SECONDS="0.01")
    assert screen.ended() == 0
    assert ended(folder) == 7


def test_a_termination_signal_drains_as_it_does_without_a_screen(python: Path, folder: Path) -> None:
    many(folder)
    screen = start(python, folder)
    screen.until("champion #")
    os.kill(screen.child.pid, signal.SIGTERM)
    assert screen.ended() == 0
    screen.until("finishing the stages under way", "stopped; go on with")
    assert b"\x1b[?1049l" in screen.sent


def test_a_second_termination_signal_stops_what_the_first_would_have_finished(python: Path, folder: Path) -> None:
    screen = start(python, folder, SLEEPING_SECONDS="600")
    screen.until("▶ training")
    os.kill(screen.child.pid, signal.SIGTERM)
    screen.until("finishing the stages under way")
    os.kill(screen.child.pid, signal.SIGTERM)
    assert screen.ended(60) == 0
    assert not held_by(folder)


@pytest.mark.slow
def test_a_screen_that_breaks_comes_back_and_at_last_leaves_the_run_alone(python: Path, folder: Path) -> None:
    many(folder)
    screen = start(python, folder, SLEEPING_FAULT="1")
    screen.until("champion #", "q Quit…")
    assert held_by(folder) == screen.child.pid
    screen.press("?")
    screen.until("the screen failed and is back (RuntimeError: the screen broke; its trace is in", "champion #")
    wait_for(lambda: (screen.press("?"), not screen.child.isalive())[1])
    assert screen.ended() == 0
    assert screen.sent.count(SHOWN) == screen.sent.count(GONE) == 3
    screen.until("the screen failed again and again", "the run goes on headless as process")
    assert b"Traceback" not in screen.sent
    assert "Traceback" in (folder / "run" / "dashboard-errors.log").read_text()
    with closing(Reader(folder / "run")) as reader:
        told = [event.text for event in reader.events() if event.kind == "screen"]
        assert told and all(text.startswith("the screen failed and is back (RuntimeError") for text in told)

    pid = held_by(folder)
    visit = start(python, folder, SLEEPING_FAULT="1")
    visit.until("champion #")
    wait_for(lambda: (visit.press("?"), not visit.child.isalive())[1])
    assert visit.ended() == 1
    visit.until("the screen failed again and again", f"the run goes on, held by process {pid}")


def test_leaving_a_finished_run_starts_nothing_and_says_where_its_table_is(python: Path, folder: Path) -> None:
    screen = start(python, folder, SLEEPING_SECONDS="0.01")
    screen.until("■ FINISHED all 6 experiments")
    screen.press("q")
    assert screen.ended() == 0
    screen.until("the run is finished", f"autoresearch-tui results {folder}"[:60])
    assert not held_by(folder)


def test_a_wrong_program_is_one_line_after_the_screen_and_exit_status_1(python: Path, folder: Path) -> None:
    program = folder / "program.md"
    program.write_text(program.read_text().replace("  beta: 0.1\n", "  beta: much\n").replace("goal:", "gaol:"))
    screen = start(python, folder)
    assert screen.ended() == 1
    screen.until("autoresearch-tui: ", "gaol")
    assert "Traceback" not in screen.text and not held_by(folder)


def test_the_process_of_the_dashboard_never_imports_what_trains(python: Path, folder: Path, tmp_path: Path) -> None:
    names = tmp_path / "modules"
    screen = start(python, folder, SLEEPING_SECONDS="0.01", SLEEPING_MODULES=str(names))
    screen.until("■ FINISHED")
    screen.press("\r")
    screen.until("Verdict")
    screen.press("q", "?")
    screen.until("Look around")
    screen.press("q", "q")
    assert screen.ended() == 0
    imported = {name.partition(".")[0] for name in names.read_text().splitlines()}
    assert {"tui", "runner", "lanes", "textual", "plotext"} <= imported
    assert not HEAVY & imported


@pytest.mark.slow
def test_whoever_took_the_run_before_the_process_without_a_screen_did_is_named(
    python: Path, folder: Path, tmp_path: Path
) -> None:
    many(folder)
    faster = tmp_path / "faster"
    take = "import pathlib, time; from checkpoints.store import Store; "
    take += f"kept = Store(pathlib.Path('{folder}/run')); time.sleep(60)"
    faster.write_text(f'#!/bin/sh\n"{sys.executable}" -c "{take}" &\nsleep 1.5\nexec "{python}" "$@"\n')
    faster.chmod(0o755)
    python.write_text(python.read_text().replace(f'SLEEPING_PYTHON="{python}"', f'SLEEPING_PYTHON="{faster}"'))
    screen = start(python, folder)
    screen.until("champion #")
    screen.press("q", "\r")
    assert screen.ended() == 0
    screen.until(f"the run goes on, held by process {held_by(folder)} on ")
    assert "NOT" not in screen.text


@pytest.mark.parametrize(
    "keys", [pytest.param(("\r",), id="detach"), pytest.param(("j", "j", "\r"), id="stop", marks=pytest.mark.slow)]
)
@pytest.mark.slow
def test_leaving_while_the_disk_is_full_says_why_it_waits_and_ctrl_c_ends_it(
    python: Path, small_disk: SmallDisk, keys: tuple[str, ...]
) -> None:
    folder = small_disk.folder / "demo"
    init("demo", folder)
    many(folder)
    screen = start(python, folder)
    screen.until("champion #")
    small_disk.fill()
    screen.until("is full")
    screen.press("q", *keys)
    wait_for(lambda: (screen.read(0.1), GONE in screen.sent)[1])
    told = "make room; the run waits and goes on by itself; Ctrl+C ends it at once, and all that was recorded stays"
    wait_for(lambda: (screen.read(0.1), told in screen.text.replace("\n", ""))[1])  # however long the folder's name is
    assert screen.child.isalive()
    screen.press("\x03")
    assert screen.ended() == 1
    assert not held_by(folder)
