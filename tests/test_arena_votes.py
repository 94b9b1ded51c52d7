"""Votes handed in over HTTP: each counted once, durable when acknowledged, and nothing else let through."""

from __future__ import annotations

import itertools
import socket
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from arena_served import LINEUP, Arena, change, fill, pair, serving

from lanes.arena.ballots import Pair, Source
from lanes.arena.ledger import Ledger
from lanes.arena.limits import MOST_BUCKETS, Buckets, Rate

numbers = itertools.count(1000)
"""Battles that no other test votes on."""


@pytest.fixture(scope="module")
def arena(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arena]:
    folder = tmp_path_factory.mktemp("run") / "arena"
    fill(folder, [])
    with serving(folder) as served:
        yield served


@pytest.fixture
def product(arena: Arena) -> Iterator[httpx.Client]:
    with arena.client() as client:
        yield client


def new_battle(arena: Arena, source: Source = Source.PRODUCT, simulated: bool = False) -> Pair:
    made = pair(next(numbers), source, simulated)
    with Ledger(arena.folder) as ledger:
        ledger.add_pairs([made])
    return made


def a_vote(battle: Pair | str, **fields: object) -> dict[str, object]:
    identity = battle if isinstance(battle, str) else battle.id
    vote: dict[str, object] = {"battle": identity, "choice": "a", "voter": "ann", "key": f"key-{next(numbers)}"}
    return vote | fields


def hand_in(client: httpx.Client, vote: object) -> httpx.Response:
    return client.post("/v1/votes", json=vote)


def fault(response: httpx.Response) -> tuple[int, str]:
    """Status and code of a failure that is one line of JSON."""
    assert response.headers["content-type"] == "application/json"
    assert response.text.count("\n") == 1
    return response.status_code, response.json()["error"]["code"]


def kept(arena: Arena, key: str) -> list[Any]:
    with Ledger(arena.folder) as ledger:
        return [ballot for ballot in ledger.ballots(0, 100_000) if ballot.key.endswith(f"/{key}")]


def test_a_vote_is_counted_and_the_same_again_is_not(arena: Arena, product: httpx.Client) -> None:
    vote = a_vote(new_battle(arena), comment="clear\x1b[31mer", seconds=3.5)
    first, again = hand_in(product, vote), hand_in(product, vote)
    assert (first.status_code, first.json()["counted"]) == (200, True)
    assert again.json() == {"vote": first.json()["vote"], "counted": False}
    (ballot,) = kept(arena, str(vote["key"]))
    assert (ballot.model_a, ballot.choice, ballot.experiment, ballot.comment) == ("exp-0001", "a", 1, "clear[31mer")
    assert ballot.seq == first.json()["vote"]


@pytest.mark.parametrize("change", [{"choice": "b"}, {"voter": "bob"}, {"comment": "else"}])
def test_a_key_that_was_used_for_another_vote_is_a_conflict(
    arena: Arena, product: httpx.Client, change: dict[str, str]
) -> None:
    vote = a_vote(new_battle(arena))
    assert hand_in(product, vote).json()["counted"]
    assert fault(hand_in(product, vote | change)) == (409, "conflict")
    assert len(kept(arena, str(vote["key"]))) == 1


def test_one_voter_has_one_vote_on_a_battle_whatever_the_key(arena: Arena, product: httpx.Client) -> None:
    battle = new_battle(arena)
    assert hand_in(product, a_vote(battle)).json()["counted"]
    assert hand_in(product, a_vote(battle)).json()["counted"] is False
    assert fault(hand_in(product, a_vote(battle, choice="b"))) == (409, "conflict")
    assert hand_in(product, a_vote(battle, voter="bob", choice="b")).json()["counted"]


def test_a_vote_that_many_send_at_once_is_counted_once(arena: Arena) -> None:
    vote = a_vote(new_battle(arena))
    with arena.client() as client, ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: hand_in(client, vote).json()["counted"], range(24)))
    assert sorted(answers) == [False] * 23 + [True]


def test_a_list_tells_of_each_vote_and_the_wrong_ones_take_no_other_along(arena: Arena, product: httpx.Client) -> None:
    vote = a_vote(new_battle(arena))
    answer = hand_in(product, [vote, a_vote("nowhere"), vote, vote | {"choice": "tie"}]).json()
    assert [each.get("counted") for each in answer] == [True, None, False, None]
    assert [each["error"]["code"] for each in answer if "error" in each] == ["unknown_battle", "conflict"]


