"""Votes by way of the arena, over real HTTP: people at its page, a product, one that is asked; kills and guards."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from served import make_adapters
from test_evaluate import decisive, enter, leave, publish, settings, votes_in

from checkpoints import writes
from checkpoints.records import Choice, Lane, Level, Outcome, Vote, model_name
from checkpoints.store import Store
from lanes.analyze.analyst import AnalyzeLane
from lanes.analyze.verdict import Rule
from lanes.arena.ballots import Exposure
from lanes.arena.ledger import Ledger
from lanes.evaluate import EvaluateLane
from lanes.evaluate_settings import ArenaSettings
from lanes.pull import Pull


@pytest.fixture(scope="module")
def adapters(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("adapters")
    make_adapters(folder)
    return folder


@pytest.fixture(scope="module")
def shared_run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One run folder for the module, so that one model server and one arena live through all of it."""
    folder = tmp_path_factory.mktemp("shared") / "run"
    yield folder

    async def end() -> None:
        with Store(folder) as store:
            await EvaluateLane(store, settings()).close(keep_workers=False)

    asyncio.run(end())


@pytest_asyncio.fixture
async def store(shared_run: Path, adapters: Path) -> AsyncIterator[Store]:
    """A run with a champion."""
    with Store(shared_run) as store:
        if not store.read.count():
            await publish(store, adapters / "exp-0000", "")
            await store.do(writes.change_champion, 0, "the baseline")
        yield store


def arena(store: Store, token: str) -> httpx.AsyncClient:
    place = json.loads((store.folder / "arena" / "result.json").read_bytes())
    return httpx.AsyncClient(
        base_url=f"http://{place['host']}:{place['port']}", headers={"authorization": f"Bearer {token}"}, timeout=60,
        trust_env=False,
    )  # fmt: skip


def killed(folder: Path) -> int:
    """SIGKILL to the worker of a folder; returns its pid."""
    pid = json.loads((folder / "worker.json").read_bytes())["pid"]
    os.kill(pid, signal.SIGKILL)
    return pid


async def until_there(file: Path) -> None:
    async with asyncio.timeout(60):
        while not file.exists():
            await asyncio.sleep(0.05)


async def session(store: Store, name: str) -> None:
    """A person's session at the page: they prefer the shorter answer."""
    with Ledger(store.folder / "arena") as ledger:
        token = ledger.invite([name])[name]
    async with arena(store, token) as client, asyncio.timeout(60):
        votes = 0
        while votes < 2:
            pair = (await client.get("/v1/page/next")).json().get("pair")
            if pair is None:  # none yet, or asked too often
                await asyncio.sleep(0.5)
                continue
            choice = "a" if len(pair["first"]) < len(pair["second"]) else "b"
            vote = {"battle": pair["battle"], "choice": choice, "key": f"{name}-{votes}", "seconds": 4.0}
            assert (await client.post("/v1/votes", json=vote)).status_code == 200
            votes += 1


async def test_people_at_the_page_count_as_one_each_and_decide(store: Store, adapters: Path) -> None:
    rule = Rule(min_votes=3, max_votes=3)
    lane = EvaluateLane(store, settings(voters="arena", votes_per_voter=2, rule=rule, reference_share=0.0))
    stage = await enter(store, lane, adapters)
    lane.settings = settings(voters="arena", votes_per_voter=20, reference_share=0.0)  # an edit of the program
    work = asyncio.create_task(lane.run(stage))
    await until_there(store.folder / "arena" / "result.json")
    await asyncio.gather(*(session(store, name) for name in ("ann", "bob", "cleo")))
    result = await work
    assert (result["ended"], result["simulated"]) == ("enough", False)
    votes = store.read.votes(stage.experiment)
    assert sorted(vote.voter for vote in votes) == ["ann", "ann", "bob", "bob", "cleo", "cleo"]
    assert len({vote.prompt for vote in votes}) == 6, "one vote on each pair"
    means = store.read.voter_means(stage.experiment, model_name(stage.experiment), "exp-0000")
    assert (means.voters, means.open) == (3, 0)
    await leave(store, stage, result)
    await lane.close(keep_workers=True)


