"""Battles as a product has them: over HTTP, from models that answer, fail, hang and break off."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import sys
from collections.abc import AsyncGenerator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from scripted_models import Models, listening

from lanes.arena import app, product_api, schema, votes_api
from lanes.arena.ballots import Exposure
from lanes.arena.duel import Patience, ask_all, not_heard
from lanes.arena.entry import Entry
from lanes.arena.ledger import Ledger
from lanes.arena.lineup import Arm, Lineup
from lanes.arena.service import Service
from lanes.order import RESULT

CLIENT = Path(__file__).parents[1] / "docs" / "arena_client.py"
CHAMPION, CANDIDATE = "exp-0001", "exp-0002"
ASK = {"prompt": "How is bread made?"}
FAILURES = ["fails", "refuses", "babbles", "is empty", "is huge", "hangs"]


class Arena:
    """The service in this process, with a model server of scripts."""

    def __init__(self, folder: Path, models: Models, port: int) -> None:
        self.folder, self.models = folder, models
        self.ledger = Ledger(folder)
        self.client = self.of("product")
        self.base = f"http://127.0.0.1:{port}"
        self.client.base_url = self.base

    def of(self, kind: str) -> httpx.AsyncClient:
        token = (self.folder / f"{kind}.token").read_text()
        return httpx.AsyncClient(headers={"authorization": f"Bearer {token}"}, trust_env=False, timeout=20)

    async def battle(self, **fields: object) -> dict[str, Any]:
        found = await self.client.post("/v1/battles", json=ASK | fields)
        assert found.status_code == 200, found.text
        return found.json()

    async def events(self, path: str = "/v1/battles", **fields: object) -> list[tuple[str, Any]]:
        async with self.client.stream("POST", path, json=fields | {"stream": True}) as response:
            assert response.status_code == 200, await response.aread()
            assert response.headers["content-type"].startswith("text/event-stream")
            return [event async for event in _events(response)]

    async def vote(self, battle: str, key: str = "one") -> httpx.Response:
        return await self.client.post("/v1/votes", json={"battle": battle, "choice": "a", "voter": "anna", "key": key})

    def exposures(self) -> dict[str, Exposure]:
        return {each.model: each for each in self.ledger.exposures(2)}


async def _events(response: httpx.Response) -> AsyncGenerator[tuple[str, Any]]:
    name = ""
    async for line in response.aiter_lines():
        kind, _, said = line.partition(": ")
        if kind == "event":
            name = said
        elif kind == "data":
            yield name, said if said == "[DONE]" else json.loads(said)


def lineup(models: Models, **fields: Any) -> Lineup:
    arm = Arm(experiment=2, candidate=CANDIDATE, opponent=CHAMPION)
    return Lineup(**{"arms": (arm,), "champion": CHAMPION, "server": models.folder} | fields)


Opened = Callable[..., contextlib.AbstractAsyncContextManager[Arena]]


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Opened:
    """An arena whose lineup has the fields that are given."""
    patience = Patience(whole=1.0, slower=0.2)
    doors = functools.partial(product_api.doors, patience=patience)
    monkeypatch.setattr(app, "MODULES", (votes_api.doors, doors))

    @contextlib.asynccontextmanager
    async def opening(**fields: Any) -> AsyncGenerator[Arena]:
        models, folder = Models(tmp_path / "server"), tmp_path / "arena"
        Ledger(folder).set_lineup(lineup(models, **fields))
        service = Service(folder)
        built = app.build(service, Entry(folder, [], service.ledger.voter_of))
        async with listening(models.app) as server, listening(built) as port:
            models.listens_at(server)
            arena = Arena(folder, models, port)
            yield arena
            await arena.client.aclose()
        service.close()

    return opening


@pytest_asyncio.fixture
async def arena(opened: Opened) -> AsyncGenerator[Arena]:
    async with opened() as arena:
        yield arena


async def test_a_battle_is_two_blind_answers_that_are_kept_before_they_are_given_and_can_be_voted_on(
    arena: Arena,
) -> None:
    battle = await arena.battle(consent=True)
    pair = arena.ledger.pair(battle["battle"])
    assert pair is not None
    assert {pair.model_a, pair.model_b} == {CHAMPION, CANDIDATE}
    assert battle["answers"] == [{"id": "a", "text": pair.answer_a}, {"id": "b", "text": pair.answer_b}]
    assert pair.answer_a == f"{pair.model_a} on How is bread made?"
    assert (pair.experiment, pair.test, pair.consent, pair.simulated) == (2, 0, True, False)
    assert (await arena.vote(battle["battle"])).json()["counted"]
    answered = Exposure(2, CANDIDATE, 1, 0, 0, len(pair.answer_a))
    assert replace(arena.exposures()[CANDIDATE], seconds=0.0) == answered
    assert arena.exposures()[CHAMPION].answers == 1


@pytest.mark.parametrize("failure", FAILURES)
async def test_where_a_candidate_gives_no_answer_the_champion_answers_alone_and_the_failure_is_counted(
    arena: Arena, failure: str
) -> None:
    arena.models.scripts[CANDIDATE] = failure
    battle = await arena.battle()
    assert battle["battle"] is None
    assert [(each["text"], each["model"]) for each in battle["answers"]] == [
        (f"{CHAMPION} on How is bread made?", CHAMPION)
    ]
    assert arena.exposures() == {CANDIDATE: Exposure(2, CANDIDATE, errors=1)}
    assert arena.ledger.models() >= {CHAMPION} and (await arena.vote("null")).status_code == 404


async def test_where_the_champion_gives_no_answer_the_candidates_stands_alone(arena: Arena) -> None:
    arena.models.scripts[CHAMPION] = "fails"
    battle = await arena.battle()
    assert (battle["battle"], battle["answers"][0]["model"]) == (None, CANDIDATE)
    assert (arena.exposures()[CANDIDATE].answers, arena.exposures()[CHAMPION].errors) == (1, 1)


async def test_a_candidate_that_is_not_loaded_yet_is_not_blamed(arena: Arena) -> None:
    arena.models.scripts[CANDIDATE] = "is not loaded"
    assert (await arena.battle())["answers"][0]["model"] == CHAMPION
    assert arena.exposures() == {}


@pytest.mark.parametrize(
    ("stream", "script"), [(False, "fails"), (True, "fails"), (False, "hangs"), (False, "is not loaded")]
)
async def test_where_nobody_answers_it_says_when_to_ask_again_and_blames_no_candidate(
    arena: Arena, stream: bool, script: str
) -> None:
    arena.models.scripts = {CHAMPION: script, CANDIDATE: script}
    found = await arena.client.post("/v1/battles", json=ASK | {"stream": stream})
    assert (found.status_code, found.headers["retry-after"]) == (503, "2")
    assert found.json()["error"]["code"] == "no_answer" and found.text.count("\n") == 1
    assert arena.exposures() == {}


async def test_what_no_model_takes_is_the_askers_to_mend(arena: Arena) -> None:
    arena.models.scripts = {CHAMPION: "refuses", CANDIDATE: "refuses"}
    found = await arena.client.post("/v1/battles", json=ASK)
    assert found.status_code == 422
    assert "900 tokens do not fit into 512" in found.json()["error"]["message"]


async def test_a_stream_says_both_answers_in_pieces_and_its_battle_can_be_voted_on_when_it_is_done(
    arena: Arena,
) -> None:
    events = await arena.events(**ASK)
    (first, opening), (last, done) = events[0], events[-1]
    assert (first, last) == ("battle", "done")
    assert opening["battle"] == done["battle"]
    assert all(set(answer) == {"id", "text"} for answer in done["answers"])
    for answer in done["answers"]:
        pieces = [said["text"] for name, said in events if name == "piece" and said["id"] == answer["id"]]
        assert len(pieces) == 2 and "".join(pieces) == answer["text"]
    assert (await arena.vote(done["battle"])).status_code == 200


@pytest.mark.parametrize("failure", ["breaks off", "hangs"])
async def test_a_side_that_ends_in_the_middle_of_a_stream_is_withdrawn_and_the_other_goes_on(
    arena: Arena, failure: str
) -> None:
    arena.models.scripts[CANDIDATE] = failure
    events = await arena.events(**ASK)
    withdrawn = [said["id"] for name, said in events if name == "withdrawn"]
    name, done = events[-1]
    assert (name, done["battle"], len(withdrawn)) == ("done", None, 1)
    assert [(answer["model"], answer["id"] in withdrawn) for answer in done["answers"]] == [(CHAMPION, False)]
    assert (await arena.vote(events[0][1]["battle"])).status_code == 404
    assert arena.exposures()[CANDIDATE].errors == 1


async def test_the_slower_side_is_not_waited_for_long_after_the_quicker() -> None:
    async def quick() -> AsyncGenerator[str]:
        yield "here it is"

    async def slow() -> AsyncGenerator[str]:
        yield "let me"
        await asyncio.sleep(30)

    async with asyncio.timeout(10):
        said = await ask_all({"a": quick(), "b": slow()}, Patience(whole=30, slower=0.05), not_heard)
    assert said["a"].text == "here it is"
    assert (said["b"].text, said["b"].failure) == ("", "no whole answer after 0 s")


@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_that_goes_away_ends_both_answers(arena: Arena, stream: bool) -> None:
    arena.models.scripts = {CHAMPION: "hangs", CANDIDATE: "hangs"}
    with pytest.raises(httpx.ReadTimeout):
        await arena.client.post("/v1/battles", json=ASK | {"stream": stream}, timeout=0.3)
    async with asyncio.timeout(0.5):  # sooner than the models' own time is up
        while len(arena.models.left) < 2:
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.1)
    assert arena.exposures() == ({CANDIDATE: Exposure(2, CANDIDATE, begun=1)} if stream else {})


async def test_who_goes_away_in_the_middle_of_a_stream_has_seen_the_candidate_all_the_same(opened: Opened) -> None:
    async with opened(max_exposure=2) as arena:
        arena.models.scripts = {CHAMPION: "hangs", CANDIDATE: "hangs"}
        for _ in range(2):
            async with arena.client.stream("POST", "/v1/battles", json=ASK | {"stream": True}) as response:
                heard = set[str]()
                async for name, said in _events(response):
                    if name == "piece" and len(heard := heard | {said["id"]}) == 2:
                        break
        arena.models.scripts.clear()
        assert (await arena.battle())["battle"] is None
        async with asyncio.timeout(5):
            while arena.exposures().get(CANDIDATE) != Exposure(2, CANDIDATE, begun=2):
                await asyncio.sleep(0.01)


async def test_a_model_server_that_was_started_again_elsewhere_is_found(arena: Arena) -> None:
    await arena.battle()
    (arena.models.folder / RESULT).unlink()
    assert (await arena.client.post("/v1/battles", json=ASK)).status_code == 503
    again = Models(arena.models.folder)
    async with listening(again.app) as port:
        again.listens_at(port)
        assert (await arena.battle())["battle"]
        assert len(again.asked) == 2


async def test_control_characters_of_a_model_or_a_user_are_in_no_answer_and_no_question(arena: Arena) -> None:
    answers = (await arena.battle(prompt="How \x1b[31mis bread\u202e made?"))["answers"]
    assert all(answer["text"].endswith("on How [31mis bread made?") for answer in answers)
    arena.models.scripts = {CHAMPION: "rings the bell", CANDIDATE: "rings the bell"}
    assert [answer["text"] for answer in (await arena.battle())["answers"]] == ["[31mding\n"] * 2


async def test_a_battle_that_cannot_be_kept_is_none_and_the_user_has_the_champions_answer(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema, "BUSY_SECONDS", 0.05)
    async with opened() as arena:
        with arena.ledger.together():
            battle = await arena.battle()
            *_, (_, withdrawn), (_, done) = await arena.events(**ASK)
    assert (battle["battle"], [each["model"] for each in battle["answers"]]) == (None, [CHAMPION])
    assert (done["battle"], [each["model"] for each in done["answers"]]) == (None, [CHAMPION])
    assert withdrawn["id"] != done["answers"][0]["id"]


async def test_a_stream_of_which_one_side_has_failed_before_it_begins_is_one_answer(arena: Arena) -> None:
    arena.models.scripts = {CHAMPION: "thinks first", CANDIDATE: "fails"}
    events = await arena.events(**ASK)
    assert events[0] == ("battle", {"battle": None})
    assert [name for name, _ in events[1:]] == ["piece", "piece", "done"]


async def test_where_nothing_is_compared_the_promoted_model_answers_alone(opened: Opened) -> None:
    async with opened(arms=(), promoted="exp-0000") as arena:
        answer = {"id": "a", "text": "exp-0000 on How is bread made?", "model": "exp-0000"}
        assert await arena.battle() == {"battle": None, "answers": [answer]}


async def test_a_candidate_that_was_shown_often_enough_is_asked_no_more(opened: Opened) -> None:
    async with opened(max_exposure=3) as arena:
        arena.models.scripts[CANDIDATE] = "fails"
        await arena.battle()
        arena.models.scripts.clear()
        together = await asyncio.gather(*(arena.battle() for _ in range(5)))
    alone = [battle for battle in together if battle["battle"] is None]
    assert [battle["answers"][0]["model"] for battle in alone] == [CHAMPION] * 2, "what failed was shown to nobody"


async def test_what_a_simulated_product_makes_says_so_whatever_it_is_asked_with(arena: Arena) -> None:
    async with arena.of("simulated") as client:
        found = await client.post(f"{arena.base}/v1/battles", json=ASK | {"voter": "v1"})
    pair = arena.ledger.pair(found.json()["battle"])
    assert pair is not None and pair.simulated


async def test_models_are_asked_as_they_were_judged_with_the_whole_conversation(opened: Opened) -> None:
    settings = {"temperature": 0.3, "top_p": 0.9, "max_new_tokens": 40}
    turns = [{"role": role, "content": role} for role in ("system", "user", "assistant", "user")]
    async with opened(deployments={CANDIDATE: settings}) as arena:
        found = await arena.client.post("/v1/battles", json={"messages": turns})
    assert found.status_code == 200
    asked = next(each for each in arena.models.asked if each["model"] == CANDIDATE)
    assert (asked["temperature"], asked["top_p"], asked["max_tokens"]) == (0.3, 0.9, 40)
    assert asked["messages"] == turns


@pytest.mark.parametrize(
    ("body", "status", "word"),
    [
        ({}, 422, "prompt"),
        ({"prompt": ""}, 422, "prompt"),
        ({"prompt": "hello", "model": "exp-0002"}, 422, "model"),
        ({"messages": []}, 422, "messages"),
        ({"messages": [{"role": "tool", "content": "x"}]}, 422, "messages.0.role"),
        ({"prompt": "x" * 17_000}, 413, "16 KB"),
        ([], 422, "object"),
    ],
)
async def test_a_request_that_is_none_says_what_is_wrong(arena: Arena, body: object, status: int, word: str) -> None:
    for path in ("/v1/battles", "/v1/chat/completions"):
        found = await arena.client.post(path, json=body)
        assert found.status_code == status
        assert path == "/v1/chat/completions" or word in found.json()["error"]["message"]
    assert arena.models.asked == []


async def test_a_voters_token_asks_no_models(arena: Arena) -> None:
    token = arena.ledger.invite(["anna"])["anna"]
    for path, body in (("/v1/battles", ASK), ("/v1/chat/completions", {"messages": []})):
        found = await arena.client.post(path, json=body, headers={"authorization": f"Bearer {token}"})
        assert found.status_code == 403


async def chat(arena: Arena, **fields: object) -> httpx.Response:
    body = {"messages": [{"role": "user", "content": "hello"}]} | fields
    return await arena.client.post("/v1/chat/completions", json=body)


async def test_the_deployed_model_answers_any_client_of_openais_under_its_own_name(opened: Opened) -> None:
    async with opened(promoted="exp-0000") as arena:
        answers = {role: (await chat(arena, model=role)).json() for role in ("serving", "champion", "promoted")}
        omitted = (await chat(arena, max_completion_tokens=8)).json()
        listed = (await arena.client.get("/v1/models")).json()["data"]
    assert {role: answer["model"] for role, answer in answers.items()} == {
        "serving": "exp-0000", "champion": CHAMPION, "promoted": "exp-0000",
    }  # fmt: skip
    assert omitted["model"] == "exp-0000"
    assert omitted["choices"][0]["message"] == {"role": "assistant", "content": "exp-0000 on hello"}
    assert arena.models.asked[-1]["max_tokens"] == 8
    assert CANDIDATE not in json.dumps(listed)
    assert {each["id"]: each["model"] for each in listed}["serving"] == "exp-0000"


async def test_the_deployed_model_streams_in_openais_form(arena: Arena) -> None:
    events = await arena.events("/v1/chat/completions", messages=[{"role": "user", "content": "hello"}])
    *chunks, (_, end) = events
    assert end == "[DONE]"
    assert {chunk["model"] for _, chunk in chunks} == {CHAMPION}
    assert "".join(chunk["choices"][0]["delta"].get("content", "") for _, chunk in chunks) == f"{CHAMPION} on hello"
    assert chunks[-1][1]["choices"][0]["finish_reason"] == "stop"


@pytest.mark.parametrize(
    ("script", "fields", "status"),
    [
        ("answers", {"model": "promoted"}, 404),
        ("answers", {"tools": []}, 422),
        ("refuses", {}, 422),
        ("is not loaded", {}, 503),
        ("fails", {}, 503),
        ("babbles", {}, 503),
        ("hangs", {}, 503),
        ("fails", {"stream": True}, 503),
    ],
)
async def test_where_the_deployed_model_cannot_answer_one_line_says_why(
    arena: Arena, script: str, fields: dict[str, object], status: int
) -> None:
    arena.models.scripts[CHAMPION] = script
    found = await chat(arena, **fields)
    assert found.status_code == status
    assert found.json()["error"]["message"] and found.text.count("\n") == 1


async def test_a_deployed_model_that_breaks_off_says_so_in_the_stream(arena: Arena) -> None:
    arena.models.scripts[CHAMPION] = "breaks off"
    events = await arena.events("/v1/chat/completions", messages=[{"role": "user", "content": "hello"}])
    assert "error" in events[-1][1]


@pytest.mark.parametrize("how", [[], ["--stream"]])
async def test_the_example_client_shows_both_answers_and_its_vote_counts(arena: Arena, how: list[str]) -> None:
    command = [str(CLIENT), *how, arena.base, str(arena.folder / "product.token"), ASK["prompt"]]
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    shown, _ = await process.communicate(b"3\n")
    (ballot,) = arena.ledger.ballots(0, 9)
    assert (ballot.choice, ballot.voter) == ("b", "me@example.com")
    assert f"--- a ---\n{ballot.model_a} on How is bread made?" in shown.decode()
    assert "counted, thank you" in shown.decode()
