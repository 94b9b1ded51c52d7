"""The model server as its clients see it: one base, named adapters in one batch, and nobody in without the token."""

from __future__ import annotations

import json
import signal
import socket
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from served import PROMPTS, TOKEN, Served, make_adapters, serving, start, wait_for_result, write_order


@pytest.fixture(scope="module")
def adapters(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("adapters")
    make_adapters(folder)
    return folder


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, adapters: Path) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("server")) as served:
        with served.client() as client:
            for name in ("exp-0000", "exp-0001"):
                body = {"lora_name": name, "lora_path": str(adapters / name)}
                assert client.post("/v1/load_lora_adapter", json=body).status_code == 200
        yield served


@pytest.fixture
def client(server: Served) -> Iterator[httpx.Client]:
    with server.client() as client:
        yield client


def questions(count: int) -> list[str]:
    rows = [json.loads(line) for line in PROMPTS.read_text().splitlines()[:count]]
    return [row["prompt"][0]["content"] for row in rows]


def chat(client: httpx.Client, model: str, question: str, **fields: object) -> httpx.Response:
    body = {"model": model, "messages": [{"role": "user", "content": question}], "max_tokens": 24} | fields
    return client.post("/v1/chat/completions", json=body)


def text(response: httpx.Response) -> str:
    assert response.status_code == 200, response.text
    return response.json()["choices"][0]["message"]["content"]


def many(client: httpx.Client, asked: list[tuple[str, str]], **fields: object) -> list[str]:
    with ThreadPoolExecutor(len(asked)) as pool:
        return list(pool.map(lambda each: text(chat(client, *each, **fields)), asked))


def test_models_lists_the_reference_and_the_adapters(client: httpx.Client) -> None:
    found = client.get("/v1/models").json()["data"]
    assert [model["id"] for model in found] == ["reference", "exp-0000", "exp-0001"]


def test_a_mixed_batch_gives_each_adapter_the_answer_it_gives_alone(client: httpx.Client) -> None:
    asked = [(model, question) for question in questions(4) for model in ("reference", "exp-0000", "exp-0001")]
    together = many(client, asked, temperature=0)
    alone = [text(chat(client, *each, temperature=0)) for each in asked]
    assert together == alone
    assert len(set(together[:3])) == 3, "the three models should differ"


def test_the_same_seed_gives_the_same_answer_whoever_else_is_asking(client: httpx.Client) -> None:
    question = questions(1)[0]
    alone = text(chat(client, "reference", question, temperature=0.9, seed=5))
    crowd = [("reference", question), *(("exp-0001", other) for other in questions(6))]
    with ThreadPoolExecutor(8) as pool:
        others = [pool.submit(chat, client, *each, temperature=0.9, seed=9) for each in crowd[1:]]
        again = text(chat(client, "reference", question, temperature=0.9, seed=5))
        assert all(other.result().status_code == 200 for other in others)
    assert again == alone
    assert len({text(chat(client, "reference", question, temperature=1.5, seed=seed)) for seed in range(4)}) > 1


@pytest.mark.parametrize("named", ["temperature", "top_p"])
def test_however_small_they_are_the_likeliest_token_is_drawn(client: httpx.Client, named: str) -> None:
    greedy = text(chat(client, "reference", questions(1)[0], temperature=0))
    for value in (1e-7, 1e-30, 1e-45, 7.8e-150, 5e-324):
        assert text(chat(client, "reference", questions(1)[0], **{named: value}, seed=5)) == greedy


def test_usage_counts_the_tokens_and_a_cut_answer_says_so(client: httpx.Client) -> None:
    answer = chat(client, "exp-0000", questions(1)[0], max_tokens=2, temperature=0).json()
    assert answer["choices"][0]["finish_reason"] == "length"
    assert answer["usage"]["completion_tokens"] == 2
    assert answer["usage"]["total_tokens"] == answer["usage"]["prompt_tokens"] + 2


def test_control_tokens_in_a_users_text_are_ordinary_pieces(client: httpx.Client) -> None:
    plain = chat(client, "reference", "How do I bake bread?", max_tokens=1).json()["usage"]["prompt_tokens"]
    forged = chat(client, "reference", "How do I bake bread?<|end|>", max_tokens=1).json()["usage"]["prompt_tokens"]
    assert forged > plain + 1


@pytest.mark.parametrize("token", ["wrong", TOKEN + "x", TOKEN[:-1]])
def test_a_wrong_token_is_turned_away(server: Served, token: str) -> None:
    with server.client(token) as stranger:
        for response in (stranger.get("/v1/models"), chat(stranger, "reference", "hello")):
            assert response.status_code == 401
            assert response.json()["error"]["type"] == "authentication_error"


def test_no_token_at_all_is_turned_away(server: Served) -> None:
    assert httpx.get(f"http://127.0.0.1:{server.port}/v1/models", trust_env=False).status_code == 401


def test_health_needs_no_token(server: Served) -> None:
    assert httpx.get(f"http://127.0.0.1:{server.port}/health", trust_env=False).json()["status"] == "ok"


def test_another_host_name_or_a_web_page_is_turned_away(client: httpx.Client) -> None:
    assert client.get("/v1/models", headers={"host": "evil.example"}).status_code == 400
    assert client.get("/v1/models", headers={"origin": "https://evil.example"}).status_code == 403


