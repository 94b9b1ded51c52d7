"""The store: durable, lawful, owned by one, and patient with a disk that is full."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from small_disk import SmallDisk, mounted

from checkpoints import schema, writes
from checkpoints.reader import DATABASE, Reader
from checkpoints.records import (
    Choice,
    FailureKind,
    Lane,
    Level,
    Metric,
    Outcome,
    Proposal,
    RunState,
    StageState,
    State,
    Step,
    Tally,
    Verdict,
    Vote,
)
from checkpoints.store import Store, StoreError, holder
from checkpoints.visitor import intervene_from_outside

PROPOSAL = Proposal("it helps", "data", None, "test")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path) as store:
        store.submit(writes.create_run, "test", "better", 3, 7).result()
        yield store


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    yield from mounted(tmp_path / "disk", megabytes=2)


def verdict(number: int, outcome: Outcome = Outcome.KEEP) -> Verdict:
    return Verdict(number, outcome, 3, 1, 0, None, None, None, None, "because", 1.0)


def vote(key: str, voter: str, a: str = "exp-0001", b: str = "exp-0000", choice: Choice = Choice.A) -> Vote:
    return Vote(0, key, voter, "p1", a, b, choice, True, 1.0)


async def through(store: Store, number: int, lane: Lane) -> None:
    attempt = await store.do(writes.start_stage, number, lane, {})
    await store.do(writes.finish_stage, number, lane, attempt, {}, 1.0)


async def evaluated(store: Store) -> tuple[int, int]:
    """An experiment with its evidence in, and its open attempt in the analyze lane."""
    number = await store.do(writes.propose, PROPOSAL)
    for lane in (Lane.TRAIN, Lane.UPLOAD, Lane.EVALUATE):
        await through(store, number, lane)
    return number, await store.do(writes.start_stage, number, Lane.ANALYZE, {})


async def test_an_experiment_goes_through_the_lanes_in_order(store: Store) -> None:
    number = await store.do(writes.propose, PROPOSAL)
    with pytest.raises(writes.Conflict, match="is proposed, so it cannot enter the upload lane"):
        await store.do(writes.start_stage, number, Lane.UPLOAD, {})
    await through(store, number, Lane.TRAIN)
    assert store.read.experiment(number).state is State.TRAINED


async def test_a_stage_is_finished_once(store: Store) -> None:
    number = await store.do(writes.propose, PROPOSAL)
    attempt = await store.do(writes.start_stage, number, Lane.TRAIN, {})
    await store.do(writes.finish_stage, number, Lane.TRAIN, attempt, {"loss": 1}, 1.0)
    with pytest.raises(writes.Conflict, match="is not open"):
        await store.do(writes.finish_stage, number, Lane.TRAIN, attempt, {"loss": 2}, 1.0)
    stage = store.read.done_stage(number, Lane.TRAIN)
    assert stage and stage.result == {"loss": 1}


async def test_an_experiment_has_one_verdict_and_a_keep_reigns_in_the_same_moment(store: Store) -> None:
    number, attempt = await evaluated(store)
    await store.do(writes.conclude, verdict(number), [], False, attempt, 1.0)
    with pytest.raises(writes.Conflict, match="no verdict can fall"):
        await store.do(writes.conclude, verdict(number, Outcome.DISCARD), [], False, attempt, 1.0)
    with pytest.raises(sqlite3.IntegrityError):
        await store.do(lambda db: db.execute("INSERT INTO verdicts SELECT * FROM verdicts"))
    assert [one.outcome for one in store.read.verdicts()] == [Outcome.KEEP]


async def test_a_keep_against_a_champion_that_reigns_no_longer_is_no_keep(store: Store) -> None:
    first, attempt = await evaluated(store)
    await store.do(writes.conclude, verdict(first), [], False, attempt, 1.0)
    await store.do(writes.change_champion, first, "baseline")
    second, attempt = await evaluated(store)
    with pytest.raises(writes.Conflict, match="champion no longer"):
        await store.do(writes.conclude, verdict(second), [], True, attempt, 1.0)
    assert store.read.experiment(second).state is State.EVALUATED


async def test_there_is_one_champion_at_a_time(store: Store) -> None:
    for _ in range(2):
        await store.do(writes.change_champion, await store.do(writes.propose, PROPOSAL), "test")
    with pytest.raises(sqlite3.IntegrityError):
        await store.do(
            lambda db: db.execute(
                "INSERT INTO championships (id, experiment, since, until, reason) VALUES (9, 0, 1.0, NULL, '')"
            )
        )
    champion = store.read.champion()
    assert champion and champion.experiment == 1
    assert [reign.until is None for reign in store.read.championships()] == [False, True]


async def test_a_vote_is_counted_once_by_its_key_and_once_by_voter_and_pair(store: Store) -> None:
    await store.do(writes.propose, PROPOSAL)
    assert await store.do(writes.add_votes, [vote("k1", "ann"), vote("k1", "bob")]) == 1
    assert await store.do(writes.add_votes, [vote("k2", "ann", "exp-0000", "exp-0001", Choice.B)]) == 0
    assert await store.do(writes.add_votes, [vote("k3", "bob", choice=Choice.TIE)]) == 1
    assert store.read.tally(0, "exp-0001", "exp-0000") == Tally(1, 0, 1)
    assert store.read.tally(0, "exp-0000", "exp-0001") == Tally(0, 1, 1)


async def test_a_step_that_was_trained_again_is_one_row(store: Store) -> None:
    await store.do(writes.propose, PROPOSAL)
    for loss in (3.0, 2.0):
        await store.do(writes.add_metrics, [Metric(0, "train", 1, {"loss": loss})])
    assert [dict(metric.values) for metric in store.read.metrics(0)] == [{"loss": 2.0}]


async def test_a_failed_passage_can_be_tried_again_and_a_crash_is_the_end(store: Store) -> None:
    number = await store.do(writes.propose, PROPOSAL)
    attempt = await store.do(writes.start_stage, number, Lane.TRAIN, {})
    await store.do(writes.fail_stage, number, Lane.TRAIN, attempt, FailureKind.OOM, "no memory", 1.0)
    assert await store.do(writes.start_stage, number, Lane.TRAIN, {}) == 2
    await store.do(writes.crash, number, "no memory, twice")
    assert store.read.experiment(number).state is State.CRASHED
    assert [stage.state for stage in store.read.stages(number)] == [StageState.FAILED, StageState.CANCELLED]
    with pytest.raises(writes.Conflict, match="is crashed already"):
        await store.do(writes.crash, number, "again")


async def test_a_write_that_fails_takes_no_other_along(store: Store) -> None:
    def half(db: object) -> None:
        writes.propose(db, PROPOSAL)  # type: ignore[arg-type]
        raise ValueError("half done")

    results: list[object] = await asyncio.gather(
        store.do(writes.propose, PROPOSAL),
        store.do(half),
        store.do(writes.propose, PROPOSAL),
        return_exceptions=True,
    )
    assert [str(result) for result in results] == ["0", "half done", "1"]
    assert store.read.count() == 2


async def test_writes_that_wait_together_are_committed_together(tmp_path: Path) -> None:
    commits: list[int] = []
    with Store(tmp_path, on_commit=commits.append) as store:
        store.submit(lambda db: time.sleep(0.2))
        await asyncio.gather(*(store.do(writes.read_program, "text", str(n), "") for n in range(100)))
    assert len(commits) / 2 <= 3


async def test_a_full_disk_makes_writers_wait_and_loses_nothing(store: Store) -> None:
    pages = await store.do(lambda db: db.execute("PRAGMA page_count").fetchone()[0])
    await store.do(lambda db: db.execute(f"PRAGMA max_page_count = {pages}"))
    waiting = asyncio.create_task(store.do(writes.read_program, "x" * 100_000, "sha", ""))
    await asyncio.sleep(0.8)
    assert not waiting.done()
    assert "the disk is full" in store.trouble and "goes on by itself" in store.trouble
    _make_room(store)
    assert await asyncio.wait_for(waiting, 5) == 1
    await store.do(lambda db: None)
    assert store.trouble == ""
    told = store.read.events()[-1]
    assert told.level is Level.WARNING and "nothing is lost: the disk is full" in told.text


def _make_room(store: Store) -> None:
    """What a person does who deletes files: here, lift the limit on the writer's connection, in its own thread."""
    original = store._commit  # pyright: ignore[reportPrivateUsage]

    def commit(db: object, batch: object) -> object:
        db.conn.execute("PRAGMA max_page_count = 1000000")  # type: ignore[attr-defined]
        return original(db, batch)  # type: ignore[arg-type]

    store._commit = commit  # type: ignore[method-assign, assignment]


