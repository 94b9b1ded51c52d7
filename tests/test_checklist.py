"""`autoresearch-tui init` without a template: the checklist chooses a score, and the program says why."""

from __future__ import annotations

import sys
from io import StringIO
from pathlib import Path

import pytest

from runner.program import Program
from tui.main import main


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def answer(monkeypatch: pytest.MonkeyPatch, *lines: str) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal("".join(f"{line}\n" for line in lines)))


@pytest.mark.parametrize(
    ("lines", "judge", "why", "said"),
    [
        (["y"], "votes", "an event in the product tells", "POST /v1/votes"),
        (["", "yes"], "val_pref_acc", "a property decides", "with nobody to wait for"),
        (["", "", "y"], "votes", "a rule in code says", "no rule runs in here; your code asks the arena"),
        (["", "", "", ""], "votes", "people say which of two answers", "they vote blind in the arena"),
    ],
)
def test_the_first_yes_decides_and_the_program_says_why(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    lines: list[str],
    judge: str,
    why: str,
    said: str,
) -> None:
    answer(monkeypatch, *lines)
    assert main(["init", str(tmp_path / "new")]) == 0
    program = Program.read(tmp_path / "new")
    assert (program.evaluate.judge, program.evaluate.llm_judge) == (judge, None)
    assert f"evaluate:\n  # Why this score: {why}" in program.text
    assert said in capsys.readouterr().out and sys.stdin.read() == ""


def test_where_only_a_judge_is_left_it_is_written_down_as_text_and_told_what_it_lacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answer(monkeypatch, "n", "n", "n", "what?", "n", 'openai/a "judge": # {x}')
    assert main(["init", str(tmp_path)]) == 0
    assert Program.read(tmp_path).evaluate.llm_judge == 'openai/a "judge": # {x}'
    said = capsys.readouterr().out
    assert "y or n, please" in said and "weighs as one voter" in said and "init study" in said
    answer(monkeypatch, "n", "n", "n", "n", "")
    assert main(["init", str(tmp_path / "without")]) == 0
    assert Program.read(tmp_path / "without").evaluate.llm_judge is None


def test_who_leaves_in_the_middle_has_written_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answer(monkeypatch, "n")
    assert main(["init", str(tmp_path)]) == 1
    assert "nothing was written" in capsys.readouterr().err and list(tmp_path.iterdir()) == []


def test_nobody_is_asked_in_vain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "program.md").write_text("mine")
    answer(monkeypatch, "y")
    assert main(["init", str(tmp_path)]) == 1
    said = capsys.readouterr()
    assert "is in the way" in said.err and said.out == "" and sys.stdin.read() == "y\n"


def test_without_a_terminal_nobody_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", StringIO("y\n"))
    assert main(["init"]) == 2 and "name a template" in capsys.readouterr().err
    assert main(["init", "stduy", str(tmp_path)]) == 2 and "stduy is no template" in capsys.readouterr().err
    assert main(["init", "study", str(tmp_path)]) == 0
    assert "Why this score" not in (tmp_path / "program.md").read_text()
