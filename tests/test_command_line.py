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


def test_neither_the_dashboard_nor_the_runner_imports_torch_or_litellm() -> None:
    code = (
        "import sys, tui.main, tui.commands, tui.owner, tui.headless, runner.session;"
        "print(sorted({'torch', 'transformers', 'trl', 'peft', 'litellm', 'pandas'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert done.stdout.strip() == "[]", done.stderr