def test_on_a_real_disk_that_is_full_writes_wait_for_room_and_none_is_lost(small_disk: SmallDisk) -> None:
    with Store(small_disk.folder / "run") as store:
        store.submit(writes.create_run, "test", "better", 3, 7).result()
        small_disk.fill()
        waiting = [store.submit(writes.read_program, "x" * 3000, str(number), "") for number in range(300)]
        time.sleep(0.8)
        assert not any(one.done() for one in waiting)
        assert store.trouble.startswith("the disk is full (0.0 MB are free in ")
        run = store.read.run()
        assert run and run.name == "test", "what is there can be looked at"
        small_disk.make_room()
        assert [one.result(timeout=5) for one in waiting] == list(range(1, 301))


def test_a_run_on_a_full_disk_is_not_opened_and_says_why(small_disk: SmallDisk) -> None:
    Store(small_disk.folder / "run").close()
    small_disk.fill()
    with pytest.raises(StoreError, match=r"the disk is full \(0.0 MB are free in .*\): make room"):
        Store(small_disk.folder / "run")
    small_disk.make_room()
    Store(small_disk.folder / "run").close()


def test_a_store_that_is_damaged_while_it_is_open_answers_every_write_with_the_reason(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        store.submit(writes.create_run, "test", "better", 3, 7).result()
        for number in range(50):
            store.submit(writes.read_program, "x" * 3000, str(number), "").result()
        with contextlib.closing(sqlite3.connect(tmp_path / DATABASE)) as other:
            other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        with (tmp_path / DATABASE).open("rb+") as file:
            file.seek(4096)
            file.write(bytes(40 * 4096))
        store.submit(lambda db: db.execute("PRAGMA shrink_memory")).result()
        for _ in range(2):
            with pytest.raises(StoreError, match=r"run\.db is damaged .*: put back a copy"):
                store.submit(writes.read_program, "y" * 3000, "y", "").result(timeout=5)


def test_a_store_with_a_damaged_page_is_refused_before_anything_is_built_on_it(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        for number in range(50):
            store.submit(writes.read_program, "x" * 3000, str(number), "").result()
    with (tmp_path / DATABASE).open("rb+") as file:
        file.seek(-8 * 4096, 2)
        file.write(bytes(4096))
    with pytest.raises(StoreError, match=r"the store is damaged .*; put back a copy"):
        Store(tmp_path)
    assert holder(tmp_path) is None


def test_a_run_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "run").touch()
    with pytest.raises(StoreError, match=r"the run folder .*run cannot be written \(File exists\): change its permiss"):
        Store(tmp_path / "run")


def test_a_second_owner_is_refused_at_once_and_told_who_holds_it(store: Store) -> None:
    started = time.monotonic()
    code = f"from pathlib import Path; from checkpoints.store import Store; Store(Path({str(store.folder)!r}))"
    second = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert time.monotonic() - started < 1
    assert "this run is held by process" in second.stderr
    assert (held := holder(store.folder)) and held.startswith("process ")


def test_a_run_that_was_let_go_can_be_taken(tmp_path: Path) -> None:
    Store(tmp_path).close()
    assert holder(tmp_path) is None
    Store(tmp_path).close()


async def test_another_process_may_say_what_a_person_wants(store: Store) -> None:
    before = store.read.version()
    number = intervene_from_outside(store.folder, Step.PAUSE, reason="dinner", detail={"when": "now"})
    assert store.read.version() != before
    pending = store.read.interventions(pending_only=True)
    assert [(one.number, one.step, one.reason, one.detail) for one in pending] == [
        (number, Step.PAUSE, "dinner", {"when": "now"})
    ]
    await store.do(writes.acknowledge, number, "paused")
    assert store.read.interventions(pending_only=True) == []


def test_a_foreign_database_is_refused(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / DATABASE) as other:
        other.execute("CREATE TABLE songs (title)")
    with pytest.raises(StoreError, match="belongs to another program"):
        Store(tmp_path)
    assert holder(tmp_path) is None


def test_a_run_of_a_newer_version_is_refused_with_what_to_do(tmp_path: Path) -> None:
    Store(tmp_path).close()
    with sqlite3.connect(tmp_path / DATABASE) as newer:
        newer.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('autoresearch-tui', 'm999', '')"
        )
    with pytest.raises(StoreError, match="newer autoresearch-tui .* pip install -U"):
        Store(tmp_path)


