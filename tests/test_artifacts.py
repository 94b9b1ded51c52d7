"""Folders that are whole or not there."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from checkpoints.artifacts import is_whole, last_whole, problems, publish, read_manifest, seal, write_json


def folder_with(path: Path, **files: str) -> Path:
    for name, text in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text(text)
    return path


def test_a_sealed_folder_is_whole_with_its_inner_folders(tmp_path: Path) -> None:
    folder = folder_with(tmp_path / "a", **{"weights": "abc", "inner/config": "{}"})
    manifest = seal(folder)
    assert is_whole(folder)
    assert set(manifest["files"]) == {"weights", "inner/config"}
    assert manifest["files"]["weights"]["size"] == 3


def test_a_folder_without_a_manifest_is_not_whole(tmp_path: Path) -> None:
    assert problems(folder_with(tmp_path / "a", weights="abc")) == ["no manifest"]
    assert problems(tmp_path / "nowhere") == ["no manifest"]


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (lambda file: file.unlink(), "weights is missing"),
        (lambda file: file.write_text("ab"), "weights has 2 bytes instead of 3"),
        (lambda file: file.write_text("abd"), "weights has another SHA-256 sum"),
        (lambda file: (file.unlink(), file.mkdir()), "weights"),
    ],
)
def test_every_damaged_file_is_named(tmp_path: Path, damage, problem: str) -> None:
    folder = folder_with(tmp_path / "a", weights="abc", config="{}")
    seal(folder)
    damage(folder / "weights")
    (found,) = problems(folder)
    assert found.startswith(problem)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"files": []}', '{"files": {"weights": {}}}', "\xff"])
def test_a_manifest_that_cannot_be_understood_is_none(tmp_path: Path, text: str) -> None:
    folder = folder_with(tmp_path / "a", weights="abc")
    (folder / "manifest.json").write_text(text, encoding="latin-1")
    assert problems(folder) == ["no manifest"]


def test_files_beside_the_manifest_do_not_make_a_folder_damaged(tmp_path: Path) -> None:
    folder = folder_with(tmp_path / "a", weights="abc")
    seal(folder)
    folder_with(folder, later="x")
    assert is_whole(folder)


def test_publishing_moves_the_folder_and_seals_it(tmp_path: Path) -> None:
    manifest = publish(folder_with(tmp_path / "tmp", weights="abc"), tmp_path / "adapter")
    assert is_whole(tmp_path / "adapter")
    assert read_manifest(tmp_path / "adapter") == manifest
    assert not (tmp_path / "tmp").exists()


def test_publishing_the_same_again_changes_nothing(tmp_path: Path) -> None:
    publish(folder_with(tmp_path / "tmp", weights="abc"), tmp_path / "adapter")
    before = (tmp_path / "adapter").stat().st_ino
    publish(folder_with(tmp_path / "tmp", weights="abc"), tmp_path / "adapter")
    assert (tmp_path / "adapter").stat().st_ino == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["adapter"]


@pytest.mark.parametrize("damaged", [True, False])
def test_publishing_replaces_what_is_damaged_or_different(tmp_path: Path, damaged: bool) -> None:
    publish(folder_with(tmp_path / "tmp", weights="abc"), tmp_path / "adapter")
    if damaged:
        (tmp_path / "adapter" / "weights").write_text("a")
    publish(folder_with(tmp_path / "tmp", weights="abc" if damaged else "new"), tmp_path / "adapter")
    assert is_whole(tmp_path / "adapter")
    assert (tmp_path / "adapter" / "weights").read_text() == ("abc" if damaged else "new")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["adapter"]


def test_the_newest_whole_folder_is_taken_and_the_damaged_ones_are_named(tmp_path: Path) -> None:
    folders = [folder_with(tmp_path / f"checkpoint-{step}", weights="abc") for step in (5, 10, 15)]
    for folder in folders:
        seal(folder)
    (folders[2] / "weights").write_text("a")
    found, passed = last_whole(folders)
    assert found == folders[1]
    assert passed == ["checkpoint-15 is damaged and was passed over: weights has 1 bytes instead of 3"]
    assert last_whole([]) == (None, [])


def test_a_json_file_is_replaced_at_once_and_refuses_numbers_that_are_not_finite(tmp_path: Path) -> None:
    place = tmp_path / "result.json"
    write_json(place, {"a": 1})
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(place, {"a": float("nan")})
    assert json.loads(place.read_text()) == {"a": 1}


WRITER = """
import sys
from pathlib import Path
from checkpoints.artifacts import publish
root = Path(sys.argv[1])
for number in range(1000000):
    temporary = root / "tmp"
    temporary.mkdir(exist_ok=True)
    (temporary / "weights").write_text(str(number) * 5000)
    publish(temporary, root / "adapter")
    print(number, flush=True)
"""


def test_after_a_kill_at_any_moment_there_is_a_whole_folder_or_none(tmp_path: Path) -> None:
    for delay in (0.0, 0.003, 0.011, 0.017, 0.029):
        command = [sys.executable, "-c", WRITER, str(tmp_path)]
        writer = subprocess.Popen(command, stdout=subprocess.PIPE, env=dict(os.environ, PYTHONPATH="."))
        assert writer.stdout is not None
        writer.stdout.readline()
        time.sleep(delay)
        writer.send_signal(signal.SIGKILL)
        writer.communicate()
        assert not (tmp_path / "adapter").exists() or is_whole(tmp_path / "adapter")
