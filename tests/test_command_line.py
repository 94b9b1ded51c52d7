"""The command line as a person and a script meet it: one line for what is wrong, and documented exit statuses."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from runs import write_run

from checkpoints.store import Store
from runner.init import init

ROOT = Path(__file__).parents[1]


def ask(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tui.main", *map(str, arguments)],
        capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
    )  # fmt: skip


def one_line(done: subprocess.CompletedProcess[str]) -> str:
    assert "Traceback" not in done.stderr
    lines = [line for line in done.stderr.splitlines() if not line.startswith("headless:")]
    assert len(lines) == 1, done.stderr
    return lines[0]


def test_help_shows_examples_and_exit_statuses() -> None:
    done = ask("--help")
    assert done.returncode == 0
    assert "autoresearch-tui attach ." in done.stdout and "exit statuses:" in done.stdout


def test_a_folder_without_a_program_gets_one_line(tmp_path: Path) -> None:
    done = ask(tmp_path)
    assert done.returncode == 1
    assert "program.md: is not there; `autoresearch-tui init` writes one" in one_line(done)


def test_a_model_that_is_not_there_gets_one_line_with_place_and_field(tmp_path: Path) -> None:
    init("demo", tmp_path)
    program = tmp_path / "program.md"
    program.write_text(program.read_text().replace("model: sample_data/model ", "model: sample_data/modell "))
    done = ask("run", "--headless", tmp_path)
    assert done.returncode == 1
    assert "program.md:" in one_line(done) and "modell' is not there" in one_line(done)


@pytest.mark.parametrize("command", ["status", "results", "attach"])
def test_a_folder_without_a_run_gets_one_line(tmp_path: Path, command: str) -> None:
    done = ask(command, tmp_path)
    assert done.returncode == 1
    assert "there is no run in" in one_line(done)


def test_a_second_instance_is_refused_and_told_who_holds_the_run(tmp_path: Path) -> None:
    init("demo", tmp_path)
    with Store(tmp_path / "run"):
        done = ask("run", "--headless", tmp_path)
    assert done.returncode == 3
    assert f"this run is held by process {os.getpid()}" in one_line(done)


def test_status_and_results_tell_of_a_run(tmp_path: Path) -> None:
    write_run(tmp_path / "run")
    told = json.loads(ask("status", "--json", tmp_path).stdout)
    assert told["champion"].startswith("exp-") and told["experiments"]["ended"] > 0 and told["held_by"] is None
    table = ask("results", tmp_path).stdout.splitlines()
    assert table[0].split("\t")[:5] == ["commit", "win_rate", "memory_gb", "status", "description"]
    assert len({line.count("\t") for line in table}) == 1 and len(table) > 3
    assert {"keep", "discard"} <= {line.split("\t")[3] for line in table[1:]}


def test_status_counts_what_came_after_the_baseline_and_names_the_lanes_in_their_order(tmp_path: Path) -> None:
    write_run(tmp_path / "run", 3)
    told = json.loads(ask("status", "--json", tmp_path).stdout)
    assert told["experiments"]["ended"] == 3 and told["experiments"]["kept"] == 1
    assert list(told["lanes"]) == ["train", "upload", "evaluate", "analyze"]
    for_a_person = ask("status", tmp_path).stdout
    assert "3 of 20 experiments ended after the baseline, 1 kept" in for_a_person
    assert "held by nobody, so nothing goes on" in for_a_person


def test_a_word_that_is_neither_a_command_nor_a_folder_is_told_so() -> None:
    done = ask("statsu")
    assert done.returncode == 1
    assert "statsu is neither a folder nor a command" in one_line(done)


def test_the_demo_is_written_once_and_gone_on_with_after(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    with Store(folder / "run"):  # held, so that nothing is trained here
        assert ask("demo", folder).returncode == 3
        assert (folder / "program.md").is_file() and (folder / "sample_data" / "model").is_dir()
        (folder / "program.md").write_text("mine")
        assert ask("demo", folder).returncode == 3
    assert (folder / "program.md").read_text() == "mine"


def test_init_refuses_in_one_line_what_is_in_its_way(tmp_path: Path) -> None:
    (tmp_path / "program.md").write_text("mine")
    done = ask("init", "demo", tmp_path)
    assert done.returncode == 1 and "is in the way" in one_line(done)
    assert "takes no --pairs" in one_line(ask("init", "demo", tmp_path / "new", "--pairs", "x.jsonl"))


def test_neither_the_dashboard_nor_the_runner_imports_torch_or_litellm() -> None:
    code = (
        "import sys, tui.main, tui.commands, tui.owner, tui.headless, runner.session;"
        "print(sorted({'torch', 'transformers', 'trl', 'peft', 'litellm', 'pandas'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert done.stdout.strip() == "[]", done.stderr
