"""A hold on a run: what an edit of the program does while the run goes on, and what a run folder must be."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from laws import broken_laws
from sleeping import SleepingAnalyst, SleepingLane

from checkpoints import writes
from checkpoints.ownership import RUN
from checkpoints.records import Json, Lane, Level, RunState, Stage, State, Step
from checkpoints.store import Held, Store, StoreError, holder
from checkpoints.thought import Exchange, Purpose
from lanes.analyze.study import NAME
from runner.program_error import ProgramError
from runner.session import Ready, Session, make_ready

PROGRAM = """\
---
goal: sleep better
model: model
data:
  sources: {a: a.jsonl, b: b.jsonl}
  heldout: {prompts: prompts.jsonl}
recipe: {training: {beta: 0.1}}
space:
  training.beta: {min: 0.001, max: 9, scale: log}
budget: {experiments: 3}
---
Sleep.
"""
BETA = "  training.beta: {min: 0.001, max: 9, scale: log}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "model").mkdir()
    for name in ("a", "b", "prompts"):
        (tmp_path / f"{name}.jsonl").write_text('{"prompt": "p", "chosen": "c", "rejected": "r"}\n')
    (tmp_path / "program.md").write_text(PROGRAM)
    return tmp_path


def sleeping(folder: Path, training: float = 0.02, ready: Ready | None = None) -> Session:
    """A session whose lanes sleep instead of working."""
    session = Session(folder, linger=False, ready=ready)
    seconds = {Lane.TRAIN: training, Lane.UPLOAD: 0.01, Lane.EVALUATE: 0.01}
    session.pipeline.workers = {lane: SleepingLane(session.store, lane, takes) for lane, takes in seconds.items()}
    session.pipeline.analyst = SleepingAnalyst(0.01)
    return session


@asynccontextmanager
async def running(session: Session) -> AsyncIterator[Store]:
    """The run goes on while the test looks at it; its end is awaited."""
    task = asyncio.create_task(session.run())
    try:
        yield session.store
        await asyncio.wait_for(task, 30)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_stop_that_comes_before_the_loop_has_begun_ends_it(folder: Path) -> None:
    session = sleeping(folder)
    session.pipeline.linger = True
    async with running(session) as store:
        await store.do(writes.intervene, Step.STOP, None, "", {"how": "drain"})
    assert [step.effect for step in session.store.read.interventions()] == [
        "the stages under way end, then the run stops"
    ]
    await session.close(keep_workers=False)


async def until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + 15
    while not holds():
        assert time.monotonic() < deadline, "it did not come about"
        await asyncio.sleep(0.01)


def training(store: Store, number: int) -> Callable[[], bool]:
    return lambda: store.read.count() > number and store.read.experiment(number).state is State.TRAINING


async def test_an_edit_is_in_force_from_the_next_proposal_on(folder: Path) -> None:
    session = sleeping(folder, training=0.5)
    async with running(session) as store:
        await until(training(store, 1))
        await until(lambda: store.read.count() == 3)
        edited = PROGRAM.replace(BETA, f"{BETA}  lora.r: {{choices: [4, 8, 16, 32]}}\n").replace("ments: 3", "ments: 4")
        (folder / "program.md").write_text(edited.replace("max: 9,", "max: 0.11,"))
        await until(lambda: (found := store.read.program()) and found.revision == 2)
    fields = [each.proposal.change and each.proposal.change.field for each in store.read.experiments()[1:]]
    assert fields[:2] == ["training.beta", "training.beta"] and set(fields[2:]) == {"lora.r"}
    program, run = store.read.program(), store.read.run()
    assert program and program.text != PROGRAM and program.error == ""
    assert run and (run.experiments, run.state) == (4, RunState.FINISHED)
    assert "program.md revision 2 in force from the next proposal" in [event.text for event in store.read.events()]
    assert broken_laws(store.read, 4) == []
    await session.close(keep_workers=False)


async def test_an_invalid_edit_is_refused_with_its_line_and_the_last_good_one_stays(folder: Path) -> None:
    session = sleeping(folder, training=0.3)
    async with running(session) as store:
        await until(training(store, 1))
        (folder / "program.md").write_text(PROGRAM.replace("experiments: 3", "experiments: many"))
        await until(lambda: (found := store.read.last_program()) and found.revision == 2)
        refused, valid = store.read.last_program(), store.read.program()
        assert refused and refused.error.startswith("program.md:10: budget.experiments: 'many'")
        assert valid and (valid.revision, valid.text) == (1, PROGRAM)
    errors = [event.text for event in store.read.events() if event.level is Level.ERROR]
    assert len(errors) == 1 and "revision 2 refused, the last good one stays: program.md:10:" in errors[0]
    run = store.read.run()
    assert run and run.experiments == 3 and broken_laws(store.read, 3) == []
    await session.close(keep_workers=False)


@pytest.mark.slow
async def test_an_edit_that_names_what_is_not_there_is_refused_too(folder: Path) -> None:
    session = sleeping(folder, training=0.3)
    async with running(session) as store:
        await until(training(store, 1))
        (folder / "program.md").write_text(PROGRAM.replace("b: b.jsonl", "b: gone.jsonl"))
        await until(lambda: (found := store.read.last_program()) and found.revision == 2)
        refused = store.read.last_program()
        assert refused and "program.md:5: data.sources.b:" in refused.error and "is not there" in refused.error
    await session.close(keep_workers=False)


@pytest.mark.slow
async def test_a_finished_run_goes_on_under_a_raised_budget_at_the_next_start(folder: Path) -> None:
    first = sleeping(folder)
    async with running(first):
        pass
    await first.close(keep_workers=False)
    (folder / "program.md").write_text(PROGRAM.replace("experiments: 3", "experiments: 5"))
    second = sleeping(folder)
    async with running(second) as store:
        pass
    assert broken_laws(store.read, 5) == []
    await second.close(keep_workers=False)


async def test_after_each_verdict_the_room_of_what_was_not_kept_is_given_back(folder: Path) -> None:
    session = sleeping(folder)
    outputs = [folder / RUN / "artifacts" / f"exp-{number:04d}" for number in range(4)]
    for output in outputs:
        output.mkdir(parents=True)
        (output / "adapter_model.safetensors").write_bytes(b"x")
    session.pipeline.workers[Lane.UPLOAD].run = published  # type: ignore[method-assign]
    async with running(session) as store:
        pass
    assert [output.exists() for output in outputs] == [True, False, False, False]
    assert sum("given back" in event.text for event in store.read.events()) == 3
    await session.close(keep_workers=False)


async def published(stage: Stage) -> Json:
    return {"url": f"s3://bucket/exp-{stage.experiment:04d}"}


@pytest.mark.slow
async def test_before_a_run_without_a_screen_ends_its_last_votes_are_studied(folder: Path) -> None:
    session = sleeping(folder)
    async with running(session):
        pass
    read = session.store.read
    run, study = read.run(), read.insight(NAME)
    assert run and run.state is RunState.FINISHED
    assert study and study["votes"] == read.votes_and_voters()[0] > 0
    await session.close(keep_workers=False)


async def test_a_run_has_one_owner_at_a_time(folder: Path) -> None:
    session = sleeping(folder)
    with pytest.raises(Held, match="this run is held by process"):
        Session(folder, linger=False)
    await session.close(keep_workers=False)
    again = sleeping(folder)
    await again.close(keep_workers=False)


async def test_a_run_that_a_thread_made_ready_is_driven_by_the_event_loop(folder: Path) -> None:
    ready = await asyncio.to_thread(make_ready, folder)
    assert f"process {os.getpid()} " in (holder(folder / RUN) or "")
    session = sleeping(folder, ready=ready)
    await session.run()
    assert session.store.read.count(State.KEPT, State.DISCARDED) == 4
    await session.close(keep_workers=False)


def test_a_program_that_names_what_is_not_there_begins_no_run(folder: Path) -> None:
    (folder / "prompts.jsonl").unlink()
    with pytest.raises(ProgramError, match=r"program\.md:6: data\.heldout\.prompts: .* is not there"):
        Session(folder, linger=False)
    assert not (folder / RUN).exists()


async def test_a_run_folder_of_a_newer_version_is_refused_with_one_line_and_left_as_it_is(folder: Path) -> None:
    await sleeping(folder).close(keep_workers=False)
    with sqlite3.connect(folder / RUN / "run.db") as newer:
        columns = [row[1] for row in newer.execute("PRAGMA table_info(_sqlite_migrations)")]
        last = dict(zip(columns, newer.execute("SELECT * FROM _sqlite_migrations").fetchall()[-1], strict=True))
        last |= {"name": "m9999_from_the_future"} | ({"id": 9999} if "id" in last else {})
        marks = ", ".join("?" * len(last))
        newer.execute(f"INSERT INTO _sqlite_migrations ({', '.join(last)}) VALUES ({marks})", [*last.values()])
    newer.close()
    with pytest.raises(StoreError) as refused:
        Session(folder, linger=False)
    assert "written by a newer autoresearch-tui (it has m9999_from_the_future); upgrade with: " in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1
    kept = sqlite3.connect(folder / RUN / "run.db")
    assert kept.execute("SELECT count(*) FROM _sqlite_migrations WHERE name LIKE 'm9999%'").fetchone()[0] == 1
    kept.close()


async def test_past_a_cap_the_playbook_proposes_and_the_reason_is_said_once(folder: Path) -> None:
    session = spent(folder, "{model: openai/m, max_tokens: 50}")
    async with running(session) as store:
        await until(lambda: store.read.count(State.DISCARDED) == 3)
        said = [event.text for event in store.read.events() if "playbook" in event.text]
        assert said == [f"the playbook proposes: {PAST}"]
        assert {one.proposal.proposer for one in store.read.experiments()} == {"program", "playbook"}
    await session.close(keep_workers=False)


async def test_past_a_cap_that_pauses_the_run_waits_for_another_program(folder: Path) -> None:
    session = spent(folder, "{model: openai/m, max_tokens: 50, over: pause}")
    async with running(session) as store:
        await until(lambda: (run := store.read.run()) and run.state is RunState.PAUSED)
        run = store.read.run()
        assert run and run.reason == PAST and store.read.count() == 1
        program = (folder / "program.md").read_text()
        (folder / "program.md").write_text(program.replace("over: pause", "over: playbook"))
    assert session.store.read.count(State.DISCARDED) == 3
    await session.close(keep_workers=False)


PAST = "the agent has used 100 of 50 tokens, agent.max_tokens: the next question would pass it"


def spent(folder: Path, agent: str) -> Session:
    """A session whose agent has used a hundred tokens."""
    text = (folder / "program.md").read_text()
    (folder / "program.md").write_text(text.replace("budget:", f"agent: {agent}\nbudget:"))
    session = sleeping(folder)
    kept = Exchange(0, 0.0, Purpose.PROPOSE, "openai/m", "json_schema", None, "", "", "", 90, 10, None, 0.1)
    session.store.submit(writes.add_exchange, kept).result()
    return session
