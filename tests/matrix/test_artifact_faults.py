"""Every file of a checkpoint and of an artifact missing, cut off or flipped: noticed, and the one before is taken.

Elsewhere: the same for one file of a real training, which goes on from the checkpoint before to the same bits
(``test_train_worker``); kills while a folder is published (``test_artifacts``); what was published and is damaged
(``test_upload``, ``test_bad_input``).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from checkpoints.artifacts import is_whole, last_whole, publish, seal

FILES = (
    "adapter_config.json", "adapter_model.safetensors", "optimizer.pt", "rng_state.pth", "scheduler.pt",
    "tokenizer/tokenizer.json", "trainer_state.json", "training_args.bin",
)  # fmt: skip
"""As the trainer writes a checkpoint."""


def cut_off(file: Path) -> None:
    os.truncate(file, file.stat().st_size - 1)


def emptied(file: Path) -> None:
    os.truncate(file, 0)


def flipped(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def a_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


@pytest.fixture
def checkpoints(tmp_path: Path) -> list[Path]:
    """Two that are whole, the older first."""
    return [checkpoint(tmp_path / f"checkpoint-{step}") for step in (2, 4)]


def checkpoint(folder: Path) -> Path:
    draw = Random(folder.name)
    for name in FILES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(draw.randbytes(5000))
    seal(folder)
    return folder


@pytest.mark.parametrize("damage", [Path.unlink, cut_off, emptied, flipped, a_folder])
@pytest.mark.parametrize("name", [*FILES, "manifest.json"])
def test_a_checkpoint_with_any_damaged_file_is_passed_over_by_name_for_the_one_before(
    checkpoints: list[Path], name: str, damage: Callable[[Path], None]
) -> None:
    older, newer = checkpoints
    damage(newer / name)
    found, passed = last_whole(checkpoints)
    assert found == older
    (line,) = passed
    assert line.startswith("checkpoint-4 is damaged and was passed over: ")
    assert name in line or name == "manifest.json"


def test_without_a_whole_checkpoint_there_is_none_and_each_is_named(checkpoints: list[Path]) -> None:
    for one in checkpoints:
        flipped(one / "optimizer.pt")
    found, passed = last_whole(checkpoints)
    assert found is None and len(passed) == 2


def test_every_byte_of_a_small_file_is_watched_over(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    file = tmp_path / "a" / "adapter_config.json"
    file.write_bytes(b'{"r": 8, "lora_alpha": 16}')
    seal(tmp_path / "a")
    whole = file.read_bytes()
    for place in range(len(whole)):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        assert not is_whole(tmp_path / "a"), place
    file.write_bytes(whole)
    assert is_whole(tmp_path / "a")


@pytest.mark.parametrize("damage", [Path.unlink, cut_off, flipped])
def test_a_damaged_artifact_is_replaced_by_the_same_training_and_never_taken_for_whole(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    publish(Path(shutil.copytree(checkpoint(tmp_path / "trained"), tmp_path / "first")), tmp_path / "adapter")
    damage(tmp_path / "adapter" / "adapter_model.safetensors")
    assert not is_whole(tmp_path / "adapter")
    publish(tmp_path / "trained", tmp_path / "adapter")
    assert is_whole(tmp_path / "adapter")