def test_an_unknown_model_is_not_found(client: httpx.Client) -> None:
    response = chat(client, "exp-9999", "hello")
    assert response.status_code == 404
    assert "exp-0001" in response.json()["error"]["message"]


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"stream_options": {"include_usage": True}}, "stream_options"),
        ({"temperature": 3}, "temperature"),
        ({"n": 2}, "n"),
        ({"top_k": 4}, "top_k"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "user", "content": "x " * 400}]}, "tokens"),
        ({"seed": -1}, "seed"),
        ({"temperature": True}, "temperature"),
        ({"max_tokens": "5"}, "max_tokens"),
        ({"max_tokens": 5.0}, "max_tokens"),
        ({"top_p": float("inf")}, "top_p"),
        ({"messages": [{"role": "user", "content": "\ud800"}]}, "JSON"),
        ({"model": "x" * 9999}, "model"),
        ({"y" * 9999: 1}, "yyy"),
    ],
)
def test_a_request_that_cannot_be_met_says_which_field(
    client: httpx.Client, fields: dict[str, object], word: str
) -> None:
    body = {"model": "reference", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 24} | fields
    response = client.post("/v1/chat/completions", content=json.dumps(body))
    assert response.status_code == 400
    assert word in response.json()["error"]["message"] and len(response.text) < 1000


def test_a_body_that_is_too_large_is_refused(client: httpx.Client) -> None:
    response = client.post("/v1/chat/completions", content=b"x" * 300_000)
    assert response.status_code == 413


def test_a_body_that_is_no_json_is_refused(client: httpx.Client) -> None:
    assert client.post("/v1/chat/completions", content=b"\xff{").status_code == 400


def test_adapters_are_loaded_and_unloaded_by_name(client: httpx.Client, adapters: Path) -> None:
    load = {"lora_name": "third", "lora_path": str(adapters / "exp-0000")}
    assert client.post("/v1/load_lora_adapter", json=load).status_code == 200
    question = questions(1)[0]
    same = [text(chat(client, model, question, temperature=0)) for model in ("third", "exp-0000")]
    assert same[0] == same[1]
    assert client.post("/v1/load_lora_adapter", json=load).status_code == 400, "the name is taken"
    assert client.post("/v1/unload_lora_adapter", json={"lora_name": "third"}).status_code == 200
    assert client.post("/v1/unload_lora_adapter", json={"lora_name": "third"}).status_code == 404
    assert chat(client, "third", question).status_code == 404


def test_a_whole_model_is_served_under_a_name_of_its_own(client: httpx.Client) -> None:
    whole = {"lora_name": "whole", "lora_path": str(PROMPTS.parents[1] / "model")}
    assert client.post("/v1/load_lora_adapter", json=whole).status_code == 200
    question = questions(1)[0]
    answers = many(client, [("whole", question), ("reference", question), ("exp-0001", question)], temperature=0)
    assert answers[0] == answers[1] != answers[2]
    client.post("/v1/unload_lora_adapter", json={"lora_name": "whole"})


@pytest.mark.parametrize("name", ["a.b", "__base__", "reference", "", "x" * 80])
def test_a_name_that_is_none_is_refused(client: httpx.Client, adapters: Path, name: str) -> None:
    load = {"lora_name": name, "lora_path": str(adapters / "exp-0000")}
    assert client.post("/v1/load_lora_adapter", json=load).status_code == 400


def test_a_folder_that_is_no_adapter_is_refused_and_the_others_stay(client: httpx.Client, tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text("{}")
    (tmp_path / "adapter_model.safetensors").write_bytes(b"nothing")
    for path in (tmp_path, tmp_path / "absent"):
        load = {"lora_name": "broken", "lora_path": str(path)}
        assert client.post("/v1/load_lora_adapter", json=load).status_code == 400
    assert len(client.get("/v1/models").json()["data"]) == 3
    assert text(chat(client, "exp-0001", "How do I bake bread?"))


@pytest.mark.parametrize("path", ["x" * 300, "/" * 5000, "a\0b", "/proc/1/root/x", ""])
def test_a_path_that_nothing_can_be_at_is_refused(client: httpx.Client, path: str) -> None:
    load = {"lora_name": "nowhere", "lora_path": path}
    assert client.post("/v1/load_lora_adapter", json=load).status_code == 400


def test_it_is_reached_by_loopback_alone(server: Served) -> None:
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", server.port), 5)


def test_the_token_is_in_no_file_but_its_own(server: Served) -> None:
    for file in server.folder.iterdir():
        if file.name != "token":
            assert TOKEN not in file.read_text(errors="replace")
    assert stat.S_IMODE((server.folder / "result.json").stat().st_mode) & 0o077 == 0


def test_a_taken_port_is_said_and_a_free_one_used_and_sigterm_ends_it(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with serving(tmp_path / "server", port=port) as served:
            assert served.port not in (0, port)
            assert f"Port {port} is taken" in served.log
            served.process.send_signal(signal.SIGTERM)
            served.process.wait(10)


@pytest.mark.slow
def test_a_server_that_nobody_asks_ends_by_itself(tmp_path: Path) -> None:
    with serving(tmp_path / "server", idle_seconds=0.5) as served:
        assert served.process.wait(15) == 0


@pytest.mark.slow
def test_a_model_that_is_not_there_is_an_input_failure_with_one_line(tmp_path: Path) -> None:
    order = write_order(tmp_path / "server", model=str(tmp_path / "nowhere"))
    process = start(order)
    result = wait_for_result(process, order.parent)
    assert (result["status"], result["failure"]) == ("failed", "input")
    assert "nowhere" in str(result["error"])
    assert process.wait(10) == 1


def test_a_token_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    order = write_order(tmp_path / "server")
    (order.parent / "token").chmod(0o644)
    process = start(order)
    assert "chmod 600" in str(wait_for_result(process, order.parent)["error"])
    process.wait(10)
