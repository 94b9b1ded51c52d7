"""Signals to who drives a run and to who helps it think; what works for it is in ``test_worker_faults``.

Elsewhere: SIGTERM and a lost terminal of the dashboard, with the second signal that ends at once, and of a run without
a screen (``test_leaving``), SIGTERM while the terminal reads nothing (``test_stalled_terminal``), SIGKILL of everything
at random moments and at each commit (``test_kill``, ``test_kill_points``, ``test_chaos``), a second instance
(``test_owner``, ``test_time_and_instances``), a reused pid (``test_worker``, ``test_time_and_instances``), SIGKILL of
the agent's process (``test_language_model``).
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest
from laws import broken_laws
from scripted_model import says
from small_demo import has_begun
from terminal import ROOT
from test_language_model import ASK, Run, loop, run, service, shared, workers
from test_leaving import ended, folder, many, python, start, wait_for

from checkpoints.reader import Reader
from checkpoints.records import RunState
from lanes.analyze.asking import StudyError, strengths
from lanes.judge.process import Judge, JudgeFailed, Settings
from lanes.judge.records import Pair
from lanes.lane import StageFailed
from lanes.order import Source
from lanes.prompts import heldout_prompts
from runner.agent import process
from runner.agent.asking import Answer, Unusable
from runner.agent.process import Died

__all__ = ["folder", "loop", "python", "run", "service", "shared"]

HELD = 3
"""Exit status of who finds that another process has the run."""


class Headless:
    """The real command without a screen, with lanes that sleep."""

    def __init__(self, python: Path, folder: Path) -> None:
        self.python, self.folder = python, folder
        self.process = self.another()

    def another(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [str(self.python), "-m", "tui.main", "run", "--headless", str(self.folder)], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True, cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT), "SLEEPING_SECONDS": "0.2"},
        )  # fmt: skip

    def drives(self) -> bool:
        """Whether it has come to the first verdicts."""
        return has_begun(self.folder / "run") and ended(self.folder) >= 2


@pytest.fixture
def headless(python: Path, folder: Path) -> Iterator[Headless]:
    headless = Headless(python, folder)
    wait_for(headless.drives)
    yield headless
    headless.process.kill()
    headless.process.communicate()


def has_finished_well(folder: Path) -> bool:
    with closing(Reader(folder / "run")) as read:
        state = read.run()
        assert broken_laws(read, 6) == []
    return state is not None and state.state is RunState.FINISHED


@pytest.mark.slow
def test_a_runner_that_is_stopped_keeps_its_run_and_goes_on_when_it_is_continued(headless: Headless) -> None:
    headless.process.send_signal(signal.SIGSTOP)
    wait_for(lambda: psutil.Process(headless.process.pid).status() == psutil.STATUS_STOPPED)
    second = headless.another()
    said, _ = second.communicate(timeout=20)
    assert second.returncode == HELD and f"process {headless.process.pid} on " in said
    before = ended(headless.folder)
    headless.process.send_signal(signal.SIGCONT)
    wait_for(lambda: ended(headless.folder) > before)
    assert headless.process.wait(60) == 0
    assert has_finished_well(headless.folder)


@pytest.mark.slow
def test_a_runner_that_is_told_to_end_finishes_what_is_under_way_and_the_next_start_goes_on(headless: Headless) -> None:
    headless.process.send_signal(signal.SIGTERM)
    assert headless.process.wait(30) == 0
    with closing(Reader(headless.folder / "run")) as read:
        assert not [stage for stage in read.stages() if stage.state == "started"]
    before = ended(headless.folder)
    assert before < 7
    assert headless.another().communicate(timeout=60) and has_finished_well(headless.folder)


@pytest.mark.slow
def test_a_runner_whose_terminal_hangs_up_goes_on_and_speaks_into_its_log(headless: Headless) -> None:
    headless.process.send_signal(signal.SIGHUP)
    assert headless.process.wait(60) == 0
    assert has_finished_well(headless.folder)
    assert "finished: all 6 experiments" in (headless.folder / "run" / "headless.log").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGSTOP, signal.SIGTSTP])
def test_a_dashboard_that_was_stopped_goes_on_with_its_run_and_paints_the_whole_screen(
    python: Path, folder: Path, number: signal.Signals
) -> None:
    many(folder)
    screen = start(python, folder)
    screen.until("champion #")
    os.kill(screen.child.pid, number)
    wait_for(lambda: psutil.Process(screen.child.pid).status() == psutil.STATUS_STOPPED)
    screen.read(0.2)
    screen.screen.reset()  # the shell wrote over it
    before = ended(folder)
    os.kill(screen.child.pid, signal.SIGCONT)
    screen.until("RUN", "champion #", "Lanes", "Win rate", "Memory", "q Quit…")
    wait_for(lambda: (screen.read(0.1), ended(folder) > before)[1])
    screen.press("q", "j", "j", "\r")
    assert screen.ended() == 0


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_an_agents_process_that_is_told_to_end_is_started_again_and_the_question_asked_again(
    run: Run, number: signal.Signals
) -> None:
    run.service.script(says("slow", pause=1.0), says("again"))
    assert run.loop.run(signalled(run, number)).text == "again" and len(workers()) == 1


@pytest.mark.slow
def test_an_agents_process_that_is_stopped_is_ended_and_said_and_the_next_question_has_another(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "GRACE_SECONDS", 1.0)
    run.set(timeout_seconds=2.0)
    run.service.script(says("slow", pause=1.0), says("again"))
    [before] = workers()
    with pytest.raises(Unusable, match="the agent's process did not answer in 3 s and was ended"):
        run.loop.run(signalled(run, signal.SIGSTOP))
    run.set(timeout_seconds=10.0)
    assert run.ask(ASK).text == "again"
    assert workers() and before not in workers()


async def signalled(run: Run, number: signal.Signals) -> Answer:
    """What comes of a question whose process gets a signal while the service thinks about it."""
    asked = len(run.service.asked)
    asking = asyncio.create_task(run.model.ask(ASK))
    async with asyncio.timeout(20):
        while len(run.service.asked) == asked:
            await asyncio.sleep(0.01)
    [child] = workers()
    os.kill(child, number)
    return await asking


@pytest.fixture
def born(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """File with process and session of whatever stands in for Python, a line each; it does nothing else."""
    file, stand_in = tmp_path / "born", tmp_path / "stand-in"
    stand_in.write_text(f'#!/bin/sh\necho "$$ $(ps -o sid= -p $$)" >> "{file}"\nexit 1\n')
    stand_in.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(stand_in))
    return file


async def test_what_a_terminal_signals_when_it_hangs_up_or_is_interrupted_reaches_nobody_that_a_run_works_with(
    tmp_path: Path, born: Path
) -> None:
    with pytest.raises(StageFailed):
        await heldout_prompts(Source(path="prompts.parquet"), tmp_path / "cache", 0)
    with pytest.raises(StudyError):
        await strengths(tmp_path)
    async with Judge(Settings("openai/judge"), tmp_path / "judge", print) as judge:
        with pytest.raises(JudgeFailed):
            await judge.read_all([Pair("what?", "this", "that")])
    with pytest.raises(Died):
        await process.Process(tmp_path / "agent").start(process.Whom("openai/said"))
    sessions = [line.split() for line in born.read_text().splitlines()]
    assert len(sessions) == 4 and all(pid == session for pid, session in sessions)
