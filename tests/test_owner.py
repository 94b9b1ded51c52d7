"""Who owns a run: one process, known by name, and lookers do not count."""

from __future__ import annotations

import fcntl
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from checkpoints.ownership import RUN
from checkpoints.store import LOCK, Store, holder
from runner.init import init

ROOT = Path(__file__).parents[1]
LOOP = [sys.executable, str(ROOT / "tests" / "loop_process.py")]


@pytest.fixture
def owner(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A loop on the run of the demo in ``tmp_path``."""
    init("demo", tmp_path)
    process = subprocess.Popen([*LOOP, str(tmp_path / RUN), "900"])
    while not holder(tmp_path / RUN):
        time.sleep(0.02)
    yield process
    process.kill()
    process.wait()


def second_instance(folder: Path) -> tuple[float, subprocess.CompletedProcess[str]]:
    """The real command, with the seconds of a processor that it took: a busy machine does not change them."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-m", "tui.main", "run", "--headless", str(folder)],
        capture_output=True, text=True, timeout=30, env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, done


def test_a_second_instance_is_refused_within_a_second_and_told_who_holds_the_run(
    tmp_path: Path, owner: subprocess.Popen[bytes]
) -> None:
    seconds, refused = second_instance(tmp_path)
    assert refused.returncode == 3
    assert f"this run is held by process {owner.pid} on " in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    assert seconds < 1.0
    assert owner.poll() is None


def test_a_killed_owner_leaves_the_run_to_the_next_one_at_once(tmp_path: Path, owner: subprocess.Popen[bytes]) -> None:
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    Store(tmp_path / RUN).close()
    assert holder(tmp_path / RUN) is None


def test_whoever_only_looks_keeps_no_owner_out_and_is_none(tmp_path: Path) -> None:
    """Workers that wait look fifty times a second whether the run has an owner, each time for a moment."""
    Store(tmp_path).close()
    looker = os.open(tmp_path / LOCK, os.O_RDONLY)
    fcntl.flock(looker, fcntl.LOCK_SH)
    assert holder(tmp_path) is None
    gone = threading.Timer(0.03, os.close, [looker])
    gone.start()
    Store(tmp_path).close()
    gone.join()