def test_a_list_with_what_is_no_vote_is_refused_whole_and_says_which(arena: Arena, product: httpx.Client) -> None:
    good = a_vote(new_battle(arena))
    refused = hand_in(product, [good, good | {"choice": "c"}])
    assert fault(refused) == (422, "invalid")
    assert refused.json()["error"]["param"] == "1.choice"
    assert not kept(arena, str(good["key"]))
    for wrong in ([], [good] * 101):
        assert fault(hand_in(product, wrong)) in ((422, "invalid"), (413, "too_large"))


def test_the_header_stands_for_the_key(arena: Arena, product: httpx.Client) -> None:
    votes = [a_vote(new_battle(arena)), a_vote(new_battle(arena))]
    for vote in votes:
        del vote["key"]
    header = {"idempotency-key": f"key-{next(numbers)}"}
    for sent, counted in ((votes[0], [True]), (votes[0], [False]), (votes, [False, True]), (votes, [False, False])):
        answer = product.post("/v1/votes", json=sent, headers=header).json()
        found = [each["counted"] for each in (answer if isinstance(answer, list) else [answer])]
        assert found == counted
    assert fault(hand_in(product, votes[0])) == (422, "invalid")


def test_a_product_reports_a_vote_on_answers_of_its_own(arena: Arena, product: httpx.Client) -> None:
    vote = {"model_a": "exp-0000", "model_b": "exp-0001", "choice": "b", "voter": "ann", "prompt": "Hello", "at": 1e9}
    keys = [f"key-{next(numbers)}" for _ in range(3)]
    assert hand_in(product, vote | {"key": keys[0]}).json()["counted"]
    assert hand_in(product, vote | {"key": keys[1], "model_a": "reference", "prompt": " hello "}).json()["counted"]
    (first,), (second,) = (kept(arena, key) for key in keys[:2])
    assert (first.source, first.experiment, first.at, first.battle) == ("report", 1, 1e9, None)
    assert (second.experiment, second.prompt) == (None, first.prompt)
    for fields, code in (({"model_a": "exp-0009"}, "unknown_model"), ({"model_b": "exp-0000"}, "same_model")):
        assert fault(hand_in(product, vote | {"key": keys[2]} | fields)) == (422, code)


def test_a_vote_on_a_model_that_is_open_no_longer_is_kept(arena: Arena, product: httpx.Client) -> None:
    battle = new_battle(arena)
    with Ledger(arena.folder) as ledger:
        ledger.close(1)
    change(arena.folder, LINEUP.model_copy(update={"arms": (), "champion": "reference"}))
    try:
        assert hand_in(product, a_vote(battle)).json()["counted"]
        reported = {"model_a": "exp-0001", "model_b": "reference", "choice": "a", "voter": "ann", "key": "late"}
        assert hand_in(product, reported).json()["counted"]
    finally:
        change(arena.folder)


def test_a_person_votes_under_their_own_name_on_what_the_page_shows(arena: Arena) -> None:
    with Ledger(arena.folder) as ledger:
        token = ledger.invite(["voter-001"])["voter-001"]
    pairs = [new_battle(arena, Source.HELDOUT) for _ in range(8)]
    with arena.client(token) as person:
        for shown in pairs:
            vote = {"battle": shown.id, "choice": "a", "key": f"key-{next(numbers)}"}
            assert hand_in(person, vote).json()["counted"]
            (ballot,) = kept(arena, str(vote["key"]))
            assert (ballot.voter, ballot.source) == ("voter-001", "heldout")
            assert ballot.model_a == shown.as_shown_to("voter-001", ledger.secret).model_a
        assert fault(hand_in(person, a_vote(pairs[0]))) == (403, "forbidden"), "another voter's name"
        assert fault(hand_in(person, a_vote(new_battle(arena), voter="voter-001"))) == (404, "unknown_battle")
        report = {"model_a": "exp-0000", "model_b": "exp-0001", "choice": "b", "key": "report"}
        assert fault(hand_in(person, report)) == (403, "forbidden")
        assert fault(person.get("/v1/votes")) == (403, "forbidden")
        assert person.get("/v1/standing").json() == {"voter": "voter-001", "votes": 8, "wanted": 20}


def test_a_persons_vote_that_comes_too_soon_is_not_taken(arena: Arena) -> None:
    with Ledger(arena.folder) as ledger:
        token = ledger.invite(["hasty"])["hasty"]
    change(arena.folder, LINEUP.model_copy(update={"min_seconds": 2.0}))
    vote = a_vote(new_battle(arena, Source.HELDOUT), voter="hasty")
    try:
        with arena.client(token) as person:
            for seconds in ({}, {"seconds": 1.9}):
                assert fault(hand_in(person, vote | seconds)) == (422, "too_fast")
            assert hand_in(person, vote | {"seconds": 2.0}).json()["counted"]
    finally:
        change(arena.folder)


