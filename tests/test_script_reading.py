"""What a script prints as a person reads it, the numbers in it, the table of results, and what no run may alter."""

from __future__ import annotations

import math
import os
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lanes.script.protected import altered, protected, snapshot
from lanes.script.reading import is_measurement, metric, named
from lanes.script.results_tsv import Line, append
from lanes.script.screen import Screen

SUMMARY = "loss: 3.1\n---\nval_bpb:          0.997900\npeak_vram_mb:     45060.2\nMETRIC p95_µs=3.5e2\n"


def shown(*data: bytes) -> str:
    screen = Screen()
    for piece in data:
        screen.feed(piece)
    return screen.text()


@given(st.text(alphabet="ab\r\né", max_size=30), st.lists(st.integers(0, 40), max_size=4))
def test_output_reads_the_same_wherever_it_was_cut(text: str, cuts: list[int]) -> None:
    data, at = text.encode(), [0, *sorted(cuts), 10_000]
    assert shown(*(data[start:end] for start, end in pairwise(at))) == shown(data)


def test_of_a_line_that_is_written_over_its_last_state_is_read() -> None:
    assert (
        shown(b"\rstep 1 | loss 9", b"\rstep 2 | loss 8   ", b"\n---\nval: 1\r\n") == "step 2 | loss 8\n---\nval: 1\n"
    )
    assert shown(b"step 1\rstep 2\r") == "step 2\n"


def test_terminal_controls_do_not_get_into_the_log() -> None:
    assert shown(b"\x1b]52;c;canary\x07red\x1b[0m\n") == "]52;c;canaryred[0m\n"


def test_the_last_match_is_the_metric() -> None:
    assert metric(SUMMARY + SUMMARY.replace("0.997900", "0.98"), "val_bpb") == 0.98
    assert metric(SUMMARY, "p95_µs") == 350
    assert metric(SUMMARY, "x", r"^peak_vram_mb:\s*([0-9.]+)") == 45060.2
    assert metric(SUMMARY, "bpb") is None
    assert named(SUMMARY) == {"loss": 3.1, "val_bpb": 0.9979, "peak_vram_mb": 45060.2, "p95_µs": 350.0}


@pytest.mark.parametrize("text", ["val_bpb: nan", "val_bpb: -inf", "val_bpb: 0.5\nval_bpb: NaN", "nothing"])
def test_what_is_not_finite_or_not_there_is_no_measurement(text: str) -> None:
    assert not is_measurement(metric(text, "val_bpb"))


def line(number: int, value: float | None, text: str = "a change") -> Line:
    return Line(number, "a1b2c3d4e5f6", value, 3 << 29, "keep", text, 61.23, parent=0, category="capacity")


def test_results_begin_with_the_columns_of_the_original_and_a_line_is_a_line(tmp_path: Path) -> None:
    path = tmp_path / "results.tsv"
    append(path, "val_bpb", line(1, 0.9979, "tabs\tand\nnewlines"))
    append(path, "val_bpb", line(2, math.nan))
    append(path, "val_bpb", line(2, math.nan))
    lines = path.read_text().splitlines()
    assert lines[0].split("\t")[:5] == ["commit", "val_bpb", "memory_gb", "status", "description"]
    assert lines[1].split("\t")[:5] == ["a1b2c3d", "0.997900", "1.5", "keep", "tabs\\tand\\nnewlines"]
    assert [one.split("\t")[1] for one in lines[2:]] == ["0.000000"]
    header = lines[0].split("\t")
    assert lines[1].split("\t")[header.index("category")] == "capacity"


def test_a_table_that_is_there_keeps_its_columns_and_its_last_line(tmp_path: Path) -> None:
    path = tmp_path / "results.tsv"
    path.write_text("commit\tval_bpb\tmemory_gb\tstatus\tdescription\nabc\t1.0\t2.0\tkeep\tcut off")
    append(path, "val_bpb", line(1, 0.5))
    assert path.read_text().splitlines()[1:] == [
        "abc\t1.0\t2.0\tkeep\tcut off",
        "a1b2c3d\t0.500000\t1.5\tkeep\ta change",
    ]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    top = tmp_path / "tree"
    (top / "data").mkdir(parents=True)
    for name in ("train.py", "prepare.py", "data/rows", ".git"):
        (top / name).write_text(name)
    return top


def test_each_way_to_alter_a_protected_file_is_seen_and_an_edit_of_an_editable_one_is_none(tree: Path) -> None:
    paths = protected(("train.py", "prepare.py", "data/rows"), ("train.py",), tree)
    before = snapshot(paths)
    (tree / "train.py").write_text("edited")
    assert altered(before, paths) == ()
    for name, alter in {
        ".git": lambda path: path.write_text("gitdir: elsewhere"),
        "prepare.py": lambda path: (path.unlink(), path.symlink_to("train.py")),
        "data/rows": lambda path: path.unlink(),
    }.items():
        alter(tree / name)
        assert tree / name in altered(before, paths)


def test_a_change_that_puts_size_and_times_back_is_seen(tree: Path) -> None:
    file = tree / "prepare.py"
    os.utime(file, (1_000_000, 1_000_000))
    before = snapshot([file])
    file.write_text("prepare.PY")
    os.utime(file, (1_000_000, 1_000_000))
    assert altered(before, [file]) == (file,)


def test_a_new_file_in_a_protected_folder_is_seen(tree: Path) -> None:
    before = snapshot([tree / "data"])
    (tree / "data/more").write_text("x")
    assert altered(before, [tree / "data"]) == (tree / "data/more",)
