"""The wheel carries all that the command needs in an empty folder, and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DEMO = "runner/demo"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[zipfile.ZipFile]:
    """Built from this checkout, with the leftovers that a checkout in use has."""
    folder = tmp_path_factory.mktemp("wheel")
    leftover = ROOT / "sample_data" / "__pycache__" / "left.pyc"
    leftover.parent.mkdir(exist_ok=True)
    leftover.touch()
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder], cwd=ROOT, check=True)
    [built] = folder.glob("*.whl")
    yield zipfile.ZipFile(built)
    leftover.unlink()


def tracked(*places: str) -> set[str]:
    listed = subprocess.run(["git", "ls-files", *places], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(listed.stdout.split())


def test_it_has_the_four_packages_with_what_lies_beside_the_code(wheel: zipfile.ZipFile) -> None:
    assert tracked("checkpoints", "lanes", "runner", "tui") <= set(wheel.namelist())
    assert "tui/dashboard.tcss" in wheel.namelist() and "runner/templates/study.md" in wheel.namelist()
    page = {f"lanes/arena/page/vote.{ending}" for ending in ("html", "css", "js")}
    assert page <= set(wheel.namelist())


def test_it_has_the_demo_as_it_is_in_the_repository(wheel: zipfile.ZipFile) -> None:
    for path in {"program.md", *tracked("sample_data")}:
        assert wheel.read(f"{DEMO}/{path}") == (ROOT / path).read_bytes()


def test_it_has_no_leftovers_tests_or_runs(wheel: zipfile.ZipFile) -> None:
    tops = {name.partition("/")[0] for name in wheel.namelist()}
    assert tops == {"checkpoints", "lanes", "runner", "tui", "autoresearch_tui-0.1.0.dist-info"}
    assert not [name for name in wheel.namelist() if "__pycache__" in name or name.endswith((".pyc", ".db"))]
    assert sum(one.file_size for one in wheel.infolist()) < 6 * 2**20


def test_what_is_only_for_tests_is_no_requirement_of_users() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = " ".join(project["dependencies"])
    assert not [
        name for name in ("schemathesis", "playwright", "pytest", "ruff", "hatchling", "pexpect") if name in needed
    ]


def test_unpacked_anywhere_it_writes_the_demo_and_finds_it_sound(wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    wheel.extractall(tmp_path / "site")
    (tmp_path / "empty").mkdir()

    def ask(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "tui.main", *arguments], cwd=tmp_path / "empty", capture_output=True, text=True,
            timeout=60, env=os.environ | {"PYTHONPATH": str(tmp_path / "site")},
        )  # fmt: skip

    assert ask("init", "demo", "autoresearch-demo").returncode == 0
    examined = ask("doctor", "autoresearch-demo")
    assert examined.returncode == 0, examined.stdout
    assert "program.md is valid" in examined.stdout
    there = {str(path.relative_to(tmp_path / "empty" / "autoresearch-demo")) for path in tmp_path.rglob("empty/**/*.*")}
    assert tracked("sample_data") - {path for path in tracked("sample_data") if path.endswith("/.gitkeep")} <= there
