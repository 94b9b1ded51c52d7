"""The evaluate lane on a real server: answers, simulated votes and a tally, and nothing twice after a kill."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio
from served import MODEL, PROMPTS, make_adapters

from checkpoints import writes
from checkpoints.records import REFERENCE, FailureKind, Json, Lane, Level, Outcome, Proposal, Stage
from checkpoints.store import Store
from lanes.analyze.verdict import Rule
from lanes.evaluate import EvaluateLane, EvaluateSettings
from lanes.lane import StageFailed, StagePaused
from lanes.order import Source
from lanes.simulated_product import IN_FLIGHT

RECIPE: Json = {"deployment": {"temperature": 0.7, "max_new_tokens": 24}}

PEOPLE = """
import itertools, json, pathlib, sys, time
folder, names, seen = pathlib.Path(sys.argv[1]), map("reader-{}".format, itertools.count()), set()
while True:
    with (folder / "battles.jsonl").open() if (folder / "battles.jsonl").exists() else open("/dev/null") as battles:
        shown = [json.loads(line) for line in battles if line.endswith("\\n")]
    with (folder / "votes.jsonl").open("a") as votes:
        for battle in shown:
            if battle["battle"] not in seen:
                seen.add(battle["battle"])
                choice = "a" if len(battle["answer_a"]) < len(battle["answer_b"]) else "b"
                print(json.dumps({"battle": battle["battle"], "voter": next(names), "choice": choice}), file=votes)
    time.sleep(0.1)
"""
"""What stands between the two files: people who read the battles, prefer the shorter answer and add their votes."""


LATE = 4 * IN_FLIGHT
"""Votes that may come between the one that decides and the end of those who are voting."""


@pytest.fixture(scope="module")
def adapters(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("adapters")
    make_adapters(folder)
    return folder


@pytest.fixture(scope="module")
def shared_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One run folder for the module, so that one model server lives through all of it."""
    return tmp_path_factory.mktemp("shared") / "run"


@pytest.fixture(scope="module", autouse=True)
def end_the_server(shared_run: Path) -> Iterator[None]:
    yield

    async def end() -> None:
        store = Store(shared_run)
        await EvaluateLane(store, settings()).close(keep_workers=False)
        store.close()

    asyncio.run(end())


@pytest_asyncio.fixture
async def store(shared_run: Path, adapters: Path) -> AsyncIterator[Store]:
    """A run with two published experiments."""
    with Store(shared_run) as store:
        if not store.read.count():
            for number in (0, 1):
                await publish(store, adapters / f"exp-000{number}", "")
        yield store


async def publish(store: Store, folder: Path, details: str) -> int:
    number = await store.do(writes.propose, Proposal(f"idea of {folder.name}", "data", None, "program"))
    result: Json = {"artifact": str(folder), "details": details}
    attempt = await store.do(writes.start_stage, number, Lane.TRAIN, {}, recipe=RECIPE)
    await store.do(writes.finish_stage, number, Lane.TRAIN, attempt, result, 1.0)
    attempt = await store.do(writes.start_stage, number, Lane.UPLOAD, {})
    await store.do(writes.finish_stage, number, Lane.UPLOAD, attempt, {"url": f"file://{folder}"}, 1.0)
    return number


def settings(**fields: object) -> EvaluateSettings:
    given = {
        "model": str(MODEL), "prompts": Source(path=str(PROMPTS)), "voters": "simulated", "device": "cpu", "seed": 7,
        "rule": Rule(min_votes=20, max_votes=60), "seconds": 90.0,
        "votes_per_voter": 1,
    } | fields  # fmt: skip
    return EvaluateSettings(**given)  # type: ignore[arg-type]


async def enter(store: Store, lane: EvaluateLane, adapters: Path, opponent: int | None = 0) -> Stage:
    """A fresh experiment on the second adapter enters the lane."""
    number = await publish(store, adapters / "exp-0001", "")
    return await enter_as(store, lane, number, opponent)


async def enter_as(store: Store, lane: EvaluateLane, number: int, opponent: int | None) -> Stage:
    order = lane.order(replace(store.read.experiment(number), opponent=opponent))
    await store.do(writes.start_stage, number, Lane.EVALUATE, order, opponent=opponent)
    return store.read.stages(number)[-1]


