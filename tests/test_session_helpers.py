"""What works beside the lanes: it survives what passes, and where it cannot go on the run does not."""

from __future__ import annotations

import asyncio
import errno
import sqlite3
from pathlib import Path

import pytest
from scripted import Scripted, order
from test_session import PROGRAM, folder, running, sleeping, training, until

from checkpoints import writes
from checkpoints.records import Intervention, Level, Step
from checkpoints.store import StoreError
from lanes.order import ORDER
from lanes.worker import Worker
from runner import session as sessions
from runner.session import Session

assert folder  # the fixture


def failing_once(session: Session, monkeypatch: pytest.MonkeyPatch, kind: sqlite3.Error, code: int) -> None:
    """The next look for a person's steps fails."""
    look = session.store.read.interventions
    kind.sqlite_errorcode = code
    left = [kind]

    def fail(pending_only: bool = False) -> list[Intervention]:
        if left:
            raise left.pop()
        return look(pending_only)

    monkeypatch.setattr(session.store.read, "interventions", fail)


async def test_a_store_that_is_busy_for_a_moment_does_not_end_the_steering(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = sleeping(folder, training=0.2)
    async with running(session) as store:
        await until(training(store, 1))
        failing_once(session, monkeypatch, sqlite3.OperationalError("database is locked"), sqlite3.SQLITE_BUSY)
        await store.do(writes.intervene, Step.STOP, None, "", {"how": "drain"})
    assert "then the run stops" in session.store.read.interventions()[-1].effect
    await session.close(keep_workers=False)


async def test_a_store_that_is_damaged_under_the_steering_ends_the_run_with_its_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = sleeping(folder, training=0.2)
    going = asyncio.create_task(session.run())
    await until(training(session.store, 1))
    failing_once(session, monkeypatch, sqlite3.DatabaseError("malformed"), sqlite3.SQLITE_CORRUPT)
    with pytest.raises(StoreError, match="is damaged"):
        await asyncio.wait_for(going, 5)
    await session.close(keep_workers=False)


@pytest.mark.slow
async def test_an_edit_is_seen_where_the_system_can_watch_no_more_folders(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def exhausted(_: object) -> None:
        raise OSError(errno.ENOSPC, "inotify watch limit reached")

    monkeypatch.setattr(sessions.Observer, "start", exhausted)
    monkeypatch.setattr(sessions, "LOOK_SECONDS", 0.05)
    session = sleeping(folder, training=0.5)
    async with running(session) as store:
        await until(training(store, 0))
        (folder / "program.md").write_text(PROGRAM.replace("ments: 3", "ments: 1"))
        await until(lambda: (found := store.read.program()) and found.revision == 2)
    warnings = [event.text for event in session.store.read.events() if event.level is Level.WARNING]
    assert any("cannot watch program.md (inotify watch limit reached)" in text for text in warnings)
    await session.close(keep_workers=False)


async def test_a_trainer_whose_passage_was_cancelled_before_a_kill_ends_with_the_next_start(folder: Path) -> None:
    session = sleeping(folder, training=0.5)
    left = Worker(session.store.folder / "work" / "exp-0001-train-1")
    left.folder.mkdir(parents=True)
    await left.put(ORDER, order(left.folder, steps=1000))
    await left.start("a trainer", Scripted(), session.store.owner.path)
    async with running(session) as store:
        await until(training(store, 0))
        assert not left.alive
        await store.do(writes.intervene, Step.STOP, None, "", {"how": "now"})
    await session.close(keep_workers=False)
