"""The doctor on where votes come from: the arena's place, and a product's own store of votes."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from runner.doctor_arena import examine_votes
from runner.findings import Finding
from runner.init import init
from runner.program import Program
from runner.program_error import ProgramError

VOTE = {"id": 1, "model_a": "exp-0001", "model_b": "exp-0000", "choice": "a", "voter": "ann"}


@pytest.fixture
def demo(tmp_path: Path) -> Path:
    """A folder with the demo in it."""
    init("demo", tmp_path)
    return tmp_path


def found(folder: Path, **fields: str) -> dict[str, Finding]:
    """Findings about the demo with some lines of its front matter replaced or added, by name."""
    file = folder / "program.md"
    text = file.read_text()
    if voters := fields.get("evaluate"):
        text = text.replace("  voters: simulated", f"  {voters}")
    if arena := fields.get("arena"):
        text = text.replace("seed: 7\n---", f"arena: {arena}\nseed: 7\n---")
    file.write_text(text)
    return {each.name: each for each in examine_votes(Program.read(folder))}


def test_a_place_that_others_can_reach_is_said_to_need_tls_before_it(demo: Path) -> None:
    place = found(demo, arena="{host: 0.0.0.0, port: 0}")["arena"]
    assert place.status == "warn" and "unencrypted" in place.what and "TLS" in place.remedy


def test_a_port_that_is_taken_is_said_before_the_run(demo: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        place = found(demo, arena=f"{{port: {port}}}")["arena"]
    assert place.status == "warn" and f"port {port} is taken" in place.what


def test_an_address_that_is_not_of_this_machine_is_missing(demo: Path) -> None:
    place = found(demo, arena="{host: 192.0.2.1}")["arena"]
    assert place.status == "missing" and "192.0.2.1" in place.what


def test_a_source_of_votes_is_asked_and_what_is_wrong_with_it_is_said(demo: Path) -> None:
    program = "voters: pull\n  pull: {path: choices.jsonl}"
    missing = found(demo, evaluate=program)["pull"]
    assert missing.status == "missing" and str(demo / "choices.jsonl") in missing.what
    (demo / "choices.jsonl").write_text(json.dumps(VOTE) + "\n")
    assert found(demo)["pull"].what == f"{demo / 'choices.jsonl'} answers: 1 votes on its first page"


@pytest.mark.parametrize(
    ("voters", "said"),
    [
        ("voters: pull", "evaluate.pull: is missing"),
        ("voters: arena\n  pull: {path: x.jsonl}", "evaluate.pull: has no effect with voters: arena"),
        ("voters: pull\n  pull: {path: x.jsonl, url: http://x}", "name one of url, path and sql"),
        ("voters: pull\n  pull: {sql: 'sqlite:///x', query: SELECT 1}", "evaluate.pull.query"),
    ],
)
def test_a_program_that_fetches_votes_from_nowhere_or_from_two_places_is_refused(
    demo: Path, voters: str, said: str
) -> None:
    with pytest.raises(ProgramError) as refused:
        found(demo, evaluate=voters)
    assert any(said in line and line.startswith("program.md:") for line in refused.value.problems), refused.value