def test_what_the_simulated_product_makes_is_simulated_and_nothing_else_is(arena: Arena, product: httpx.Client) -> None:
    real, simulated = new_battle(arena), new_battle(arena, simulated=True)
    with arena.client(arena.token("simulated")) as other:
        vote = a_vote(simulated)
        assert hand_in(other, vote).json()["counted"]
        assert kept(arena, str(vote["key"]))[0].simulated
        assert fault(hand_in(other, a_vote(real))) == (404, "unknown_battle")
        assert fault(hand_in(other, a_vote(simulated) | {"simulated": False})) == (422, "invalid")
    assert fault(hand_in(product, a_vote(simulated))) == (404, "unknown_battle")


def test_nobody_takes_anothers_key(arena: Arena, product: httpx.Client) -> None:
    with Ledger(arena.folder) as ledger:
        token = ledger.invite(["mallory"])["mallory"]
    key = f"key-{next(numbers)}"
    with arena.client(token) as person:
        assert hand_in(person, {"battle": new_battle(arena, Source.HELDOUT).id, "choice": "a", "key": key}).is_success
    assert hand_in(product, a_vote(new_battle(arena), key=key)).json()["counted"]


def test_the_feed_goes_on_where_its_reader_stopped_and_leaves_checks_out(arena: Arena, product: httpx.Client) -> None:
    with Ledger(arena.folder) as ledger:
        before = ledger.last()
        token = ledger.invite(["checked"])["checked"]
    check = new_battle(arena, Source.ATTENTION)
    with arena.client(token) as person:
        assert hand_in(person, {"battle": check.id, "choice": "a", "key": "check"}).is_success
    keys = [f"key-{next(numbers)}" for _ in range(3)]
    for key in keys:
        hand_in(product, a_vote(new_battle(arena), key=key))
    found: list[str] = []
    while (page := product.get("/v1/votes", params={"after": before, "limit": 2}).json())["next"] > before:
        before = page["next"]
        found += [vote["key"] for vote in page["votes"]]
    assert found == [f"product/{key}" for key in keys]
    for wrong in ("after=-1", "limit=0", "limit=501", "after=x", "since=1", "after=1&after=2"):
        assert fault(product.get(f"/v1/votes?{wrong}")) == (422, "invalid")


def test_standing_tells_a_voters_own_votes_and_never_the_tally(arena: Arena, product: httpx.Client) -> None:
    hand_in(product, a_vote(new_battle(arena), voter="carol"))
    assert product.get("/v1/standing?voter=carol").json() == {"voter": "carol", "votes": 1, "wanted": 20}
    assert fault(product.get("/v1/standing")) == (422, "invalid")


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"choice": "c"}, "choice"),
        ({"choice": None}, "choice"),
        ({"voter": ""}, "voter"),
        ({"voter": "\x1b\u202e"}, "voter"),
        ({"voter": "x" * 201}, "voter"),
        ({"key": "two words"}, "key"),
        ({"key": 7}, "key"),
        ({"seconds": -1}, "seconds"),
        ({"seconds": True}, "seconds"),
        ({"comment": "x" * 2001}, "comment"),
        ({"consent": "yes"}, "consent"),
        ({"simulated": True}, "simulated"),
    ],
)
def test_a_field_that_cannot_be_so_is_named(product: httpx.Client, fields: dict[str, object], param: str) -> None:
    refused = hand_in(product, a_vote("nowhere") | fields)
    assert fault(refused) == (422, "invalid")
    assert refused.json()["error"]["param"] == param