def test_what_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / DATABASE).write_bytes(b"not a database, certainly not one of ours" * 50)
    with pytest.raises(StoreError, match="damaged"):
        Store(tmp_path)


def test_a_folder_without_a_run_says_so(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="there is no run in"):
        Reader(tmp_path)


async def test_the_store_is_wal_and_fully_synchronous(store: Store) -> None:
    ask = [
        await store.do(lambda db, q=q: db.execute(f"PRAGMA {q}").fetchone()[0]) for q in ("journal_mode", "synchronous")
    ]
    assert ask == ["wal", 2]
    assert await store.do(lambda db: db.execute("PRAGMA application_id").fetchone()[0]) == schema.APPLICATION_ID


async def test_the_run_is_begun_once_and_follows_the_program(store: Store) -> None:
    await store.do(writes.create_run, "other", "best", 9, 8)
    run = store.read.run()
    assert run and (run.name, run.goal, run.experiments, run.seed, run.state) == (
        "other",
        "best",
        9,
        7,
        RunState.RUNNING,
    )


def test_a_run_that_was_let_go_of_is_one_file_that_can_be_copied(tmp_path: Path) -> None:
    with Store(tmp_path / "run") as store:
        store.submit(writes.create_run, "test", "better", 3, 7).result()
        assert store.read.run()
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / DATABASE).write_bytes((tmp_path / "run" / DATABASE).read_bytes())
    run = Reader(tmp_path / "copy").run()
    assert run and run.goal == "better"
    assert not list((tmp_path / "run").glob(f"{DATABASE}-*"))
