"""A disk that is slow or that gives a file no more room.

Elsewhere: a full disk under the store, a training, an upload and an owner (``test_store``, ``test_bad_input``,
``test_leaving``); what may not be written or read (``test_permission_faults``, ``test_unreadable_run``).
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from laws import broken_laws
from loop_process import SECONDS
from sleeping import drive
from test_bad_input import begin, real_lane

from checkpoints import strokes
from checkpoints.artifacts import is_whole, publish, write_json
from checkpoints.store import Store
from lanes.lane import StageFailed
from lanes.launch import LocalProcess

ROOT = Path(__file__).parents[2]
FSYNC_SECONDS = 0.3


@pytest.mark.slow
async def test_a_disk_whose_commits_take_a_third_of_a_second_holds_up_no_event_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Store(tmp_path) as store:
        monkeypatch.setattr(strokes, "observers", [lambda what: "after" in what or time.sleep(FSYNC_SECONDS)])
        going = asyncio.create_task(drive(store, 1, SECONDS))
        longest, last = 0.0, time.monotonic()
        while not going.done():
            await asyncio.sleep(0.01)
            longest, last = max(longest, time.monotonic() - last - 0.01), time.monotonic()
        going.result()
        assert longest < FSYNC_SECONDS / 2
        assert broken_laws(store.read, 1) == []


SLOW = """
import asyncio, json, sys, time
from pathlib import Path
from laws import broken_laws
from loop_process import SECONDS
from sleeping import drive
from checkpoints.store import Store

async def stalls(going):
    found, last = [], time.monotonic()
    while not going.done():
        await asyncio.sleep(0.005)
        found.append(time.monotonic() - last - 0.005)
        last = time.monotonic()
    return sorted(found)

async def main():
    with Store(Path(sys.argv[1])) as store:
        going = asyncio.create_task(drive(store, 3, SECONDS))
        found = await stalls(going)
        going.result()
        laws = broken_laws(store.read, 3)
    print(json.dumps({"p99": found[int(0.99 * len(found))], "longest": found[-1], "looks": len(found), "laws": laws}))

asyncio.run(main())
"""


@pytest.mark.slow
def test_a_disk_on_which_the_kernel_takes_a_third_of_a_second_to_sync_stalls_no_event_loop(tmp_path: Path) -> None:
    """Each ``fsync`` is held up by ``strace``: in the kernel, wherever it is called from."""
    strace = ["strace", "-f", "-qq", "--seccomp-bpf", "-o", str(tmp_path / "calls")]
    calls = "fsync,fdatasync"
    if not shutil.which("strace") or subprocess.run([*strace, "-e", f"trace={calls}", "true"]).returncode:
        pytest.skip("there is no strace here that may look at its own children")
    delayed = ["-e", f"trace={calls}", "-e", f"inject={calls}:delay_enter={int(FSYNC_SECONDS * 1e6)}"]
    done = subprocess.run(
        [*strace, *delayed, sys.executable, "-c", SLOW, str(tmp_path / "run")],
        capture_output=True, text=True, timeout=150,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(str(ROOT / part) for part in ("", "tests"))},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert (tmp_path / "calls").read_text().count("(DELAYED)") > 20
    assert found["laws"] == []
    assert found["p99"] < 0.05 and found["longest"] < FSYNC_SECONDS, found


@pytest.mark.parametrize("room", [0, 1000])
def test_a_file_that_may_grow_no_more_is_replaced_whole_or_stays_as_it_was(tmp_path: Path, room: int) -> None:
    place = tmp_path / "result.json"
    write_json(place, {"a": 1})
    code = f"""
import resource, signal
from pathlib import Path
from checkpoints.artifacts import write_json
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, ({room}, {room}))
try:
    write_json(Path({str(place)!r}), {{"a": "x" * 100_000}})
except OSError as error:
    print(error.strerror)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30)
    assert (done.stdout.strip(), done.stderr) == ("File too large", "")
    assert place.read_text() == '{"a": 1}'