async def leave(store: Store, stage: Stage, result: Json) -> None:
    await store.do(writes.finish_stage, stage.experiment, Lane.EVALUATE, stage.attempt, result, 1.0)


async def test_the_baseline_meets_the_reference_and_nobody_decides_on_it(store: Store) -> None:
    lane = EvaluateLane(store, settings(rule=Rule(min_votes=10, max_votes=30)))
    stage = await enter_as(store, lane, 0, None)
    result = await lane.run(stage)
    assert (result["candidate"], result["opponent"], result["decided"]) == ("exp-0000", REFERENCE, None)
    assert result["ended"] == "enough"
    tally = store.read.tally(0, "exp-0000", REFERENCE)
    assert 30 <= decisive(result) <= tally.decisive < 30 + LATE, "the cap of the rule, as it is below 200"
    assert all(vote.simulated for vote in store.read.votes(0))
    answers = store.read.answers(0)
    assert {answer.model for answer in answers} == {"exp-0000", REFERENCE}
    assert all(letter.isprintable() or letter in "\n\t" for answer in answers for letter in answer.text)
    assert "simulated voters" in store.read.progress()[Lane.EVALUATE].detail
    await leave(store, stage, result)
    await lane.close(keep_workers=True)


@pytest.mark.slow
async def test_votes_stop_soon_after_the_one_that_decides(store: Store, adapters: Path) -> None:
    lane = EvaluateLane(store, settings())
    stage = await enter(store, lane, adapters)
    result = await lane.run(stage)
    name = f"exp-{stage.experiment:04d}"
    tally = store.read.tally(stage.experiment, name, "exp-0000")
    assert result["decided"] in list(Outcome)
    assert 20 <= decisive(result) <= tally.decisive < 60 + LATE
    votes = store.read.votes(stage.experiment)
    compared = Counter(frozenset((vote.model_a, vote.model_b)) for vote in votes)
    assert compared[frozenset((name, REFERENCE))] > 0
    assert len({vote.voter for vote in votes}) == len(votes), "one vote a voter"
    sides = Counter(vote.model_a for vote in votes)
    assert sides[name] and sides["exp-0000"], "the display order is random"
    await leave(store, stage, result)
    await lane.close(keep_workers=True)


async def test_a_server_that_is_killed_in_the_middle_is_started_again_and_no_vote_is_lost_or_doubled(
    store: Store, adapters: Path
) -> None:
    lane = EvaluateLane(store, settings(rule=Rule(min_votes=40, max_votes=40)))
    stage = await enter(store, lane, adapters)
    work = asyncio.create_task(lane.run(stage))
    await votes_in(store, stage, 10)
    identity = json.loads((store.folder / "work" / "server" / "worker.json").read_text())
    os.kill(identity["pid"], signal.SIGKILL)
    result = await work
    votes = store.read.votes(stage.experiment)
    assert decisive(result) >= 40
    assert len({vote.voter for vote in votes}) == len({vote.prompt for vote in votes}) == len(votes)
    assert json.loads((store.folder / "work" / "server" / "worker.json").read_text())["pid"] != identity["pid"]
    assert any("the model server died and is started again" in event.text for event in store.read.events())
    await leave(store, stage, result)
    await lane.close(keep_workers=True)


@pytest.mark.slow
async def test_an_interrupted_evaluation_ends_as_if_it_had_never_been_interrupted(store: Store, adapters: Path) -> None:
    rule = Rule(min_votes=60, max_votes=60)
    lane = EvaluateLane(store, settings(rule=rule))
    stage = await enter(store, lane, adapters)
    work = asyncio.create_task(lane.run(stage))
    await votes_in(store, stage, 10)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    before = store.read.votes(stage.experiment)
    await lane.close(keep_workers=True)
    assert 10 <= len(before) < 60 + LATE

    lane = EvaluateLane(store, settings(rule=rule))
    result = await lane.run(stage)
    after = store.read.votes(stage.experiment)
    assert after[: len(before)] == before
    assert decisive(result) >= 60
    assert len({vote.voter for vote in after}) == len({vote.prompt for vote in after}) == len(after)
    await leave(store, stage, result)
    await lane.close(keep_workers=True)


