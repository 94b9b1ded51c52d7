"""`autoresearch-tui judge`: labels of people in, a finding on record out, one line for what is wrong."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path

import pytest
from chat_service import ChatService, chat_service, right, says
from runs import Story

from checkpoints import writes
from checkpoints.reader import Reader
from checkpoints.records import Answer, Choice, Vote
from checkpoints.store import Store
from lanes.judge.labels import kept_labels
from runner.init import init
from tui.main import main

ROWS = [
    {
        "prompt": f"question {n}",
        "answer_a": "a good answer" if n % 2 else "no",
        "answer_b": "no" if n % 2 else "a good answer",
        "choice": "a" if n % 2 else "b",
    }
    for n in range(24)
]


@pytest.fixture(scope="module")
def service() -> Iterator[ChatService]:
    with chat_service() as service:
        yield service


@pytest.fixture
def folder(tmp_path: Path, service: ChatService, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program that names a judge."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    init("demo", tmp_path)
    file = tmp_path / "program.md"
    named = f"evaluate:\n  llm_judge: openai/judge\n  llm_judge_api_base: {service.base}\n"
    file.write_text(file.read_text().replace("evaluate:\n", named))
    return tmp_path


def write_jsonl(path: Path, rows: list[dict[str, str]]) -> Path:
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path


def answered(folder: Path, votes: Callable[[int], list[Choice]]) -> None:
    """A run with answers to 24 prompts, and people's votes on them."""
    with Store(folder / "run") as store:
        story = Story()
        store.submit(story.begin, 3).result()
        store.submit(story.propose, 0).result()
        prompts = [(f"p{n}", row["prompt"]) for n, row in enumerate(ROWS)]
        answers = [
            Answer(0, f"p{n}", model, row[name])
            for n, row in enumerate(ROWS)
            for model, name in (("exp-0000", "answer_a"), ("reference", "answer_b"))
        ]
        cast = [
            Vote(0, f"{n}-{voter}", f"person-{voter}", f"p{n}", "exp-0000", "reference", choice, False, 1.0 + n)
            for n in range(len(ROWS))
            for voter, choice in enumerate(votes(n))
        ]
        store.submit(writes.add_prompts, prompts).result()
        store.submit(writes.add_answers, answers).result()
        store.submit(writes.add_votes, cast).result()


def people(n: int) -> Choice:
    return Choice(ROWS[n]["choice"])


def test_a_judge_that_meets_the_labels_of_a_file_may_vote(
    folder: Path, service: ChatService, capsys: pytest.CaptureFixture[str]
) -> None:
    service.behave(right)
    file = folder / "labels.csv"
    with file.open("w", newline="") as text:
        table = csv.DictWriter(text, ROWS[0])
        table.writeheader()
        table.writerows(ROWS)
    assert main(["judge", "status", str(folder)]) == 1
    assert main(["judge", "calibrate", str(folder), "--labels", str(file)]) == 0
    said = capsys.readouterr().out
    assert "it was never calibrated" in said
    assert "agreement     24 of 24, 100.0 % [86.2, 100.0]" in said and "passed: it may vote, as one voter" in said
    assert main(["judge", "status", str(folder)]) == 0
    assert "openai/judge on 24 labels: it met 24 of 24 labels" in capsys.readouterr().out
    assert main(["status", str(folder)]) == 0  # a store that only has a calibration is no trouble to anybody


@pytest.mark.slow
def test_a_judge_that_goes_by_the_place_may_not(
    folder: Path, service: ChatService, capsys: pytest.CaptureFixture[str]
) -> None:
    service.behave(lambda *_: says("A"))
    answered(folder, lambda n: [people(n), people(n), Choice.TIE])
    with Store(folder / "run"):  # another process drives the run
        assert main(["judge", "calibrate", str(folder)]) == 1
    said = capsys.readouterr().out
    assert "consistency   0 of 24 pairs" in said and "it leans towards a place" in said and "not passed" in said
    assert main(["judge", "status", str(folder)]) == 1
    assert "openai/judge on 24 labels: it met 0 of 24 labels" in capsys.readouterr().out
    [found] = Reader(folder / "run").calibrations()
    assert (found.judge, found.labels, found.agreement, found.passed) == ("openai/judge", 24, 0.0, False)


def test_a_pair_without_a_majority_is_no_label(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answered(folder, lambda n: [people(n)] if n < 7 else [Choice.A, Choice.B])
    assert main(["judge", "calibrate", str(folder)]) == 1
    assert "13 more labels are needed, 7 of 20 are there" in capsys.readouterr().err


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def test_labels_given_in_a_terminal_are_blind_and_kept_one_by_one(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answered(folder, lambda n: [])
    monkeypatch.setattr(sys, "stdin", Terminal("1\nx\n2\ns\n3\nq\n"))
    assert main(["judge", "calibrate", str(folder)]) == 1
    first = capsys.readouterr()
    assert "17 more labels are needed" in first.err
    assert "exp-0000" not in first.out and "reference" not in first.out
    kept = kept_labels(folder / "run")
    assert [label.choice for label in kept] == [Choice.A, Choice.TIE, Choice.B]
    monkeypatch.setattr(sys, "stdin", Terminal("1\n"))
    assert main(["judge", "calibrate", str(folder)]) == 1
    assert not {label.pair.prompt for label in kept} & {
        line for line in capsys.readouterr().out.splitlines() if line.startswith("question")
    }
    assert len(kept_labels(folder / "run")) == 4


@pytest.mark.parametrize(
    ("rows", "line"),
    [
        ([*ROWS[:2], {**ROWS[0], "choice": "left"}], "labels.jsonl:3: choice is 'left'; it is a, tie or b"),
        ([{"prompt": "q"}], "labels.jsonl:1 is no label; one has prompt, answer_a, answer_b, choice"),
        (ROWS[:3] * 10, "17 more labels are needed, 3 of 20 are there"),
    ],
)
def test_what_is_no_label_gets_one_line(
    folder: Path, capsys: pytest.CaptureFixture[str], rows: list[dict[str, str]], line: str
) -> None:
    assert main(["judge", "calibrate", str(folder), "--labels", str(write_jsonl(folder / "labels.jsonl", rows))]) == 1
    [said] = capsys.readouterr().err.splitlines()
    assert line in said


def test_a_program_without_a_judge_is_told_the_field(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    init("demo", tmp_path)
    assert main(["judge", "calibrate", str(tmp_path)]) == 1
    assert "evaluate.llm_judge names no judge; set it to a litellm model string" in capsys.readouterr().err