@pytest.mark.parametrize(
    ("method", "path", "headers", "body", "wanted"),
    [
        ("POST", "/v1/votes", {}, b"{", (400, "not_json")),
        ("POST", "/v1/votes", {}, b"[" * 9000, (400, "not_json")),
        ("POST", "/v1/votes", {}, b'{"seconds": NaN}', (400, "not_json")),
        ("POST", "/v1/votes", {}, b'{"voter": "\\ud800"}', (400, "not_json")),
        ("POST", "/v1/votes", {}, b"\xff\xfe", (400, "not_json")),
        ("POST", "/v1/votes", {}, b"7", (422, "invalid")),
        ("POST", "/v1/votes", {"content-type": "text/plain"}, b"{}", (415, "unsupported_media_type")),
        ("POST", "/v1/votes", {"host": "evil.example"}, b"{}", (400, "bad_host")),
        ("POST", "/v1/votes", {"origin": "https://evil.example"}, b"{}", (403, "foreign_origin")),
        ("POST", "/v1/votes", {"origin": "null"}, b"{}", (403, "foreign_origin")),
        ("POST", "/v1/votes", {"authorization": "Bearer wrong"}, b"{}", (401, "unauthorized")),
        ("POST", "/v1/votes", {"authorization": "Basic x"}, b"{}", (401, "unauthorized")),
        ("DELETE", "/v1/votes", {}, b"", (405, "method_not_allowed")),
        ("GET", "/v1/nothing", {}, b"", (404, "not_found")),
        ("GET", "/v1/votes/", {}, b"", (404, "not_found")),
    ],
)
def test_a_request_that_is_not_for_us_gets_one_line(
    product: httpx.Client, method: str, path: str, headers: dict[str, str], body: bytes, wanted: tuple[int, str]
) -> None:
    headers = {"content-type": "application/json"} | headers
    response = product.request(method, path, content=body, headers=headers)
    assert fault(response) == wanted
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["content-security-policy"].startswith("default-src 'none'")


@pytest.mark.parametrize("chunked", [True, False])
def test_a_body_that_is_too_large_is_read_no_further_than_its_bound(arena: Arena, chunked: bool) -> None:
    length = b"transfer-encoding: chunked" if chunked else b"content-length: 1000000000"
    head = (
        b"POST /v1/votes HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
        b"%s\r\nauthorization: Bearer %s\r\n\r\n"
    )
    begun = b"5000\r\n" + b"x" * 0x5000 + b"\r\n" if chunked else b""
    with socket.create_connection(("127.0.0.1", arena.port), timeout=10) as line:
        line.sendall(head % (length, arena.token().encode()) + begun)
        answer = line.recv(4096)
        assert answer.startswith(b"HTTP/1.1 413 ")
        assert b"too_large" in answer + line.recv(4096)


def test_what_is_no_http_gets_one_line_and_a_closed_connection(arena: Arena) -> None:
    for noise in (b"\x16\x03\x01\x00\x00 hello\r\n\r\n", b"GET / HTTP/1.1\r\nx: " + b"y" * 70_000):
        with socket.create_connection(("127.0.0.1", arena.port), timeout=10) as line:
            line.sendall(noise)
            answer = b"".join(iter(lambda line=line: line.recv(4096), b""))
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert b"not_http" in answer


def test_a_flood_is_told_when_to_come_again_and_harms_nobody_else(arena: Arena, product: httpx.Client) -> None:
    with Ledger(arena.folder) as ledger:
        token = ledger.invite(["flood"])["flood"]
    with arena.client(token) as person:
        answers = [person.get("/v1/standing") for _ in range(120)]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert fault(refused[-1]) == (429, "flood")
    assert int(refused[-1].headers["retry-after"]) >= 1
    assert 40 <= len(answers) - len(refused) <= 90
    assert product.get("/v1/standing?voter=carol").is_success


def test_buckets_fill_again_and_are_not_kept_for_ever() -> None:
    now = [0.0]
    buckets, rate = Buckets(lambda: now[0]), Rate(per_second=2, burst=3)
    assert [buckets.take("ann", rate) for _ in range(4)] == [0, 0, 0, 0.5]
    now[0] = 0.5
    assert [buckets.take("ann", rate) for _ in range(2)] == [0, 0.5]
    for other in range(MOST_BUCKETS):
        buckets.take(other, rate)
    assert buckets.take("ann", rate) == 0, "forgotten, as the one who has not asked for longest"


def test_the_tokens_and_the_ledger_are_the_owners_alone_and_in_no_log(arena: Arena) -> None:
    for name in ("product.token", "simulated.token", "ledger.db", "ledger.db-wal", "result.json"):
        assert stat.S_IMODE((arena.folder / name).stat().st_mode) & 0o077 == 0
    secrets = [arena.token("product"), arena.token("simulated")]
    for file in arena.folder.iterdir():
        if not file.name.endswith(".token"):
            content = file.read_bytes()
            assert not any(secret.encode() in content for secret in secrets), file.name


def test_no_request_has_made_the_service_fail(arena: Arena) -> None:
    """Last of those that share the service: its log tells of its start and of nothing else."""
    assert arena.log.count("\n") == 1, arena.log
