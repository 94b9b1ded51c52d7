"""The arena at the command line: links for voters, who votes how, exclusion with a reason, and serving it alone."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from runs import write_run
from test_voters import LINEUP, pair, vote

from checkpoints import writes
from checkpoints.records import Choice, Step, Vote
from checkpoints.store import Store
from checkpoints.visitor import reading
from lanes.arena.ledger import Ledger
from lanes.arena_desk import arena_order
from runner.lane_settings import evaluate_settings
from runner.program import Program
from tui.main import main

ROOT = Path(__file__).parents[1]
LINK = re.compile(r"http://127\.0\.0\.1:(\d+)/#([\w-]{43})")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("arena")
    write_run(folder / "run", 3)
    (folder / "program.md").write_text((ROOT / "program.md").read_text())
    return folder


@pytest.fixture
def folder(written: Path) -> Iterator[Path]:
    with Ledger(written / "run" / "arena") as ledger:
        ledger.set_lineup(LINEUP)
        ledger.add_pairs(pair(number) for number in range(25))
        yield written


@pytest.fixture
def ledger(folder: Path) -> Iterator[Ledger]:
    with Ledger(folder / "run" / "arena") as ledger:
        yield ledger


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["arena", *arguments]) == 1
    said = capsys.readouterr()
    assert said.err.count("\n") == 1 and not said.out
    return said.err


def test_twenty_links_are_printed_one_a_line_and_each_is_another_voters(
    folder: Path, ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["arena", "invite", "20", str(folder)]) == 0
    said = capsys.readouterr()
    links = [LINK.fullmatch(line) for line in said.out.splitlines()]
    assert len(links) == 20 and all(links)
    assert [ledger.voter_of(link[2]) for link in links if link] == [f"voter-{number:03}" for number in range(1, 21)]
    assert {link[1] for link in links if link} == {"8710"}
    assert "shown this once" in said.err and "not served now" in said.err
    assert main(["arena", "invite", "1", str(folder)]) == 0
    [link] = capsys.readouterr().out.splitlines()
    assert ledger.voter_of(link.partition("#")[2]) == "voter-021"


def test_links_begin_with_the_address_that_the_program_names_and_the_service_answers_to_it(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (folder / "program.md").read_text()
    shutil.copytree(folder / "run", tmp_path / "run")
    (tmp_path / "program.md").write_text(text.replace("\n---\n", "\narena: {url: https://vote.example.org}\n---\n", 1))
    assert main(["arena", "invite", "1", str(tmp_path)]) == 0
    assert capsys.readouterr().out.startswith("https://vote.example.org/#")
    order = arena_order(evaluate_settings(Program.read(tmp_path)).arena)
    assert (order.host, order.names) == ("127.0.0.1", ("vote.example.org",))


def test_who_is_invited_by_name_again_has_the_new_link_only(
    folder: Path, ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["arena", "invite", "--names", "anna,ben", str(folder)])
    first = [link.partition("#")[2] for link in capsys.readouterr().out.splitlines()]
    assert [ledger.voter_of(token) for token in first] == ["anna", "ben"]
    main(["arena", "invite", str(folder), "--names", "anna"])
    said = capsys.readouterr()
    assert ledger.voter_of(first[0]) is None and ledger.voter_of(said.out.strip().partition("#")[2]) == "anna"
    assert "the links that anna had before are worth nothing" in said.err


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("invite",), "say how many to invite, 1 to 10,000"),
        (("invite", "0"), "say how many to invite"),
        (("invite", "--names", "anna,,ben"), "nothing is no name for a voter"),
        (("invite", "--names", "a\x1b[31mb"), "a[31mb is no name"),
        (("invite", "--names", "anna,anna"), "anna: each voter needs a name of their own"),
        (("invite", "--names", "person-2"), "person is somebody at a dashboard"),
        (("exclude", "nobody", "--reason", "x"), "nobody called nobody was invited or has voted"),
        (("readmit", "idle"), "voter idle is not excluded"),
    ],
)
def test_what_cannot_be_done_gets_one_line(
    folder: Path, ledger: Ledger, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...], line: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(folder)
    ledger.invite(["idle"])
    assert line in refusal(capsys, *arguments)


def test_the_list_of_voters_says_who_is_doubtful_and_who_was_excluded_why(
    folder: Path, ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    ledger.invite(["hasty", "calm", "absent"])
    choices = (Choice.A, Choice.B)
    for number in range(20):
        vote(ledger, "hasty", pair(number), Choice.A, 0.4)
        vote(ledger, "calm", pair(number), choices[number % 2], 12.0)
        vote(ledger, f"user {number}", pair(number), Choice.A, 5.0)
    number = len(ledger.invited())
    with Store(folder / "run") as store:
        votes = [Vote(1, "h1", "hasty", "p", "exp-0001", "exp-0000", Choice.A, False, 1.0)]
        store.submit(writes.add_votes, votes).result()
    assert main(["arena", "exclude", "hasty", str(folder), "--reason", "never reads"]) == 0
    assert "1 votes of hasty count no longer" in capsys.readouterr().out
    assert "excluded already" in refusal(capsys, "exclude", "hasty", str(folder), "--reason", "again")
    main(["arena", "voters", str(folder)])
    rows = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert rows["hasty"].split()[1:5] == ["20", "0.4", "100", "%"]
    assert "excluded (never reads); doubtful: half of the votes within 0.4 s; shown first" in rows["hasty"]
    assert rows["calm"].split()[1:5] == ["20", "12.0", "50", "%"] and "doubtful" not in rows["calm"]
    assert rows["absent"].split()[1:3] == ["0", "–"]
    assert rows["not"] == "not listed: 20 voters of products, none of them doubtful" and len(rows) == number + 2
    assert main(["arena", "readmit", "hasty", str(folder)]) == 0
    with reading(folder / "run") as read:
        assert not read.exclusions()
        steps = [(one.step, one.reason) for one in read.interventions() if not one.refused]
    assert steps[-2:] == [(Step.EXCLUDE, "never reads"), (Step.READMIT, "")]


def test_the_arena_alone_says_what_is_there_refuses_a_second_and_ends_cleanly(folder: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "tui.main", "arena"]
    served = subprocess.Popen(
        [*command, "."], cwd=folder, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )  # fmt: skip
    try:
        result = folder / "run" / "arena" / "result.json"
        until = time.monotonic() + 60
        while not result.exists():
            assert time.monotonic() < until and served.poll() is None
            time.sleep(0.05)
        port = json.loads(result.read_bytes())["port"]
        second = subprocess.run(command, cwd=folder, env=environment, text=True, capture_output=True, timeout=60)
        assert second.returncode == 3 and second.stderr.count("\n") == 1
        assert f"process {served.pid} on " in second.stderr and "end it with Ctrl+C there" in second.stderr
        assert second.stderr.endswith(f"has this run: its arena is on http://127.0.0.1:{port}\n")
        link = subprocess.run(
            [*command, "invite", "1"], cwd=folder, env=environment, text=True, capture_output=True, timeout=60
        )  # fmt: skip
        place, _, token = link.stdout.strip().partition("#")
        assert place == f"http://127.0.0.1:{port}/" and "not served" not in link.stderr
        asked = urllib.request.Request(f"{place}v1/page/next", headers={"authorization": f"Bearer {token}"})
        with urllib.request.urlopen(asked, timeout=20) as answer:
            assert json.load(answer)["pair"]["battle"].startswith("pair-")
    finally:
        served.send_signal(signal.SIGINT)
        said, _ = served.communicate(timeout=60)
    assert served.returncode == 0
    assert "25 pairs are open for people to vote on" in said and "models that answer" not in said
    assert f"the arena is on http://127.0.0.1:{port}" in said
    assert said.endswith("the arena has ended; every vote that it acknowledged is kept\n")
    assert token not in said
