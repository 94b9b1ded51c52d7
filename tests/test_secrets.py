"""Keys in the environment are in no file of a run, no word of a command, no answer of a server, no command line."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
import pytest
from arena_served import fill, pair, serving
from script_runs import SCRIPT, edit, git, repository
from scripted_model import NAME, Asked, Reply, Script, ScriptedModel, fails, says, scripted_model
from served import serving as serving_models
from small_demo import write_small_demo

from checkpoints.reader import Reader
from lanes.workers.litellm_client import without_keys

ROOT = Path(__file__).parents[1]
KEYS = (
    "OPENAI_API_KEY", "ANTHROPIC_API_KEY", "HF_TOKEN", "WANDB_API_KEY", "HUGGING_FACE_HUB_TOKEN", "GITHUB_TOKEN",
    "AWS_SECRET_ACCESS_KEY", "AWS_BEARER_TOKEN_BEDROCK", "SNOWFLAKE_JWT", "GIGACHAT_CREDENTIALS", "GITHUB_PAT",
    "WATSONX_APIKEY", "PGPASSWORD",
)  # fmt: skip

NOSY = f"""
import os, subprocess
print(dict(os.environ))
subprocess.run("env; tr '\\\\0' ' ' < /proc/$PPID/environ; cat /proc/[0-9]*/environ", shell=True)
subprocess.run("cd; cat .netrc .git-credentials .bashrc .aws/* .config/wandb/* .cache/huggingface/*", shell=True)
{SCRIPT}"""
"""A script that says all of every environment that it can read."""


@pytest.fixture
def canary(monkeypatch: pytest.MonkeyPatch) -> str:
    """A key that nobody else has, under every name that keys go by."""
    word = f"sk-{secrets.token_hex(20)}"
    for name in KEYS:
        monkeypatch.setenv(name, word)
    for name in ("DATABASE_URL", "PIP_INDEX_URL", "ALL_THE_REST"):
        monkeypatch.setenv(name, f"https://somebody:{word}@localhost/x")
    return word


@pytest.fixture
def home(canary: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home where the key is in all places where people have theirs."""
    folder = tmp_path / "home"
    for name, text in {
        ".netrc": f"machine 127.0.0.1 login somebody password {canary}\n",
        ".git-credentials": f"https://somebody:{canary}@localhost\n",
        ".cache/huggingface/token": canary,
        ".config/wandb/settings": canary,
        ".aws/credentials": f"[default]\naws_secret_access_key = {canary}\n",
        ".bashrc": f"export OPENAI_API_KEY={canary}\n",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (folder / ".netrc").chmod(0o600)
    monkeypatch.setenv("HOME", str(folder))
    return folder


class Words(list[str]):
    """Command lines of all processes, looked at while something runs."""

    def look(self, over: threading.Event) -> None:
        while not over.wait(0.2):
            self.extend(" ".join(one.info["cmdline"] or []) for one in psutil.process_iter(["cmdline"]))


@contextmanager
def command_lines() -> Iterator[Words]:
    words, over = Words(), threading.Event()
    looking = threading.Thread(target=words.look, args=(over,))
    looking.start()
    try:
        yield words
    finally:
        over.set()
        looking.join()


def command(*words: str, seconds: float = 150) -> str:
    """All that our command says."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    argv = [sys.executable, "-m", "tui.main", *words]
    done = subprocess.run(argv, env=environment, timeout=seconds, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def files_with(folder: Path, word: str) -> list[str]:
    """Files that have a word in their bytes or in their names."""
    files = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return [str(path) for path in files if word in path.name or word.encode() in path.read_bytes()]


def echo(status: int) -> Script:
    """An error that quotes the key it was sent."""

    def said(asked: Asked) -> Reply:
        return fails(status, f"{asked.headers['authorization']} is not what I want: {asked.headers}")

    return said


def talking(model: ScriptedModel, proposal: object) -> None:
    """Have a service that answers with the key, in its errors and in what it proposes."""

    def told(asked: Asked) -> Reply:
        key = asked.headers["authorization"].removeprefix("Bearer ")
        return says(json.dumps(proposal).replace("CANARY", key))

    model.script(echo(500), echo(429), told)


@pytest.mark.slow
def test_a_night_of_a_nosy_script_and_a_service_that_echoes_the_key_keeps_it_nowhere(
    canary: str, home: Path, tmp_path: Path
) -> None:
    place = tmp_path / "project"
    with scripted_model() as model, command_lines() as lines:
        talking(model, edit("less of A CANARY", "A = 5", "A = 1 / 0  # CANARY"))
        base = f", api_base: {model.base}"
        folder = repository(place, NOSY, experiments=1, model=NAME, base=base, more="  repairs: 0\n")
        said = command("run", "--headless", str(folder)) + command("doctor", str(folder))
        for words in (
            ("status", "--json"),
            ("results",),
            ("report",),
            ("report", "--html", "-o", str(place / "r.html")),
        ):
            said += command(words[0], str(folder), *words[1:])
        for screen, output in (("main", place / "main.svg"), ("detail:1", place / "detail.txt")):
            said += command("screenshot", str(folder), "--screen", screen, "-o", str(output))
            assert output.is_file(), said
        assert any(canary in asked.headers["authorization"] for asked in model.asked)
    assert Reader(folder / "run").count() == 2, said
    assert canary not in said
    assert list((folder / "run/copies").glob("*.db"))
    assert files_with(folder, canary) == []
    assert canary not in git(folder, "log", "--all", "-p")  # its objects are packed
    assert lines and not any(canary in line for line in lines)


@pytest.mark.slow
def test_a_night_with_trainings_and_uploads_keeps_it_nowhere(canary: str, tmp_path: Path) -> None:
    run = write_small_demo(tmp_path / "demo", experiments=1, votes=40)
    program = run.parent / "program.md"
    with scripted_model() as model, command_lines() as lines:
        model.script(echo(401))
        text = program.read_text()
        assert "model: playbook  " in text
        program.write_text(text.replace("model: playbook  ", f"model: {NAME}\n  api_base: {model.base}  "))
        said = command("run", "--headless", str(run.parent), seconds=175)
        assert any(canary in asked.headers["authorization"] for asked in model.asked)
    assert Reader(run).count() == 2, said
    assert canary not in said
    assert files_with(tmp_path, canary) == []
    assert lines and not any(canary in line for line in lines)


def test_no_answer_of_the_arena_has_it_nor_what_it_writes(canary: str, tmp_path: Path) -> None:
    folder = tmp_path / "arena"
    fill(folder, [pair(n) for n in range(3)])
    with serving(folder) as arena, arena.client() as known, arena.client("") as stranger:
        paths = ("/health", "/v1/standing", "/v1/openapi.json", "/v1/votes", "/", "/nothing", "/../order.json")
        answers: list[httpx.Response] = [client.get(path) for client in (known, stranger) for path in paths]
        answers += [known.post("/v1/votes", content=body) for body in (b"{", b"\xff", b"[]", b"")]
    assert {401, 404} <= {answer.status_code for answer in answers}
    assert not [answer.url for answer in answers if canary in answer.text + str(answer.headers)]
    assert files_with(tmp_path, canary) == []


@pytest.mark.slow
def test_no_answer_of_a_server_of_models_has_it_nor_what_it_writes(canary: str, home: Path, tmp_path: Path) -> None:
    folder = tmp_path / "server"
    with serving_models(folder) as server, server.client() as known, server.client("nobody") as stranger:
        paths = (
            "/health",
            "/v1/models",
            "/openapi.json",
            "/metrics",
            "/",
            "/nothing",
            "/../order.json",
            "/v1/adapters",
        )
        answers: list[httpx.Response] = [client.get(path) for client in (known, stranger) for path in paths]
        answers += [known.post("/v1/chat/completions", content=body) for body in (b"{", b"\xff", b"[]", b"", b"{}")]
        asked = {"model": "nobody", "messages": [{"role": "user", "content": canary}]}
        refused = known.post("/v1/chat/completions", json=asked)
    assert {401, 404} <= {answer.status_code for answer in answers}
    assert not [answer.url for answer in answers if canary in answer.text + str(answer.headers)]
    assert refused.status_code >= 400
    assert files_with(folder, canary) == []


@pytest.mark.parametrize("name", KEYS)
def test_whatever_a_key_is_called_an_error_that_quotes_it_is_said_without_it(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for other in KEYS:
        monkeypatch.delenv(other, raising=False)
    word = f"sk-{secrets.token_hex(20)}"
    monkeypatch.setenv(name, word)
    for quoted in (word, word[:12], f"Bearer {word}"):
        said = without_keys(f"401: {quoted} is not known")
        assert said.startswith("401: ") and said.endswith(" is not known") and word[:12] not in said


def test_where_a_variable_names_a_file_with_a_key_an_error_still_names_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/home/somebody/keys.json")
    assert without_keys("no such file: /home/somebody/data") == "no such file: /home/somebody/data"