@pytest.mark.slow
async def test_pause_keeps_the_votes_and_frees_the_device_and_the_stage_goes_on(store: Store, adapters: Path) -> None:
    lane = EvaluateLane(store, settings(rule=Rule(min_votes=60, max_votes=60)))
    stage = await enter(store, lane, adapters)
    work = asyncio.create_task(lane.run(stage))
    await votes_in(store, stage, 5)
    await lane.pause()
    with pytest.raises(StagePaused):
        await work
    kept = len(store.read.votes(stage.experiment))
    assert not (store.folder / "work" / "server" / "token").exists()
    result = await lane.run(stage)
    assert decisive(result) >= 60
    assert len(store.read.votes(stage.experiment)) > kept
    await leave(store, stage, result)
    await lane.close(keep_workers=True)


async def test_abort_fails_the_stage(store: Store, adapters: Path) -> None:
    lane = EvaluateLane(store, settings(rule=Rule(min_votes=60, max_votes=60)))
    stage = await enter(store, lane, adapters)
    work = asyncio.create_task(lane.run(stage))
    await votes_in(store, stage, 5)
    await lane.abort()
    with pytest.raises(StageFailed):
        await work
    await store.do(writes.cancel, stage.experiment, "skipped")
    await lane.close(keep_workers=True)


@pytest.mark.slow
async def test_people_vote_by_file_and_time_ends_what_they_do_not_decide(store: Store, adapters: Path) -> None:
    lane = EvaluateLane(store, settings(voters="file", seconds=6.0, votes_per_prompt=2))
    stage = await enter(store, lane, adapters)
    work = asyncio.create_task(lane.run(stage))
    battles = store.folder / "battles.jsonl"
    while not battles.exists() or not battles.stat().st_size:
        await asyncio.sleep(0.05)
    name = json.loads(battles.read_text().splitlines()[0])["battle"]
    with (store.folder / "votes.jsonl").open("a") as file:
        for voter in ("ann", "bob", "ann"):
            file.write(json.dumps({"battle": name, "voter": voter, "choice": "a"}) + "\n")
        file.write("nonsense\n")
    result = await work
    assert (result["ended"], result["decided"], result["simulated"]) == ("time", None, False)
    votes = store.read.votes(stage.experiment)
    assert [(vote.voter, vote.simulated) for vote in votes] == [("ann", False), ("bob", False)]
    events = [event.text for event in store.read.events() if event.kind == Lane.EVALUATE]
    assert sum("votes.jsonl line 4" in text for text in events) == 1
    await leave(store, stage, result)
    await lane.close(keep_workers=True)


@asynccontextmanager
async def people_voting(store: Store) -> AsyncGenerator[None]:
    """Meanwhile people, in a process of their own, vote by the file on what they are shown."""
    people = await asyncio.create_subprocess_exec(sys.executable, "-c", PEOPLE, str(store.folder))
    try:
        yield
    finally:
        people.kill()
        await people.wait()


@pytest.mark.slow
async def test_people_who_vote_on_what_they_are_shown_decide_by_file(store: Store, adapters: Path) -> None:
    lane = EvaluateLane(store, settings(voters="file"))
    stage = await enter(store, lane, adapters)
    async with people_voting(store):
        result = await lane.run(stage)
    assert (result["ended"], result["simulated"]) == ("enough", False)
    votes = store.read.votes(stage.experiment)
    assert len({(vote.prompt, frozenset((vote.model_a, vote.model_b))) for vote in votes}) == len(votes) >= 20
    assert len({vote.voter for vote in votes}) == len(votes), "a voter a vote, or they would count as few"
    await leave(store, stage, result)
    await lane.close(keep_workers=True)


@pytest.mark.slow
async def test_a_prompt_that_is_too_long_for_the_model_is_skipped_and_said(
    store: Store, adapters: Path, tmp_path: Path
) -> None:
    one_long = tmp_path / "prompts.jsonl"
    long = json.dumps({"id": "long", "prompt": [{"role": "user", "content": "word and more " * 300}]})
    one_long.write_text(f"{long}\n" + "".join(PROMPTS.read_text().splitlines(keepends=True)[:10]))
    asked_of_all = {"prompts": Source(path=str(one_long)), "rule": Rule(min_votes=60, max_votes=60)}
    lane = EvaluateLane(store, settings(voters="file", **asked_of_all))
    stage = await enter(store, lane, adapters)
    async with people_voting(store):
        result = await lane.run(stage)
    await leave(store, stage, result)
    said = [event.text for event in store.read.events() if event.level is Level.WARNING]
    assert any("were skipped, 1 in all: " in text and "the model takes 256 in all" in text for text in said), said
    await lane.close(keep_workers=True)


