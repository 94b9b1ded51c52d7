"""Servers of a run are signalled, or stop, while votes and answers are under way: none is lost, and others are started.

Elsewhere: SIGKILL of the arena under load, of the model server and of the product in the middle of an evaluation
(``test_arena_service``, ``test_evaluate_arena``, ``test_evaluate``), a battle whose model server went elsewhere
(``test_arena_battles``), a port that somebody has (``test_serve``, ``test_arena_service``, ``test_port_of_links``,
``test_doctor_arena``), requests that never end (``test_arena_crowds``).
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
from pathlib import Path

import httpx
import pytest
from arena_served import fill, pair, start
from test_evaluate import decisive, enter, leave, settings, votes_in
from test_evaluate_arena import adapters, shared_run, store

from checkpoints.records import Lane
from checkpoints.store import Store
from lanes import oom, product_desk, pulse
from lanes.analyze.verdict import Rule
from lanes.arena.ledger import Ledger
from lanes.evaluate import EvaluateLane

__all__ = ["adapters", "shared_run", "store"]

ARENA, SERVER, PRODUCT = "arena", "work/server", "work/product"


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who answers nobody is noticed within some seconds."""
    monkeypatch.setattr(pulse, "BEAT_SECONDS", 0.2)
    monkeypatch.setattr(pulse, "ANSWER_SECONDS", 3.0)


def pid_in(folder: Path) -> int:
    return int(json.loads((folder / "worker.json").read_bytes())["pid"])


@pytest.mark.slow
@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("server", "number"),
    [(ARENA, signal.SIGTERM), (ARENA, signal.SIGSTOP), (SERVER, signal.SIGHUP), (SERVER, signal.SIGSTOP)],
)
async def test_a_server_that_is_signalled_in_an_evaluation_is_replaced_and_costs_no_vote(
    store: Store, adapters: Path, server: str, number: signal.Signals
) -> None:
    lane = EvaluateLane(store, settings(rule=Rule(min_votes=80, max_votes=80)))
    stage = await enter(store, lane, adapters)
    work = asyncio.create_task(lane.run(stage))
    await votes_in(store, stage, 5)
    os.kill(before := pid_in(store.folder / server), number)
    result = await asyncio.wait_for(work, 100)
    assert decisive(result) >= 80
    await lane.close(keep_workers=True)
    votes = store.read.votes(stage.experiment)
    with Ledger(store.folder / ARENA) as ledger:
        ballots = {f"arena:{one.key}" for one in ledger.ballots(0, 10_000) if one.experiment == stage.experiment}
    assert len({vote.voter for vote in votes}) == len({vote.prompt for vote in votes}) == len(votes)
    assert {vote.key for vote in votes} <= ballots
    assert pid_in(store.folder / server) != before
    said = [event.text for event in store.read.events() if event.kind == Lane.EVALUATE]
    if number is signal.SIGSTOP:
        name = "the arena" if server == ARENA else "the model server"
        assert any(f"{name} answered nobody for 6 s and was ended" in text for text in said)
    await leave(store, stage, result)


@pytest.mark.slow
async def test_a_simulated_product_that_stays_stopped_is_ended_and_another_goes_on(
    store: Store, adapters: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(product_desk, "STOPPED_SECONDS", 1.0)
    lane = EvaluateLane(store, settings(rule=Rule(min_votes=80, max_votes=80)))
    stage = await enter(store, lane, adapters)
    work = asyncio.create_task(lane.run(stage))
    await votes_in(store, stage, 5)
    os.kill(before := pid_in(store.folder / PRODUCT), signal.SIGSTOP)
    result = await asyncio.wait_for(work, 100)
    assert decisive(result) >= 80 and pid_in(store.folder / PRODUCT) != before
    said = [event.text for event in store.read.events() if event.kind == Lane.EVALUATE]
    assert any("the simulated product was stopped by somebody for 1 s; it is ended" in text for text in said), said
    await leave(store, stage, result)
    await lane.close(keep_workers=True)


@pytest.mark.slow
async def test_a_model_server_that_the_kernel_ended_for_want_of_memory_is_told_as_such_and_costs_no_vote(
    store: Store, adapters: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counters = tmp_path / "vmstat"
    counters.write_text("nr_free_pages 3169850\noom_kill 3\n")
    monkeypatch.setattr(oom, "COUNTERS", counters)
    lane = EvaluateLane(store, settings(rule=Rule(min_votes=80, max_votes=80)))
    stage = await enter(store, lane, adapters)
    work = asyncio.create_task(lane.run(stage))
    await votes_in(store, stage, 5)
    counters.write_text("nr_free_pages 3169850\noom_kill 4\n")
    os.kill(pid_in(store.folder / SERVER), signal.SIGKILL)
    result = await asyncio.wait_for(work, 100)
    assert decisive(result) >= 80
    said = [event.text for event in store.read.events() if event.kind == Lane.EVALUATE]
    assert any("started again" in text and "the kernel ended it for want of memory" in text for text in said), said
    await leave(store, stage, result)
    await lane.close(keep_workers=True)


@pytest.mark.slow
@pytest.mark.usefixtures("impatient")
async def test_a_server_that_is_busy_or_was_stopped_for_a_moment_is_left_alone(store: Store, adapters: Path) -> None:
    lane = EvaluateLane(store, settings(rule=Rule(min_votes=60, max_votes=60)))
    stage = await enter(store, lane, adapters)
    work = asyncio.create_task(lane.run(stage))
    await votes_in(store, stage, 5)
    before = [pid_in(store.folder / server) for server in (ARENA, SERVER)]
    for pid in before:
        os.kill(pid, signal.SIGSTOP)
    await asyncio.sleep(4)  # longer than an answer may take
    for pid in before:
        os.kill(pid, signal.SIGCONT)
    result = await asyncio.wait_for(work, 100)
    assert [pid_in(store.folder / server) for server in (ARENA, SERVER)] == before
    await leave(store, stage, result)
    await lane.close(keep_workers=True)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_an_arena_that_is_told_to_end_loses_no_vote_that_it_acknowledged(
    tmp_path: Path, number: signal.Signals
) -> None:
    folder, acknowledged = tmp_path / "arena", list[str]()
    fill(folder, [pair(place) for place in range(50)])
    arena = start(folder)
    with arena.client() as client:
        for place in range(2000):
            sent = {"battle": f"product-{place % 50}", "choice": "a", "voter": f"user-{place}", "key": f"k{place}"}
            if place == 200:
                arena.process.send_signal(number)
            try:
                if client.post("/v1/votes", json=sent).is_success:
                    acknowledged.append(sent["key"])
            except httpx.HTTPError:
                break
    assert arena.process.wait(20) in (0, -number)
    with Ledger(folder) as ledger:
        found = [ballot.key.removeprefix("product/") for ballot in ledger.ballots(0, 10_000)]
    assert len(acknowledged) >= 200 and set(acknowledged) <= set(found)
    assert len(found) == len(set(found)) <= len(acknowledged) + 1
