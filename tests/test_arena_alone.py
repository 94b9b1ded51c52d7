"""``autoresearch-tui arena`` on a run that nobody drives: real models answer, votes are taken in, nothing is left."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import pytest
from served import MODEL, make_adapters
from small_demo import worker_pids
from test_evaluate import publish
from test_promotion import was_tested

from checkpoints import writes
from checkpoints.ownership import holder
from checkpoints.reader import Reader
from checkpoints.store import Store
from runner.canary import answering
from tui.main import main

ROOT = Path(__file__).parents[1]
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", "OMP_NUM_THREADS": "1"}
ARENA = [sys.executable, "-m", "tui.main", "arena", "."]


@pytest.fixture(scope="module")
def adapters(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("adapters")
    make_adapters(folder)
    return folder


@pytest.fixture
def folder(tmp_path: Path, adapters: Path) -> Path:
    """A run that is over: its champion, #1, was tested against the baseline on fresh votes."""

    async def write() -> None:
        with Store(tmp_path / "run") as store:
            await store.do(writes.create_run, "run", "better", 1, 7, None)
            for number in (0, 1):
                await publish(store, adapters / f"exp-000{number}", "")
                await store.do(writes.change_champion, number, "it is better")

    asyncio.run(write())
    was_tested(tmp_path / "run", 1, 0)
    write_program(tmp_path, MODEL)
    return tmp_path


def write_program(folder: Path, model: Path) -> None:
    text = (ROOT / "program.md").read_text().replace("sample_data/", f"{ROOT}/sample_data/")
    text, found = re.subn(r"(?m)^model: \S+", f"arena: {{port: 0}}\nmodel: {model}", text)
    assert found == 1
    (folder / "program.md").write_text(text)


@contextmanager
def served(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The arena alone, ended by Ctrl+C; what it says is in ``said.txt``."""
    with (folder / "said.txt").open("wb") as said:
        process = subprocess.Popen(ARENA, cwd=folder, env=ENVIRONMENT, stdout=said, stderr=said)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        status = process.wait(60)
    assert status == 0 and holder(folder / "run") is None


def until(true: Callable[[], object], process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 90
    while not true():
        assert process.poll() is None and time.monotonic() < end
        time.sleep(0.1)


def client(run: Path) -> httpx.Client:
    place = json.loads((run / "arena" / "result.json").read_bytes())
    token = (run / "arena" / "product.token").read_text().strip()
    return httpx.Client(
        base_url=f"http://{place['host']}:{place['port']}", headers={"authorization": f"Bearer {token}"}, timeout=60,
        trust_env=False,
    )  # fmt: skip


@pytest.mark.slow
def test_a_run_that_is_over_answers_in_its_champions_name_can_promote_it_and_takes_votes_in(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, said = folder / "run", folder / "said.txt"
    with served(folder) as process:
        until(lambda: "models that answer: exp-0001 (champion)\n" in said.read_text(), process)
        assert answering(run, "champion") == "exp-0001"
        start = subprocess.run(
            [*ARENA[:3], "run", "--headless", "."], cwd=folder, env=ENVIRONMENT, text=True, capture_output=True
        )
        assert start.returncode == 3 and "the arena, served alone: end it with Ctrl+C there" in start.stderr
        assert main(["promote", str(folder)]) == 0
        told = capsys.readouterr().out
        assert "✓ served" in told and told.endswith("exp-0001 is promoted\n")
        until(lambda: answering(run, "promoted") == "exp-0001", process)
        with client(run) as product, closing(Reader(run)) as read:
            vote = {"model_a": "exp-0001", "model_b": "reference", "choice": "a", "voter": "zoe", "key": "1"}
            assert product.post("/v1/votes", json=vote).status_code == 200
            until(lambda: read.votes(voter="zoe"), process)
    assert not worker_pids(run)
    assert said.read_text().endswith("the arena has ended; every vote that it acknowledged is kept\n")


@pytest.mark.slow
def test_without_a_base_model_one_line_says_why_nothing_answers_and_votes_are_taken_all_the_same(
    folder: Path,
) -> None:
    run, said = folder / "run", folder / "said.txt"
    write_program(folder, folder / "nowhere")
    with served(folder) as process:
        until(lambda: "the champion cannot be served: " in said.read_text(), process)
        with client(run) as product, closing(Reader(run)) as read:
            asked = {"messages": [{"role": "user", "content": "Hello?"}]}
            assert product.post("/v1/battles", json=asked).status_code == 503
            vote = {"model_a": "exp-0001", "model_b": "reference", "choice": "b", "voter": "yan", "key": "1"}
            until(lambda: product.post("/v1/votes", json=vote).status_code == 200, process)
            until(lambda: read.votes(voter="yan"), process)
    (why,) = [line for line in said.read_text().splitlines() if "cannot be served" in line]
    assert "nowhere does not exist" in why
    assert not worker_pids(run)