@pytest.mark.slow
async def test_a_killed_arena_and_a_killed_product_cost_no_vote_and_double_none(store: Store, adapters: Path) -> None:
    lane = EvaluateLane(store, settings(rule=Rule(min_votes=80, max_votes=80)))
    stage = await enter(store, lane, adapters)
    work = asyncio.create_task(lane.run(stage))
    await votes_in(store, stage, 5)
    killed(store.folder / "arena")
    await votes_in(store, stage, len(store.read.votes(stage.experiment)) + 20)
    killed(store.folder / "work" / "product")
    result = await work
    assert decisive(result) >= 80
    await lane.close(keep_workers=True)
    votes = store.read.votes(stage.experiment)
    with Ledger(store.folder / "arena") as ledger:
        ballots = [ballot for ballot in ledger.ballots(0, 10_000) if ballot.experiment == stage.experiment]
    assert len({vote.voter for vote in votes}) == len({vote.prompt for vote in votes}) == len(votes) <= len(ballots)
    assert {vote.key for vote in votes} <= {f"arena:{ballot.key}" for ballot in ballots}
    assert all(vote.simulated for vote in votes)
    said = [event.text for event in store.read.events() if event.kind == Lane.EVALUATE]
    assert sum("the arena had ended, and was started again" in text for text in said) == 1
    await leave(store, stage, result)


async def test_a_product_that_answers_by_itself_is_asked_for_its_votes(
    store: Store, adapters: Path, tmp_path: Path
) -> None:
    file = tmp_path / "choices.jsonl"
    lane = EvaluateLane(
        store, settings(voters="pull", pull=Pull(path=str(file)), rule=Rule(min_votes=20, max_votes=30))
    )
    stage = await enter(store, lane, adapters)
    work = asyncio.create_task(lane.run(stage))
    await asyncio.sleep(0.5)
    rows = [
        {"id": n, "model_a": model_name(stage.experiment), "model_b": "exp-0000", "winner": "model_b", "voter": f"v{n}"}
        for n in range(40)
    ]
    bad = [{"id": "x", "model_a": "exp-0000"}, {"id": "y", "model_a": "exp-0000"}, "no vote"]
    file.write_text("".join(json.dumps(row) + "\n" for row in [*bad, *rows, *rows[:5]]))
    result = await work
    assert (result["ended"], result["decided"], result["simulated"]) == ("enough", Outcome.DISCARD, False)
    votes = store.read.votes(stage.experiment)
    assert len(votes) == 40 and all(vote.choice is Choice.B and not vote.simulated for vote in votes)
    said = [event.text for event in store.read.events() if str(file) in event.text]
    assert sum("is not there" in text for text in said) == 1
    assert sum("are passed over" in text for text in said) == 2, "one line each kind"
    await leave(store, stage, result)
    await lane.close(keep_workers=True)


async def test_a_guard_takes_a_candidate_out_at_once_and_the_verdict_says_its_sentence(
    store: Store, adapters: Path
) -> None:
    lane = EvaluateLane(store, settings(voters="arena"))
    stage = await enter(store, lane, adapters)
    work = asyncio.create_task(lane.run(stage))
    await asyncio.sleep(0.5)
    with Ledger(store.folder / "arena") as ledger:
        ledger.add_exposure(Exposure(stage.experiment, model_name(stage.experiment), answers=15, errors=10))
    result = await work
    assert (result["ended"], result["decided"]) == ("guard", None)
    assert "10 of 25 answers failed" in result["guard"]
    await leave(store, stage, result)
    verdict, _ = await AnalyzeLane(store.read, Rule(), pytest.fail).judge(store.read.experiment(stage.experiment))
    assert verdict.outcome is Outcome.DISCARD and result["guard"] in verdict.reason
    await lane.close(keep_workers=True)


@pytest.mark.slow
async def test_a_candidate_that_may_be_shown_no_more_is_judged_by_the_votes_that_are_there(
    store: Store, adapters: Path
) -> None:
    lane = EvaluateLane(store, settings(voters="arena", arena=ArenaSettings(max_exposure=8), session_seconds=1.0))
    stage = await enter(store, lane, adapters)
    candidate = model_name(stage.experiment)
    with Ledger(store.folder / "arena") as ledger:
        ledger.add_exposure(Exposure(stage.experiment, candidate, answers=8))
        ledger.invite(["dora"])
    work = asyncio.create_task(lane.run(stage))
    await asyncio.sleep(3)
    assert not work.done(), "who was invited may still come"
    vote = Vote(stage.experiment, "w", "w", "live:1", candidate, "exp-0000", Choice.A, False, time.time())
    await store.do(writes.add_votes, [vote])
    with closing(sqlite3.connect(store.folder / "arena" / "ledger.db")) as ledger, ledger:
        ledger.execute("DELETE FROM voters")
    result = await asyncio.wait_for(work, 30)
    assert (result["ended"], result["decided"], result["tally"]["wins"]) == ("exposure", None, 1)
    means = store.read.voter_means(stage.experiment, candidate, "exp-0000")
    assert (means.voters, means.open) == (1, 0)
    await leave(store, stage, result)
    said = [event.text for event in store.read.events() if event.experiment == stage.experiment]
    assert any("max_exposure reached" in text for text in said)
    await lane.close(keep_workers=True)


