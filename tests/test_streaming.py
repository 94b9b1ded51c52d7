"""Streamed answers of the model server: the text that a plain answer has, as it is drawn, and the end of it."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from served import PROMPTS, Served, make_adapters, serving

pytestmark = pytest.mark.slow

LONG: dict[str, Any] = {"temperature": 2, "seed": 14, "max_tokens": 200}
"""An answer that no end token cuts short, with bytes in it that are no characters."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    adapters = tmp_path_factory.mktemp("adapters")
    make_adapters(adapters)
    shutil.copytree(adapters / "exp-0000", adapters / "broken")
    weights = adapters / "broken" / "adapter_model.safetensors"
    save_file({name: np.full_like(values, np.nan) for name, values in load_file(weights).items()}, weights)
    with serving(tmp_path_factory.mktemp("server"), batch_size=8) as served:
        with served.client() as client:
            for name in ("exp-0001", "broken"):
                body = {"lora_name": name, "lora_path": str(adapters / name)}
                assert client.post("/v1/load_lora_adapter", json=body).status_code == 200
        yield served


@pytest.fixture
def client(server: Served) -> Iterator[httpx.Client]:
    with server.client() as client:
        yield client


def body(model: str, question: str = "How is bread made?", **fields: object) -> dict[str, object]:
    chat: dict[str, object] = {"model": model, "messages": [{"role": "user", "content": question}], "max_tokens": 40}
    return chat | fields


def plain(client: httpx.Client, **asked: Any) -> Any:
    response = client.post("/v1/chat/completions", json=body(**asked))
    assert response.status_code == 200, response.text
    return response.json()


def streamed(client: httpx.Client, **asked: Any) -> list[Any]:
    """The events' data; the last is "[DONE]"."""
    response = client.post("/v1/chat/completions", json=body(**asked, stream=True))
    assert response.headers["content-type"].startswith("text/event-stream"), response.text
    events = response.text.removesuffix("\n\n").split("\n\n")
    data = [event.removeprefix("data: ") for event in events]
    return [each if each == "[DONE]" else json.loads(each) for each in data]


def joined(events: list[Any]) -> str:
    return "".join(event["choices"][0]["delta"].get("content", "") for event in events[:-1])


def test_a_stream_is_the_same_text_whoever_else_is_asking(client: httpx.Client) -> None:
    questions = [json.loads(line)["prompt"][0]["content"] for line in PROMPTS.read_text().splitlines()[:6]]
    asked = [
        {"model": model, "question": question, "seed": seed, "temperature": heat}
        for seed, question in enumerate(questions)
        for model, heat in (("reference", 0.8), ("exp-0001", 1.6))
    ]
    with ThreadPoolExecutor(2 * len(asked)) as pool:
        pieces = [pool.submit(streamed, client, **each) for each in asked]
        wholes = [pool.submit(plain, client, **each) for each in asked]
    for each, stream, whole in zip(asked, pieces, wholes, strict=True):
        events, choice = stream.result(), whole.result()["choices"][0]
        assert joined(events) == choice["message"]["content"]
        assert events[-2]["choices"][0]["finish_reason"] == choice["finish_reason"]
        assert {event["model"] for event in events[:-1]} == {each["model"]}
        assert events[-1] == "[DONE]"


def test_bytes_that_are_no_characters_reach_who_listens_as_the_plain_answer_has_them(client: httpx.Client) -> None:
    stream, whole = streamed(client, model="reference", **LONG), plain(client, model="reference", **LONG)
    text = whole["choices"][0]["message"]["content"]
    assert joined(stream) == text
    assert "\ufffd" in text
    assert whole["usage"]["completion_tokens"] == 200


def test_the_tokens_are_counted_where_they_are_asked_for(client: httpx.Client) -> None:
    *_, last, done = streamed(client, model="reference", seed=1, stream_options={"include_usage": True})
    assert (last["choices"], done) == ([], "[DONE]")
    assert last["usage"] == plain(client, model="reference", seed=1)["usage"]


def test_the_first_piece_comes_long_before_the_last(client: httpx.Client) -> None:
    asked = body("reference", stream=True, **LONG)
    begun = time.monotonic()
    with client.stream("POST", "/v1/chat/completions", json=asked) as response:
        times = [time.monotonic() - begun for line in response.iter_lines() if line]
    assert times[0] < times[-1] / 2
    assert len(times) > 50


def test_who_comes_later_does_not_wait_for_a_long_answer(client: httpx.Client) -> None:
    begun = time.monotonic()
    with client.stream("POST", "/v1/chat/completions", json=body("reference", stream=True, **LONG)) as response:
        lines = response.iter_lines()
        next(lines)
        plain(client, model="exp-0001", max_tokens=1)
        answered = time.monotonic() - begun
        assert "[DONE]" in list(lines)[-2]
    assert answered < (time.monotonic() - begun) / 2


@pytest.mark.slow
def test_who_goes_away_costs_nothing_more(tmp_path: Path) -> None:
    with serving(tmp_path / "server", batch_size=1) as served, served.client() as client:
        begun = time.monotonic()
        plain(client, model="reference", **LONG)
        whole = time.monotonic() - begun
        with client.stream("POST", "/v1/chat/completions", json=body("reference", stream=True, **LONG)) as response:
            next(response.iter_lines())
        begun = time.monotonic()
        plain(client, model="reference", max_tokens=1)
        assert time.monotonic() - begun < whole / 2


@pytest.mark.parametrize("stream", [False, True])
def test_a_model_that_fails_says_so_once_and_its_neighbours_are_answered(client: httpx.Client, stream: bool) -> None:
    with ThreadPoolExecutor(4) as pool:
        others = [pool.submit(plain, client, model=model, seed=1) for model in ("reference", "exp-0001")]
        failed = pool.submit(client.post, "/v1/chat/completions", json=body("broken", stream=stream)).result()
    assert failed.status_code == 500
    assert "'broken'" in failed.json()["error"]["message"]
    assert all(other.result()["choices"][0]["message"]["content"] for other in others)


def test_an_unknown_model_is_not_found_before_a_stream_begins(client: httpx.Client) -> None:
    response = client.post("/v1/chat/completions", json=body("exp-9999", stream=True))
    assert response.status_code == 404
    assert "exp-0001" in response.json()["error"]["message"]
