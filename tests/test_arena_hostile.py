"""Thousands of requests that mean no good: none becomes a vote, none costs memory or files, and who votes is served."""

from __future__ import annotations

import asyncio
import hmac
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import arena_attacked
import pytest
import served
from arena_attacked import Target, hold_out, keys, last, ten_thousand
from arena_served import LINEUP
from attacking import attack
from hostile_requests import hostile
from hostile_votes import Hostile, request
from voting_meanwhile import vote

from lanes.arena.entry import Entry


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    with arena_attacked.ready(tmp_path_factory.mktemp("run")) as ready:
        yield ready


def test_no_hostile_request_becomes_a_vote_or_a_failure_of_the_service(target: Target) -> None:
    honest, met = hold_out(target, list(hostile(target.loot, 320, seed=1)))
    assert honest.counted
    answered = {each.sent.kind for each in met if each.answers}
    assert len(answered) >= 30, "nearly every kind is answered, not only cut off"
    assert "Traceback" not in target.arena.log and "Error in" not in target.arena.log


@pytest.mark.slow
def test_ten_thousand_hostile_requests_make_no_vote_and_the_memory_stays_flat(target: Target) -> None:
    ten_thousand(target)


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_nor_do_they_where_models_answer(tmp_path: Path) -> None:
    with served.serving(tmp_path / "server") as models, models.client() as loader:
        for name in ("exp-0000", "exp-0001"):
            load = {"lora_name": name, "lora_path": str(served.MODEL)}
            assert loader.post("/v1/load_lora_adapter", json=load).status_code == 200
        settings = {name: {"max_new_tokens": 8} for name in ("exp-0000", "exp-0001")}
        lineup = LINEUP.model_copy(update={"server": models.folder, "deployments": settings})
        with arena_attacked.ready(tmp_path, lineup) as target:
            met = ten_thousand(target)
        assert "Traceback" not in models.log and target.loot.product not in models.log
    said = [answer.body for each in met for answer in each.answers if answer.status == 200]
    assert sum(b'"chat.completion' in body for body in said) > 20, "models answer chats"
    assert sum(b'"answers"' in body for body in said) > 20, "and battles"


def test_a_person_who_votes_at_once_from_many_connections_has_one_vote(target: Target) -> None:
    before, (name, token) = last(target.arena.folder), next(iter(target.loot.voters.items()))
    ready = threading.Barrier(24)

    def insist(number: int) -> bool:
        sent = {"battle": "heldout-1", "choice": ("a", "b", "tie")[number % 3], "key": f"race-{number}", "seconds": 9}
        with target.arena.client(token) as client:
            ready.wait(10)
            return client.post("/v1/votes", json=sent).json().get("counted", False)

    with ThreadPoolExecutor(24) as pool:
        assert sum(pool.map(insist, range(24))) == 1
    (key,) = keys(target.arena.folder, before)
    assert key.startswith(f"person/{name}/race-")


def test_what_trails_a_body_is_no_header(target: Target) -> None:
    sent = json.dumps(vote(7, "trailed")).encode()
    head = request(token="", without="content-length", transfer_encoding="chunked")
    trailed = f"{len(sent):x}\r\n".encode() + sent + b"\r\n0\r\nauthorization: Bearer " + target.loot.product.encode()
    (met,) = asyncio.run(attack(target.arena.port, [Hostile("trailed", head + trailed + b"\r\n\r\n", b"POST")]))
    assert [answer.status for answer in met.answers] == [401]


def test_the_page_may_load_nothing_but_itself(target: Target) -> None:
    with target.arena.client("") as client:
        policy = client.get("/").headers["content-security-policy"]
    assert policy.startswith("default-src 'none';") and "unsafe" not in policy and "*" not in policy


def test_tokens_are_compared_by_their_hashes_and_in_constant_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_at, asked_for = list[tuple[bytes, bytes]](), list[str]()

    def compare(a: bytes, b: bytes) -> bool:
        looked_at.append((a, b))
        return same(a, b)

    same = hmac.compare_digest
    monkeypatch.setattr(hmac, "compare_digest", compare)
    entry = Entry(tmp_path, [], lambda token: asked_for.append(token))
    token = (tmp_path / "product.token").read_text()
    assert entry.caller({"authorization": f"Bearer {token}"}, "") is not None
    assert entry.caller({"authorization": f"Bearer {token[:-1]}"}, "") is None
    assert len(looked_at) == 3 and {len(each) for both in looked_at for each in both} == {32}
    assert asked_for == [token[:-1]], "people's are looked up by hash, and only what is no product's"