async def test_a_guard_takes_a_champion_out_of_a_promotion_test_whatever_its_votes_say(
    store: Store, adapters: Path
) -> None:
    lane = EvaluateLane(store, settings(voters="arena"))
    number = await publish(store, adapters / "exp-0001", "")
    test = await store.do(writes.begin_test, number, 0, lane.test_order(number, 0))
    candidate, won = model_name(number), Choice.A
    await store.do(
        writes.add_votes,
        [Vote(number, f"w{i}", f"w{i}", f"p{i}", candidate, "exp-0000", won, False, 0.0, test) for i in range(18)],
    )
    work = asyncio.create_task(lane.test(store.read.promotion_tests()[-1]))
    await asyncio.sleep(0.5)
    with Ledger(store.folder / "arena") as ledger:
        ledger.add_exposure(Exposure(number, candidate, answers=15, errors=10))
    verdict = await work
    assert verdict.outcome is Outcome.DISCARD and verdict.wins == 18
    assert verdict.reason.startswith("Taken out at once: errors: 10 of 25 answers failed")
    await store.do(writes.end_test, test, verdict)
    await lane.close(keep_workers=True)


async def test_between_evaluations_the_arena_serves_the_champion(store: Store) -> None:
    lane = EvaluateLane(store, settings(voters="arena"))
    lane.attend()
    try:
        token = (store.folder / "arena" / "product.token").read_text()
        async with arena(store, token) as client, asyncio.timeout(60):
            asked = {"messages": [{"role": "user", "content": "How do I bake bread?"}]}
            while (answer := await client.post("/v1/chat/completions", json=asked)).status_code != 200:
                await asyncio.sleep(0.2)
            assert answer.json()["model"] == "exp-0000"
            battle = await client.post("/v1/battles", json=asked)
        assert battle.json()["battle"] is None, "nothing is open"
    finally:
        await lane.close(keep_workers=True)


@pytest.mark.slow
async def test_a_model_server_that_dies_while_nothing_is_judged_is_started_again_and_said(store: Store) -> None:
    lane = EvaluateLane(store, settings(voters="arena"))
    lane.attend()
    asked = {"messages": [{"role": "user", "content": "How do I bake bread?"}]}
    try:
        await until_there(store.folder / "arena" / "product.token")
        async with arena(store, (store.folder / "arena" / "product.token").read_text()) as client:
            async with asyncio.timeout(60):
                while (await client.post("/v1/chat/completions", json=asked)).status_code != 200:
                    await asyncio.sleep(0.2)
            before = killed(store.folder / "work" / "server")
            async with asyncio.timeout(60):
                while (answer := await client.post("/v1/chat/completions", json=asked)).status_code != 200:
                    await asyncio.sleep(0.2)
        assert answer.json()["model"] == "exp-0000"
        assert json.loads((store.folder / "work" / "server" / "worker.json").read_bytes())["pid"] != before
        said = [event.text for event in store.read.events() if event.level is Level.WARNING]
        assert any(text.startswith("the model server had ended, and is started again: ") for text in said), said
    finally:
        await lane.close(keep_workers=True)


async def test_a_promotion_test_is_on_fresh_votes_alone(store: Store, adapters: Path) -> None:
    lane = EvaluateLane(store, settings())
    number = await publish(store, adapters / "exp-0001", "")
    test = await store.do(writes.begin_test, number, 0, lane.test_order(number, 0))
    going = store.read.open_test()
    assert going is not None
    verdict = await lane.test(going)
    votes = store.read.votes(number)
    assert votes and {vote.test for vote in votes} == {test}
    assert verdict.voters >= 20 and verdict.experiment == number
    assert store.read.voter_means(number, model_name(number), "exp-0000").voters == 0, "the verdict's votes are others"
    looks = store.read.looks_of(test)
    assert [look.voters for look in looks] == list(range(1, len(looks) + 1)), "one after each voter, once"
    assert len(looks) >= 30
    await store.do(writes.end_test, test, verdict)
    await lane.close(keep_workers=True)