LIMITED = """
import asyncio, resource, signal, sys
from pathlib import Path
from checkpoints import writes
from checkpoints.store import Store
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
with Store(Path(sys.argv[1])) as store:
    store.submit(writes.create_run, "test", "better", 3, 7).result()
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
    waiting = [store.submit(writes.read_program, "x" * 3000, str(number), "") for number in range(200)]
    while not store.trouble:
        pass
    print(store.trouble, flush=True)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    print([one.result(timeout=20) for one in waiting] == list(range(1, 201)), flush=True)
"""


def test_a_database_that_may_grow_no_more_waits_says_why_and_goes_on_by_itself(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", LIMITED, str(tmp_path)], capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    why, all_there = done.stdout.splitlines()
    assert "the run waits and goes on by itself" in why
    assert all_there == "True"


RUNNER = """
import asyncio, resource, signal, sys, threading
from pathlib import Path
from laws import broken_laws
from loop_process import SECONDS
from sleeping import drive
from checkpoints.store import Store
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

def room(size):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

async def main():
    with Store(Path(sys.argv[1])) as store:
        going = asyncio.create_task(drive(store, 8, SECONDS))
        while store.read.count() < 3:
            await asyncio.sleep(0.01)
        room(4096)
        while not store.trouble:
            await asyncio.sleep(0.01)
        print(store.trouble)
        before = store.read.count_verdicts()
        await asyncio.sleep(0.5)
        print(not going.done() and store.read.count_verdicts() == before)
        room(resource.RLIM_INFINITY)
        await going
        print(broken_laws(store.read, 8))

asyncio.run(main())
"""


@pytest.mark.slow
def test_a_runner_that_may_write_no_larger_files_waits_says_why_and_goes_on_to_its_end(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", RUNNER, str(tmp_path / "run")], capture_output=True, text=True, timeout=100,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(str(ROOT / part) for part in ("", "tests"))},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    why, waited, laws = done.stdout.splitlines()
    assert "the run waits and goes on by itself" in why
    assert (waited, laws) == ("True", "[]")


class SmallFiles(LocalProcess):
    """Workers that may write no file over 100 KB: their metrics fit, a checkpoint does not."""

    def command(self, program: str, order: Path) -> list[str]:
        return ["prlimit", "--fsize=100000", *LocalProcess.command(self, program, order)]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("prlimit") is None, reason="prlimit is not installed")
async def test_a_trainer_that_may_write_no_larger_files_fails_in_one_line_and_the_next_attempt_trains(
    tmp_path: Path,
) -> None:
    with Store(tmp_path / "run") as store:
        lane = real_lane(store, SmallFiles())
        stage = await begin(store, lane, max_steps=2)
        with pytest.raises(StageFailed) as failed:
            await asyncio.wait_for(lane.run(stage), 90)
        assert "File too large" in str(failed.value) and "\n" not in str(failed.value)
        assert not Path(stage.order["train"]["output"]).exists(), "nothing half is published"
        assert not [path for path in tmp_path.rglob("checkpoint-*") if path.is_dir() and is_whole(path)]
        again = lane.revise(stage, failed.value)
        await lane.close(keep_workers=False)
        assert again
        lane = real_lane(store)
        found = await asyncio.wait_for(lane.run(replace(stage, order=again, attempt=2)), 90)
        await lane.close(keep_workers=False)
        assert (found["status"], found["steps"]) == ("done", 2) and is_whole(Path(found["artifact"]))


def test_an_artifact_is_published_whole_or_not_at_all_where_its_disk_gives_no_more_room(tmp_path: Path) -> None:
    trained = tmp_path / "tmp"
    trained.mkdir()
    (trained / "weights").write_bytes(bytes(50_000))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (10, before[1]))
        with pytest.raises(OSError, match="File too large"):
            publish(trained, tmp_path / "adapter")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    assert not (tmp_path / "adapter").exists()
    publish(trained, tmp_path / "adapter")
    assert is_whole(tmp_path / "adapter")
