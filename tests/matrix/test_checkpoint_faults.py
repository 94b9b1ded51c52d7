"""Each file of a checkpoint that the real train worker wrote missing, cut off or flipped: the worker, started again,
notices it by the manifest, says so, and goes on from the checkpoint before to the same bits.

Elsewhere: a worker that is killed in the middle and finds its newest checkpoint damaged (``test_train_worker``); which
folders are whole (``test_artifact_faults``).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from matrix.test_artifact_faults import cut_off, flipped
from test_train_worker import ROOT, checkpoints, order, put, result, steps

from checkpoints.artifacts import MANIFEST, is_whole, read_manifest
from lanes.order import TrainOrder

STEPS, INTERVAL = 4, 2
DAMAGES = (Path.unlink, cut_off, flipped)

WORKERS = """
import os, sys
from lanes.workers import train, training
for order in sys.argv[1:]:
    child = os.fork()
    if not child:
        os._exit(train.main([order]))
    if os.waitpid(child, 0)[1]:
        sys.exit(f"{order}: no result")
"""
"""The worker once for each order, a process each; what it imports is imported once."""


def small(folder: Path) -> TrainOrder:
    recipe = {"training": {"max_steps": STEPS}, "data": {"mix": {"expert": 1}, "sample_size": 16}}
    return order(folder, recipe, checkpoint_steps=INTERVAL, eval_rows=4)


def work(folders: Iterable[Path]) -> None:
    command = [sys.executable, "-c", WORKERS, *(str(folder / "order.json") for folder in folders)]
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, timeout=170
    )
    assert done.returncode == 0, done.stderr.decode()[-2000:]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a training that nothing interrupted."""
    folder = tmp_path_factory.mktemp("whole")
    put(folder, small(folder))
    work([folder])
    assert [path.name for path in checkpoints(folder)] == ["checkpoint-2", "checkpoint-4"]
    return folder


def interrupted(whole: Path, folder: Path) -> Path:
    """The same training, as it was after its last checkpoint; returns that."""
    shutil.copytree(whole / "checkpoints", folder / "checkpoints")
    put(folder, small(folder))
    return folder / "checkpoints" / f"checkpoint-{STEPS}"


def files(checkpoint: Path) -> list[str]:
    manifest = read_manifest(checkpoint)
    assert manifest
    return [*manifest["files"], MANIFEST]


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_real_checkpoint_with_any_file_damaged_costs_one_interval_and_is_named(
    whole: Path, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    damaged = {tmp_path / str(number): name for number, name in enumerate(files(checkpoints(whole)[-1]))}
    assert {"adapter_model.safetensors", "optimizer.pt", "scheduler.pt", "rng_state.pth"} < set(damaged.values())
    for folder, name in damaged.items():
        damage(interrupted(whole, folder) / name)
    work(damaged)
    for folder, name in damaged.items():
        found = result(folder)
        assert (found.status, steps(folder)) == ("done", [3, 4]), name
        (note,) = found.notes
        what = "" if name == MANIFEST else f"{name} "  # where a manifest is flipped it names another file
        assert note.startswith(f"checkpoint-{STEPS} is damaged and was passed over: {what}"), (name, note)
        assert found.manifest["files"] == result(whole).manifest["files"], name
        assert is_whole(folder / "adapter") and is_whole(checkpoints(folder)[-1])


@pytest.mark.slow
def test_without_a_whole_checkpoint_the_training_begins_anew_and_names_each(whole: Path, tmp_path: Path) -> None:
    newest = interrupted(whole, tmp_path)
    flipped(newest / "optimizer.pt")
    flipped(newest.with_name(f"checkpoint-{INTERVAL}") / "adapter_model.safetensors")
    work([tmp_path])
    found = result(tmp_path)
    assert (found.status, steps(tmp_path)) == ("done", [1, 2, 3, 4])
    assert [note.split(" is damaged")[0] for note in found.notes] == ["checkpoint-4", "checkpoint-2"]
    assert found.manifest["files"] == result(whole).manifest["files"]
