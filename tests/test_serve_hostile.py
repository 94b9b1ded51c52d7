"""The model server is asked what it should not be: it refuses in one line, stays up, and keeps its token to itself."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
from attacking import Met, attack, open_files, resident
from hostile_chats import CHAT, LOAD, UNLOAD, good_chat, hostile_chats
from hostile_seed import SEED
from hostile_votes import as_json, request
from served import TOKEN, Served, make_adapters, serving
from voting_meanwhile import until

from lanes.workers.adapters import CONFIG, WEIGHTS

SECONDS = 10.0
"""In which an honest question of one token is answered, whatever goes on, on a machine that others use, too."""

GROWTH = 48 * 2**20
"""Most bytes by which the server may grow from the first five hundred requests to the last; torch's own come and go."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("server"), "serve_impatient") as served:
        yield served


@contextmanager
def asking(server: Served) -> Iterator[list[float]]:
    """Somebody who may, asks all the while; the seconds of each answer."""
    over, seconds = threading.Event(), list[float]()

    def ask() -> None:
        while not over.wait(0.1):
            since = time.monotonic()
            with server.client() as client:
                assert client.post(CHAT, json=good_chat()).status_code == 200
            seconds.append(time.monotonic() - since)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield seconds
        until(lambda: bool(seconds) or not thread.is_alive())
        assert thread.is_alive(), "who may ask is not answered"
    finally:
        over.set()
        thread.join()


def wrong_with(met: Met) -> list[str]:
    """What the server must not have done."""
    found = ["hangs"] if met.hung else []
    if TOKEN.encode() in met.raw:
        found.append("tells the token")
    for answer in met.answers:
        line = f"{answer.status} {answer.body[:300]!r}"
        if answer.status >= 500 and not (answer.status == 503 and b"overloaded_error" in answer.body):
            found.append(f"fails: {line}")
        if answer.status < 400 and met.sent.kind in ("forged", "from_elsewhere", "host", "no_host", "other_page"):
            found.append(f"lets others in: {line}")
        if b"Traceback" in answer.body or "access-control-allow-origin" in answer.headers:
            found.append(f"says too much: {line}")
    return found


def hold_out(server: Served, count: int, seed: int) -> list[Met]:
    """Send all of that while somebody asks, who is answered; nothing of it stays."""
    files = open_files(server.process.pid)
    with asking(server) as seconds:
        met = asyncio.run(attack(server.port, hostile_chats(TOKEN, count, seed), at_once=16))
    wrong = [(each.sent.kind, each.sent.sent[:400], line) for each in met for line in wrong_with(each)]
    assert not wrong, f"{len(wrong)} of {len(met)}, such as {wrong[:3]}"
    assert max(seconds) < SECONDS
    until(lambda: open_files(server.process.pid) <= files)
    assert TOKEN not in server.log and "Traceback" not in server.log
    with server.client() as client:
        assert [model["id"] for model in client.get("/v1/models").json()["data"]] == ["reference"]
    return met


@pytest.mark.slow
def test_no_hostile_request_is_a_failure_of_the_model_server(server: Served) -> None:
    print(f"HOSTILE_SEED={SEED}")
    hold_out(server, 500, SEED)
    before = resident(server.process.pid)
    met = hold_out(server, 2500, SEED + 1)
    grown = resident(server.process.pid) - before
    print(f"grown by {grown / 2**20:.1f} MiB to {(before + grown) / 2**20:.1f} MiB")
    assert len({each.sent.kind for each in met if each.answers}) >= 20, "nearly every kind is answered"
    assert grown < GROWTH


@pytest.mark.slow
@pytest.mark.parametrize("said", ["nothing", "half a head", "half a body"])
def test_hundreds_of_requests_that_never_end_keep_nobody_waiting_and_are_ended(server: Served, said: str) -> None:
    begun = {
        "nothing": b"",
        "half a head": b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nx: ",
        "half a body": request(b"{", path=CHAT, token=TOKEN, content_length="9000"),
    }[said]
    with ExitStack() as stack, asking(server) as seconds:
        every = [stack.enter_context(socket.create_connection(("127.0.0.1", server.port), 20)) for _ in range(400)]
        for held in every:
            held.sendall(begun)
        assert not any(map(heard, every))
    assert max(seconds) < SECONDS


