"""Copies of a store: one a day while the run goes on and at a clean end, the last three, and what they are for."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import time
from contextlib import closing
from pathlib import Path

import pytest
from runs import Story, write_run
from test_dashboard import WIDE, Recorded, until_shown
from test_session import PROGRAM, folder, sleeping  # noqa: F401

from checkpoints import writes
from checkpoints.copies import FOLDER, KEPT, copies, keep_copy
from checkpoints.ownership import RUN
from checkpoints.reader import DATABASE, Reader
from checkpoints.records import Level, Proposal
from checkpoints.store import Store, StoreError, holder, take
from checkpoints.trouble import Garbled
from lanes.arena.ledger import Ledger
from lanes.arena.schema import LEDGER
from lanes.arena_desk import ARENA
from tui import watch
from tui.app import Dashboard
from tui.main import main
from tui.snapshot import Snapshot, look

DAY = 86400.0


def spoil(run: Path) -> None:
    """Overwrite the pages behind the first two with noise."""
    path = run / DATABASE
    with path.open("r+b") as file:
        file.seek(3 * 4096)
        file.write(b"\xa5" * (path.stat().st_size - 5 * 4096))


def page_of(run: Path, table: str) -> int:
    """Place of the first page of a table in the file, from 0."""
    with closing(sqlite3.connect(run / DATABASE)) as store:
        return store.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchone()[0] - 1


def experiments(database: Path) -> int:
    with closing(sqlite3.connect(database)) as store:
        return store.execute("SELECT count(*) FROM experiments").fetchone()[0]


def test_a_copy_is_one_whole_file_of_one_moment_while_others_write(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        story = Story()
        store.submit(story.begin, 20).result()
        writes = [store.submit(story.finished, number) for number in range(9)]
        writes[0].result()
        copy = keep_copy(tmp_path, time.time())
        [write.result() for write in writes]
    assert [path.name for path in copy.parent.iterdir()] == [copy.name]
    assert 1 <= experiments(copy) <= 9
    with closing(sqlite3.connect(copy)) as store:
        assert store.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_the_last_days_are_kept_and_a_day_has_one(tmp_path: Path) -> None:
    write_run(tmp_path, 1)
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / ".run-1970-01-01.db.77.tmp").touch()
    (tmp_path / FOLDER / "mine.db").touch()
    for day in (1, 2, 2, 3, 4, 5):
        keep_copy(tmp_path, day * DAY)
    assert [path.name for path in copies(tmp_path)] == ["run-1970-01-06.db", "run-1970-01-05.db", "run-1970-01-04.db"]
    assert len(list((tmp_path / FOLDER).iterdir())) == KEPT + 1, "what is not ours stays, what a kill left goes"


def test_a_damaged_store_is_not_copied_over_a_good_copy(tmp_path: Path) -> None:
    write_run(tmp_path, 3)
    good = keep_copy(tmp_path, DAY).read_bytes()
    spoil(tmp_path)
    with pytest.raises(sqlite3.DatabaseError):
        keep_copy(tmp_path, DAY)
    assert [path.read_bytes() for path in (tmp_path / FOLDER).iterdir()] == [good]


def test_a_damaged_store_says_at_its_start_which_copy_there_is_and_what_would_be_lost(tmp_path: Path) -> None:
    run = tmp_path / RUN
    write_run(run, 3, live=False)
    copy = keep_copy(run, DAY)
    with Store(run) as store:
        votes = len(store.read.votes())
        store.submit(writes.propose, Proposal("one more", "data", None, "person")).result()
    os.utime(copy, (DAY, DAY))
    with (run / DATABASE).open("r+b") as file:  # a page of another table: what is lost can still be counted
        file.seek(page_of(run, "answers") * 4096)
        file.write(b"\xa5" * 4096)
    with pytest.raises(StoreError, match="is damaged") as told:
        take(run)
    assert holder(run) is None
    words = str(told.value)
    assert f"the last good copy, of 1970-01-02 00:00 UTC, has 4 experiments and {votes} votes" in words
    assert "1 experiment and 0 votes less" in words
    subprocess.run(words.rpartition("put it back with: ")[2], shell=True, check=True)
    with Store(run) as store:
        assert store.read.count() == 4


def test_a_damaged_copy_is_passed_over_and_none_is_said_to_be_none(tmp_path: Path) -> None:
    write_run(tmp_path, 3)
    older, newer = keep_copy(tmp_path, DAY), keep_copy(tmp_path, 2 * DAY)
    os.truncate(newer, newer.stat().st_size // 2)
    spoil(tmp_path)
    with pytest.raises(StoreError, match=older.name):
        take(tmp_path)
    older.unlink()
    with pytest.raises(StoreError, match="there is no copy of it"):
        take(tmp_path)


def test_who_only_looks_at_a_damaged_store_is_told_which_copy_there_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / RUN
    write_run(run, 3, live=False)
    keep_copy(run, DAY)
    spoil(run)
    for command in (["status"], ["results"], ["results", "--json"]):
        assert main([*command, str(tmp_path)]) == 1
        said = capsys.readouterr().err
        assert said.count("\n") == 1 and "is damaged" in said and "run-1970-01-02.db" in said, command


@pytest.mark.slow
async def test_a_damaged_store_is_said_on_the_screen_with_its_last_good_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_run(tmp_path, 3)
    keep_copy(tmp_path, DAY)
    damaged = False

    def looking(*arguments: object) -> Snapshot:
        if damaged:
            raise Garbled("it holds JSON that is none")
        return look(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(watch, "look", looking)
    app = Dashboard(tmp_path, Recorded())
    async with app.run_test(size=WIDE, notifications=True) as pilot:
        await until_shown(pilot, "champion #")
        damaged = True
        with Store(tmp_path) as store:
            store.submit(writes.event, Level.INFO, "run", "news").result()
        await until_shown(pilot, "the store is damaged: put back copies/run-1970-01-02.db; autoresearch-tui doctor")


async def test_a_session_leaves_copies_of_its_store_and_its_ledger_at_its_clean_end(folder: Path) -> None:  # noqa: F811
    session = sleeping(folder)
    with Ledger(folder / RUN / ARENA) as ledger:
        ledger.invite(["ann"])
    await session.run()
    await session.close(False)
    [copy], [of_the_ledger] = copies(folder / RUN), copies(folder / RUN, LEDGER)
    assert experiments(copy) == experiments(folder / RUN / DATABASE) == 4
    assert of_the_ledger.stat().st_mode & 0o077 == 0, "nobody else may read who was invited"
    with closing(sqlite3.connect(of_the_ledger)) as found:
        assert found.execute("SELECT name FROM voters").fetchall() == [("ann",)]


async def test_a_copy_without_room_is_an_event_and_not_the_end(
    folder: Path,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("runner.copying.MIN_FREE_BYTES", 1 << 60)
    session = sleeping(folder)
    await session.run()
    await session.close(False)
    with closing(Reader(folder / RUN)) as read:
        said = [event for event in read.events() if "no copy of the store was made: no room" in event.text]
    assert [event.level for event in said] == [Level.WARNING]
    assert not copies(folder / RUN)
