"""The arena's service as a process: killed, kept from writing, asked without an end, and held to its own document."""

from __future__ import annotations

import random
import socket
import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Event

import httpx
import pytest
import schemathesis
from arena_impatient import REQUEST_SECONDS
from arena_served import Arena, fill, pair, serving, start
from hypothesis import HealthCheck, settings
from schemathesis.checks import load_all_checks
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance
from small_disk import SmallDisk, mounted

from lanes.arena.ledger import Ledger

load_all_checks()
MINE = r"^/(v1/(votes|standing|openapi\.json)|health)$"


@pytest.fixture(scope="module")
def arena(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arena]:
    folder = tmp_path_factory.mktemp("run") / "arena"
    fill(folder, [pair(n) for n in range(50)])
    with serving(folder, "arena_impatient") as served:
        yield served


@pytest.fixture(scope="module")
def document(arena: Arena) -> schemathesis.BaseSchema:
    return schemathesis.openapi.from_url(f"{arena.url}/v1/openapi.json")


described = schemathesis.pytest.from_fixture("document").include(path_regex=MINE)


@described.parametrize()
@settings(max_examples=10, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_what_the_document_says_is_so(case: schemathesis.Case, arena: Arena) -> None:
    headers = {"authorization": f"Bearer {arena.token()}"}
    response = case.call(headers=headers)
    told = response.json().get("error", {}) if response.status_code == 422 else {}
    # That a name is no model's, or one model's twice, no schema can say.
    excluded = [positive_data_acceptance] if told.get("code") in ("unknown_model", "same_model") else []
    if response.status_code == 413:  # How long the whole may be, neither.
        excluded = [positive_data_acceptance, negative_data_rejection]
    case.validate_response(response, excluded_checks=excluded, headers=headers)


def vote(number: int) -> dict[str, str]:
    return {"battle": f"product-{number % 50}", "choice": "a", "voter": f"user-{number}", "key": f"k{number}"}


def test_a_service_that_is_killed_loses_no_acknowledged_vote_and_counts_retries_once(tmp_path: Path) -> None:
    folder = tmp_path / "arena"
    fill(folder, [pair(n) for n in range(50)])
    arena = start(folder)
    over, acknowledged = Event(), list[str]()

    def insist(voter: int) -> int:
        """Hand in one vote after the other, each until it is acknowledged; returns how often that took another try."""
        again = number = 0
        with arena.client() as client:
            while not over.is_set():
                number += 1
                sent = vote(100_000 * voter + number)
                while not over.is_set():
                    try:
                        if client.post("/v1/votes", json=sent).is_success:
                            acknowledged.append(sent["key"])
                            break
                    except httpx.HTTPError:
                        again += 1
                        time.sleep(0.02)
        return again

    with ThreadPoolExecutor(4) as pool:
        voters = [pool.submit(insist, voter) for voter in range(4)]
        for _ in range(3):
            time.sleep(random.uniform(0.3, 0.6))
            arena.process.kill()
            arena.process.wait()
            restarted = start(folder, port=arena.port)
            assert restarted.port == arena.port
            arena.process = restarted.process
        time.sleep(0.4)
        over.set()
        retries = sum(each.result() for each in voters)
    arena.process.terminate()
    arena.process.wait(10)
    with Ledger(folder) as ledger:
        found = [ballot.key.removeprefix("product/") for ballot in ledger.ballots(0, 100_000)]
    assert retries
    assert len(found) == len(set(found)), "counted once"
    assert set(acknowledged) <= set(found), "nothing that was acknowledged is lost"
    assert len(found) - len(acknowledged) <= 4, "one of each voter may be there without their knowing"


def test_a_locked_ledger_is_said_and_the_vote_can_be_sent_again(arena: Arena) -> None:
    with arena.client() as client:
        with closing(sqlite3.connect(arena.folder / "ledger.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            refused = client.post("/v1/votes", json=vote(1))
            assert (refused.status_code, refused.json()["error"]["code"]) == (503, "unavailable")
            assert int(refused.headers["retry-after"]) >= 1
            assert client.get("/health").json()["status"] == "waiting"
        assert client.post("/v1/votes", json=vote(1)).json()["counted"], "nothing was kept the first time"
        health = client.get("/health").json()
        assert (health["status"], health["trouble"], health["troubles"]) == ("ok", "", 1)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    yield from mounted(tmp_path / "disk", 4)


def test_a_full_disk_is_said_and_nothing_that_was_acknowledged_is_lost(disk: SmallDisk) -> None:
    folder = disk.folder / "arena"
    fill(folder, [pair(n) for n in range(50)])
    with serving(folder) as arena, arena.client() as client:
        counted = [client.post("/v1/votes", json=vote(n)).json()["counted"] for n in range(5)]
        disk.fill()
        number = 5
        while (answer := client.post("/v1/votes", json=vote(number))).is_success:
            counted.append(answer.json()["counted"])
            number += 1
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "unavailable")
        assert "disk is full" in answer.json()["error"]["message"]
        disk.make_room()
        counted.append(client.post("/v1/votes", json=vote(number)).json()["counted"])
        votes = client.get("/v1/votes").json()["votes"]
    assert all(counted)
    assert [each["key"] for each in votes] == [f"product/k{n}" for n in range(number + 1)]


@pytest.mark.parametrize("begun", ["", "POST /v1/votes HTTP/1.1\r\nhost: localhost\r\n", "BODY"])
def test_a_request_that_never_ends_does_and_keeps_nobody_out(arena: Arena, begun: str) -> None:
    if begun == "BODY":
        begun = (
            "POST /v1/votes HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 90\r\n"
            f"authorization: Bearer {arena.token()}\r\n\r\n{{"
        )
    lines = [socket.create_connection(("127.0.0.1", arena.port), timeout=20) for _ in range(100)]
    try:
        since = time.monotonic()
        for line in lines:
            line.sendall(begun.encode())
        with arena.client() as client:
            assert client.get("/v1/standing?voter=ann").is_success
        assert {line.recv(1) for line in lines} == {b""}
        assert time.monotonic() - since < 20 * REQUEST_SECONDS
    finally:
        for line in lines:
            line.close()


def test_hostile_requests_make_no_vote_and_the_memory_stays_as_it_is(arena: Arena) -> None:
    with Ledger(arena.folder) as ledger:
        before = ledger.last()
    token, chance = arena.token(), random.Random(1)
    good, memory = vote(7), list[int]()
    with arena.client() as client:
        for _ in range(2):
            for _ in range(300):
                wrong = chance.choice([token[:-1], token + "x", "x" * 300, chance.randbytes(9).hex()])
                field = chance.choice(["battle", "choice", "key", "voter", "comment", "seconds", "more"])
                body = good | {field: chance.choice([{}, [], -1, "\x1b" * 9000, "x" * 9000, True])}
                assert client.post("/v1/votes", json=body).is_error
                assert client.post("/v1/votes", json=good, headers={"authorization": f"Bearer {wrong}"}).is_error
            memory.append(resident(arena.process.pid))
    assert memory[1] < memory[0] + 4 * 2**20
    with Ledger(arena.folder) as ledger:
        assert ledger.last() == before


def test_a_second_service_on_the_same_folder_is_refused(arena: Arena) -> None:
    with pytest.raises(AssertionError, match="has a living arena already"):
        start(arena.folder)
    with arena.client() as client:
        assert client.get("/health").is_success


def test_a_token_file_that_others_can_read_is_refused_with_one_line(tmp_path: Path) -> None:
    folder = tmp_path / "arena"
    folder.mkdir()
    (folder / "product.token").write_text("x" * 40)
    (folder / "product.token").chmod(0o644)
    with pytest.raises(AssertionError, match="chmod 600"):
        start(folder)


def test_an_address_that_is_none_of_this_machine_is_refused_with_one_line(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=r"Cannot listen on 192\.0\.2\.1"):
        start(tmp_path / "arena", host="192.0.2.1")


def test_a_taken_port_is_said_and_a_free_one_used(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with serving(tmp_path / "arena", port=port) as arena:
            assert arena.port not in (0, port)
            assert f"Port {port} cannot be had" in arena.log


def test_the_tokens_stay_the_same_through_a_restart(tmp_path: Path) -> None:
    tokens = []
    for _ in range(2):
        with serving(tmp_path / "arena") as arena:
            tokens.append(arena.token())
    assert tokens[0] == tokens[1]


def resident(pid: int) -> int:
    """Bytes of a process in memory."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * 4096