def heard(held: socket.socket) -> bytes:
    """All that the server says before it ends the connection."""
    with suppress(ConnectionResetError), held.makefile("rb") as said:
        return said.read()
    return b""


@pytest.mark.slow
def test_a_stream_that_nobody_reads_is_not_kept_for_ever(server: Served) -> None:
    before = open_files(server.process.pid)
    asked = request(as_json(good_chat() | {"stream": True, "max_tokens": 150}), path=CHAT, token=TOKEN)
    with ExitStack() as stack, asking(server):
        for _ in range(5):
            unread = stack.enter_context(socket.socket())
            unread.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
            unread.connect(("127.0.0.1", server.port))
            unread.sendall(asked.replace(b"connection: close", b"connection: keep-alive") * 60)
        until(lambda: open_files(server.process.pid) >= before + 5)
        until(lambda: open_files(server.process.pid) <= before + 1, 60)


DAMAGED: dict[str, Callable[[Path], object]] = {
    "another rank": lambda folder: setting(folder, r=3),
    "no layer of that name": lambda folder: setting(folder, target_modules=["nothing"]),
    "a layer that is not there": lambda folder: setting(folder, layers_to_transform=[10**9]),
    "a rank beyond memory": lambda folder: setting(folder, r=10**9),
    "a kind that nobody knows": lambda folder: setting(folder, peft_type="NOPE"),
    "not of LoRA": lambda folder: setting(folder, peft_type="PREFIX_TUNING", num_virtual_tokens=4),
    "biases of the base": lambda folder: setting(folder, bias="all"),
    "parts of the base": lambda folder: setting(folder, modules_to_save=["lm_head"]),
    "tokens of the base": lambda folder: setting(folder, trainable_token_indices=[1, 2]),
    "weights of the base": lambda folder: setting(folder, init_lora_weights="pissa"),
    "layers of the base": lambda folder: setting(folder, layer_replication=[[0, 1], [0, 1]]),
    "not in a mixed batch": lambda folder: setting(folder, use_dora=True),
    "half the weights": lambda folder: cut(folder / WEIGHTS, 2),
    "no weights": lambda folder: cut(folder / WEIGHTS, 10**9),
    "half the settings": lambda folder: cut(folder / CONFIG, 2),
    "settings without a bottom": lambda folder: (folder / CONFIG).write_text("[" * 100_000),
    "a list for settings": lambda folder: (folder / CONFIG).write_text("[]"),
}
"""What may be wrong with an adapter."""


def setting(folder: Path, **settings: object) -> None:
    file = folder / CONFIG
    file.write_text(json.dumps(json.loads(file.read_text()) | settings))


def cut(file: Path, by: int) -> None:
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // by])


def said_by(server: Served, model: str) -> str:
    asked = good_chat("How do I bake bread?") | {"model": model, "max_tokens": 16, "temperature": 0}
    with server.client() as client:
        return client.post(CHAT, json=asked).json()["choices"][0]["message"]["content"]


@pytest.mark.slow
@pytest.mark.parametrize("others", [0, 1], ids=["alone", "beside another"])
def test_an_adapter_that_is_refused_leaves_the_other_models_as_they_were(
    server: Served, tmp_path: Path, others: int
) -> None:
    make_adapters(tmp_path)
    reference = said_by(server, "reference")
    with server.client() as client:

        def load(name: str, folder: Path) -> int:
            return client.post(LOAD, json={"lora_name": name, "lora_path": str(folder)}).status_code

        if others:
            assert load("exp-0001", tmp_path / "exp-0001") == 200
        try:
            for name, damage in DAMAGED.items():
                folder = Path(shutil.copytree(tmp_path / "exp-0000", tmp_path / name))
                damage(folder)
                assert load("damaged", folder) == 400, name
                assert len(client.get("/v1/models").json()["data"]) == 1 + others, name
                assert said_by(server, "reference") == reference, name
            assert load("exp-0000", tmp_path / "exp-0000") == 200
            assert said_by(server, "exp-0000") != reference == said_by(server, "reference")
        finally:
            for name in ("exp-0000", "exp-0001"):
                client.post(UNLOAD, json={"lora_name": name})
