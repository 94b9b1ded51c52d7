"""The demo with trainings of a few seconds, run by the real command in a process group of its own, to be killed."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import NamedTuple

from checkpoints.ownership import RUN
from checkpoints.reader import Reader
from checkpoints.records import Json
from lanes.arena_desk import ARENA
from lanes.order import ORDER, RESULT
from lanes.process import groups_of, marked, signal_all, still_runs
from lanes.worker import MARK, Worker
from runner.init import init
from runner.program import FILE

ROOT = Path(__file__).parents[1]

_SMALLER = {
    "    max_steps: 30\n": "    max_steps: {steps}\n",
    "training.max_steps: {min: 15, max: 45}": "training.max_steps: {min: 6, max: {most}}",
    "  experiments: 6 ": "  experiments: {experiments} ",
    "checkpoint_steps: 10": "checkpoint_steps: 4",
    "eval_rows: 60": "eval_rows: 20",
    "max_votes: 400": "max_votes: {votes}",
}


class Finished(NamedTuple):
    """A training's result, by which one that is done again is known."""

    folder: Path
    inode: int
    written_at: int
    pid: int
    """Of the worker that wrote it."""


def write_small_demo(folder: Path, experiments: int, steps: int = 12, votes: int = 120) -> Path:
    """Write the demo with fewer steps and votes; returns the folder that its run will be in."""
    init("demo", folder)
    program = folder / FILE
    text = program.read_text(encoding="utf-8")
    sizes = {"{steps}": steps, "{most}": 2 * steps, "{experiments}": experiments, "{votes}": votes}
    for before, after in _SMALLER.items():
        assert text.count(before) == 1, before
        for name, size in sizes.items():
            after = after.replace(name, str(size))
        text = text.replace(before, after)
    program.write_text(text, encoding="utf-8")
    return folder / RUN


def start(folder: Path) -> subprocess.Popen[bytes]:
    """Start or resume the run of a folder without a screen; what it says is added to ``said.txt`` there."""
    with (folder / "said.txt").open("ab") as said:
        return subprocess.Popen(
            [sys.executable, "-m", "tui.main", "run", "--headless", str(folder)],
            stdin=subprocess.DEVNULL, stdout=said, stderr=said, start_new_session=True,
            env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        )  # fmt: skip


def has_begun(run: Path) -> bool:
    """Whether there is anything of a run that a kill could lose."""
    try:
        with closing(Reader(run)) as read:
            return read.run() is not None
    except (FileNotFoundError, sqlite3.OperationalError):
        return False  # its tables are not there yet


def kill_group(process: subprocess.Popen[bytes]) -> int:
    """SIGKILL to the whole process group of a loop; returns the exit status."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    return process.wait()


def kill_workers(run: Path) -> int:
    """SIGKILL to all workers of a run and their families; returns how many processes there were."""
    pids = worker_pids(run)
    signal_all(groups_of(pids), pids, signal.SIGKILL)
    return len(pids)


def worker_pids(run: Path) -> set[int]:
    """Processes that work, stand by or serve for a run."""
    folders = [*(run / "work").glob("*"), run / ARENA]
    return {pid for folder in folders for pid in marked(MARK, str(folder.absolute()))}


def trainers(run: Path) -> set[int]:
    """Pids of the living processes that have an order to train and no result yet."""
    found: set[int] = set()
    for folder in (run / "work").glob("*"):
        identity = Worker(folder).identity()
        at_work = "experiment" in (_json(folder / ORDER) or {}) and not (folder / RESULT).exists()
        if at_work and identity and still_runs(identity):
            found.add(identity.pid)
    return found


def finished_trainings(run: Path) -> dict[int, list[Finished]]:
    """Results of trainings that were carried to their end, by experiment."""
    found: dict[int, list[Finished]] = {}
    for folder in (run / "work").glob("*"):
        order, result = _json(folder / ORDER), _json(folder / RESULT)
        if order and result and "experiment" in order and result.get("status") == "done":
            stat, identity = (folder / RESULT).stat(), Worker(folder).identity()
            assert identity
            made = Finished(folder, stat.st_ino, stat.st_mtime_ns, identity.pid)
            found.setdefault(order["experiment"], []).append(made)
    return found


def steps_taken(run: Path, experiment: int) -> list[int]:
    """Steps in the order in which the experiment's trainers logged them; one that was done again is there again."""
    lines = (line for folder in _folders(run, experiment) for line in Worker(folder).new_metrics())
    return [line["step"] for line in lines if line.get("phase") == "train"]


def steps_again(run: Path, experiment: int) -> int:
    """How many of an experiment's steps were done a second time."""
    steps = steps_taken(run, experiment)
    return len(steps) - len(set(steps))


def wait_until(true: Callable[[], object], process: subprocess.Popen[bytes], seconds: float = 90.0) -> None:
    """Wait for something to become true of a loop that runs, or fail."""
    end = time.monotonic() + seconds
    while not true():
        assert process.poll() is None, "the loop has ended"
        assert time.monotonic() < end, "it did not become true"
        time.sleep(0.02)


def _folders(run: Path, experiment: int) -> list[Path]:
    orders = ((folder, _json(folder / ORDER)) for folder in sorted((run / "work").glob("*")))
    return [folder for folder, order in orders if order and order.get("experiment") == experiment]


def _json(path: Path) -> Json | None:
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