async def test_prompts_used_up_before_a_decision_end_it(store: Store, adapters: Path, tmp_path: Path) -> None:
    few = tmp_path / "few.jsonl"
    few.write_text("".join(PROMPTS.read_text().splitlines(keepends=True)[:4]))
    lane = EvaluateLane(store, settings(prompts=Source(path=str(few))))
    stage = await enter(store, lane, adapters)
    result = await lane.run(stage)
    assert (result["ended"], result["decided"], result["prompts"]) == ("prompts", None, 4)
    assert len(store.read.votes(stage.experiment)) == 4
    await leave(store, stage, result)
    await lane.close(keep_workers=True)


@pytest.mark.slow
async def test_two_side_by_side_share_the_server_and_ending_one_leaves_the_other(store: Store, adapters: Path) -> None:
    lane = EvaluateLane(store, settings(slots=2, rule=Rule(min_votes=20, max_votes=20)))
    stages = [await enter(store, lane, adapters) for _ in range(2)]
    going, ended = (asyncio.create_task(lane.run(stage)) for stage in stages)
    await votes_in(store, stages[1], 1)
    await lane.abort(stages[1].experiment)
    with pytest.raises(StageFailed, match="the evaluation was stopped"):
        await ended
    result = await going
    assert (result["ended"], stages[0].order["arms"]) == ("enough", 2)
    assert {vote.model_a for vote in store.read.votes(stages[0].experiment)} <= {
        result["candidate"],
        "exp-0000",
        REFERENCE,
    }
    await leave(store, stages[0], result)
    await store.do(writes.cancel, stages[1].experiment, "done")
    await lane.close(keep_workers=True)


@pytest.mark.parametrize("content", ["", None])
async def test_no_heldout_prompts_is_an_input_failure_that_names_the_file(
    store: Store, adapters: Path, tmp_path: Path, content: str | None
) -> None:
    file = tmp_path / "none.jsonl"
    if content is not None:
        file.write_text(content)
    lane = EvaluateLane(store, settings(prompts=Source(path=str(file))))
    stage = await enter(store, lane, adapters)
    with pytest.raises(StageFailed, match=r"none\.jsonl") as failed:
        await lane.run(stage)
    assert failed.value.kind is FailureKind.INPUT
    assert lane.revise(stage, failed.value) is None
    await store.do(writes.cancel, stage.experiment, "done")


async def test_a_published_folder_that_is_damaged_is_an_input_failure_that_names_the_file(
    store: Store, adapters: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "exp-damaged"
    copy.mkdir()
    for file in (adapters / "exp-0001").iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    (copy / "adapter_model.safetensors").write_bytes(b"zero")
    lane = EvaluateLane(store, settings())
    stage = await enter_as(store, lane, await publish(store, copy, ""), 0)
    with pytest.raises(StageFailed, match=r"adapter_model\.safetensors") as failed:
        await lane.run(stage)
    assert failed.value.kind is FailureKind.INPUT
    await store.do(writes.cancel, stage.experiment, "done")


@pytest.mark.slow
async def test_a_server_that_does_not_come_up_fails_the_stage_and_is_tried_once_more(
    tmp_path: Path, adapters: Path
) -> None:
    with Store(tmp_path / "run") as store:
        lane = EvaluateLane(store, settings(model=str(tmp_path / "no-model")))
        stage = await enter(store, lane, adapters, None)
        with pytest.raises(StageFailed, match="no-model") as failed:
            await lane.run(stage)
        assert failed.value.kind is FailureKind.INPUT
        crashed = StageFailed(FailureKind.CRASH, "died")
        assert lane.revise(stage, crashed) == stage.order
        await lane.close(keep_workers=False)
        assert not (store.folder / "work" / "server" / "token").exists()


def decisive(result: Json) -> int:
    return result["tally"]["wins"] + result["tally"]["losses"]


async def votes_in(store: Store, stage: Stage, count: int) -> None:
    async with asyncio.timeout(60):
        while len(store.read.votes(stage.experiment)) < count:
            await asyncio.sleep(0.02)
