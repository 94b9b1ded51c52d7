"""What may not be read or written by whoever runs it: one line that says what, where and what to do.

Root is bound by no permissions, so what is tried as root gives up its right to pass them over. Elsewhere: the run of
another user (``test_unreadable_run``); a disk that is mounted read-only (``test_bad_input``).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from test_command_line import ROOT, one_line
from test_train_worker import order, put, result

from checkpoints import writes
from checkpoints.artifacts import seal
from checkpoints.store import Store
from runner.init import init

IN_TESTS = f"import sys; sys.path[:0] = {[str(ROOT / 'tests'), str(ROOT / 'tests' / 'matrix')]!r}\n"

Bound = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def bound(tmp_path: Path) -> Iterator[Bound]:
    """Runs Python as somebody whom permissions bind, and lets everything be removed afterwards."""
    prefix: list[str] = []
    if os.geteuid() == 0:
        if not shutil.which("setpriv"):
            pytest.skip("root is bound by no permissions, and here is no setpriv to change that")
        prefix = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search", "--inh-caps", "-all"]

    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*prefix, sys.executable, *map(str, arguments)], capture_output=True, text=True, timeout=100,
            stdin=subprocess.DEVNULL, env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        )  # fmt: skip

    yield run
    subprocess.run(["chmod", "-R", "u+rwX", str(tmp_path)], check=True)


@pytest.fixture
def demo(tmp_path: Path) -> Path:
    init("demo", tmp_path / "demo")
    return tmp_path / "demo"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("place", "mode", "line"),
    [
        (".", 0o500, "and you may not write it: nothing runs here"),
        ("program.md", 0o000, "program.md: cannot be read: Permission denied"),
        ("sample_data/pairs/noisy.jsonl", 0o000, "noisy.jsonl' may not be read by you: it belongs to "),
        ("sample_data/pairs", 0o000, "Permission denied; it belongs to "),
        ("sample_data/heldout/prompts.jsonl", 0o200, "prompts.jsonl' may not be read by you: it belongs to "),
        ("sample_data/model", 0o000, "model' may not be read by you: it belongs to "),
        ("sample_data/model", 0o400, "model' may not be read by you: it belongs to "),
    ],
)
def test_a_run_does_not_begin_where_something_may_not_be_used(
    demo: Path, bound: Bound, place: str, mode: int, line: str
) -> None:
    (demo / place).chmod(mode)
    told = bound("-m", "tui.main", "run", "--headless", demo)
    assert told.returncode == 1 and line in one_line(told)
    assert not os.path.lexists(demo / "run"), "nothing was begun"


@pytest.mark.slow
def test_a_run_folder_that_may_not_be_written_is_said_before_anything_is_begun(demo: Path, bound: Bound) -> None:
    Store(demo / "run").close()
    (demo / "run").chmod(0o500)
    told = bound("-m", "tui.main", "run", "--headless", demo)
    assert told.returncode == 1
    line = f"run.db cannot be written (attempt to write a readonly database): change the permissions of {demo}/run"
    assert line in one_line(told)


@pytest.mark.slow
def test_a_run_folder_that_turns_read_only_can_still_be_looked_at(demo: Path, bound: Bound) -> None:
    with Store(demo / "run") as store:
        store.submit(writes.create_run, "the demo", "better", 3, 7).result()
    for place in (*(demo / "run").rglob("*"), demo / "run"):
        place.chmod(0o500 if place.is_dir() else 0o400)
    told = bound("-m", "tui.main", "status", "--json", demo)
    assert told.returncode == 0 and json.loads(told.stdout)["name"] == "the demo"


@pytest.mark.slow
def test_data_that_may_no_longer_be_read_when_its_training_begins_is_an_input_that_is_wrong(
    tmp_path: Path, bound: Bound
) -> None:
    data = tmp_path / "expert.jsonl"
    shutil.copy(ROOT / "sample_data/pairs/expert.jsonl", data)
    wanted = order(tmp_path, {"data": {"mix": {"expert": 1}}}, sources={"expert": {"path": str(data)}})
    data.chmod(0)
    told = bound("-m", "lanes.workers.train", put(tmp_path, wanted))
    assert told.returncode == 0
    found = result(tmp_path)
    assert (found.status, found.failure) == ("failed", "input")
    assert found.error == f"{data} may not be used (Permission denied): change its permissions"


TRAINING = """
import asyncio, sys
from pathlib import Path
from scripted import Scripted, script
from test_data_and_metrics_faults import begin
from checkpoints.store import Store
from lanes.lane import StageFailed
from lanes.order import Source
from lanes.train import TrainLane, TrainSettings

async def main():
    with Store(Path(sys.argv[1])) as store:
        settings = TrainSettings(
            standby=False, checkpoint_steps=2, model=script(), sources={"a": Source(path="a.jsonl")}
        )
        lane = TrainLane(store, settings, Scripted())
        stage = await begin(store, lane)
        (store.folder / "work").mkdir(exist_ok=True)
        (store.folder / "work").chmod(0o500)
        try:
            await asyncio.wait_for(lane.run(stage), 30)
        except StageFailed as failure:
            print(failure)

asyncio.run(main())
"""


@pytest.mark.slow
def test_a_folder_of_a_run_that_turns_read_only_is_named_by_the_training_that_needs_it(
    tmp_path: Path, bound: Bound
) -> None:
    told = bound("-c", IN_TESTS + TRAINING, tmp_path / "run")
    assert told.stderr == ""
    place = f"{tmp_path}/run/work/exp-0000-train-1"
    assert told.stdout == f"{place} cannot be used (Permission denied): check its permissions and its disk\n"


UPLOAD = """
import asyncio, sys
from pathlib import Path
from checkpoints.store import Store
from lanes.lane import StageFailed
from lanes.upload import UploadLane
from test_upload import stage

with Store(Path(sys.argv[1])) as store:
    try:
        asyncio.run(UploadLane(store).run(stage(Path(sys.argv[2]), sys.argv[3])))
    except StageFailed as failure:
        print(failure)
"""


@pytest.mark.slow
def test_a_place_that_may_not_be_written_is_named_and_nothing_half_is_left_in_it(tmp_path: Path, bound: Bound) -> None:
    (tmp_path / "trained").mkdir()
    (tmp_path / "trained" / "weights").write_bytes(bytes(1000))
    seal(tmp_path / "trained")
    (tmp_path / "published").mkdir()
    (tmp_path / "published").chmod(0o500)
    url = f"file://{tmp_path}/published/exp-0000"
    told = bound("-c", IN_TESTS + UPLOAD, tmp_path / "run", tmp_path / "trained", url)
    assert told.stderr == ""
    assert told.stdout.startswith(f"{url} cannot be written (PermissionError: [Errno 13] Permission denied: ")
    assert told.stdout.endswith("): check upload.url and its permissions\n") and told.stdout.count("\n") == 1
    assert list((tmp_path / "published").iterdir()) == []
