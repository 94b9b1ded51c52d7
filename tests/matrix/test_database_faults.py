"""What can be wrong with a run's database, and what a person sees of it.

Elsewhere: a foreign one, an older and a newer one, no database at all and half of one, for every command
(``test_unreadable_run``, ``test_session``, ``test_store``); a full disk (``test_store``); a folder that may not be
written (``test_bad_input``); the copies that are kept, and what a start says of them where they are.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from random import Random

import pytest
from laws import broken_laws
from loop_process import SECONDS
from runs import write_run
from sleeping import drive
from test_command_line import ask, one_line

from checkpoints import schema, trouble, writes
from checkpoints.reader import DATABASE, Reader
from checkpoints.records import Level
from checkpoints.store import Store, StoreError, holder
from checkpoints.visitor import reading
from runner.checkup.findings import check_up

PAGE = 4096


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("written")
    write_run(folder / "run", 6)
    return folder


@pytest.fixture
def run(written: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(written, tmp_path / "study")) / "run"


def trained(run: Path) -> None:
    """What a training leaves beside the database."""
    (run / "artifacts" / "exp-0000").mkdir(parents=True)


def refusal(run: Path) -> str:
    with pytest.raises(StoreError) as refused:
        Store(run)
    assert holder(run) is None, "the next one can have it"
    assert len(str(refused.value).splitlines()) == 1
    return str(refused.value)


# Empty, cut off, flipped.


@pytest.mark.parametrize("gone", [lambda path: os.truncate(path, 0), Path.unlink])
def test_no_new_run_is_begun_on_what_is_left_of_another(run: Path, gone: Callable[[Path], None]) -> None:
    trained(run)
    gone(run / DATABASE)
    said = "the store is empty, but a run was here (it left artifacts); put back a copy, or start in another folder"
    assert f"{DATABASE}: {said}" in refusal(run)
    assert not (run / DATABASE).exists() or (run / DATABASE).stat().st_size == 0


def test_every_command_says_that_a_run_was_emptied(run: Path) -> None:
    trained(run)
    os.truncate(run / DATABASE, 0)
    for command in ("status", "results"):
        assert "the store is empty, but a run was here (it left artifacts)" in one_line(ask(command, run.parent))


def test_the_log_of_a_database_that_was_emptied_stays_for_whoever_can_use_it(run: Path) -> None:
    log = run / f"{DATABASE}-wal"
    log.write_bytes(b"all that was committed since the last checkpoint")
    os.truncate(run / DATABASE, 0)
    assert f"it left {log.name}" in refusal(run)
    assert log.stat().st_size


def test_a_beginning_that_was_killed_is_begun_again(tmp_path: Path) -> None:
    (tmp_path / DATABASE).touch()
    (tmp_path / "headless.log").touch()
    with Store(tmp_path) as store:
        assert store.read.count() == 0


@pytest.mark.parametrize("size", [PAGE, 5 * PAGE, 5 * PAGE + 1234, 100, -PAGE, -1])
def test_a_database_that_was_cut_off_is_refused(run: Path, size: int) -> None:
    path = run / DATABASE
    os.truncate(path, size if size > 0 else path.stat().st_size + size)
    assert " damaged (" in refusal(run)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_a_byte_that_flips_in_any_page_is_noticed_or_harmless(written: Path, tmp_path: Path, seed: int) -> None:
    draw, whole = Random(seed), (written / "run" / DATABASE).read_bytes()
    before = decided(written / "run")
    unsaid: list[str] = []
    for page in range(len(whole) // PAGE):
        place = page * PAGE + draw.randrange(PAGE)
        run = tmp_path / f"page-{page}"
        run.mkdir()
        spoilt = bytearray(whole)
        spoilt[place] ^= draw.randrange(1, 256)
        (run / DATABASE).write_bytes(spoilt)
        if not noticed(run) and decided(run) != before:
            unsaid.append(f"byte {place}")
    assert unsaid == []


@pytest.mark.xfail(strict=True, raises=AssertionError, reason="SQLite keeps no sums of its pages")
def test_a_byte_that_flips_in_a_text_that_decides_nothing_is_noticed(run: Path) -> None:
    with closing(Reader(run)) as read:
        text = read.events()[-1].text.encode()
    path, before = run / DATABASE, check_up(run)[:-1]  # but for the room on the disk
    path.write_bytes(path.read_bytes().replace(text, text[:-1] + bytes([text[-1] ^ 1])))
    with closing(Reader(run)) as read:
        if read.events()[-1].text.encode() == text:
            raise LookupError("nothing was flipped")
    assert noticed(run) or check_up(run)[:-1] != before


def noticed(run: Path) -> bool:
    """Whether a start refuses the run, or whoever reads all of it is told in one line."""
    try:
        Store(run).close()
        with reading(run) as read:
            for number in range(read.count()):
                read.stages(number), read.metrics(number), read.answers(number)
            read.events(), read.interventions(), read.hypotheses(), read.standings(), read.votes(), decided(run)
    except StoreError as error:
        assert "is damaged (" in str(error) and len(str(error).splitlines()) == 1
        return True
    with closing(sqlite3.connect(run / DATABASE)) as connection:
        try:
            return connection.execute("PRAGMA integrity_check(1)").fetchone()[0] != "ok"
        except sqlite3.DatabaseError:
            return True


def decided(run: Path) -> object:
    """Who was judged how, on which votes, and who reigns."""
    with closing(Reader(run)) as read:
        ends = [(one.number, one.state) for one in read.experiments()]
        return ends, read.verdicts(), read.championships(), read.pair_counts()


def test_text_that_is_none_is_damage_in_one_line(run: Path) -> None:
    with closing(sqlite3.connect(run / DATABASE)) as store, store:
        store.execute("UPDATE events SET text = CAST(x'66ff66' AS TEXT) WHERE seq = 1")
    with pytest.raises(StoreError, match=r"run\.db is damaged \(Could not decode to UTF-8 .*: put back a copy"):
        with reading(run) as read:
            read.events()


def test_a_column_that_has_lost_its_name_is_damage(run: Path) -> None:
    path = run / DATABASE
    path.write_bytes(path.read_bytes().replace(b"pinned INTEGER", b"pinnee INTEGER"))
    assert "the store is damaged (its table championships has no pinned)" in refusal(run)


def test_json_that_is_none_is_damage_in_one_line(run: Path) -> None:
    with closing(sqlite3.connect(run / DATABASE)) as store, store:
        store.execute("UPDATE experiments SET recipe = '{\"method\"' WHERE number = 1")
    told = ask("report", run.parent)
    assert told.returncode == 1
    assert "run.db is damaged (it holds JSON that is none: " in one_line(told)


def test_what_sqlite_says_of_damage_in_words_that_are_no_text_is_one_line(run: Path) -> None:
    path = run / DATABASE
    spoilt = path.read_bytes().replace(b"ON votes(", b"ON \x88otes(")
    path.write_bytes(spoilt)
    assert "the store is damaged (it holds text that is not UTF-8)" in refusal(run)


# Somebody else's lock.

HOLD = """
import sqlite3, sys, time
store = sqlite3.connect(sys.argv[1], isolation_level=None)
store.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
time.sleep(float(sys.argv[2]))
store.execute("ROLLBACK")
"""


@contextmanager
def held(run: Path, seconds: float) -> Iterator[None]:
    """Another process keeps the database locked for so long."""
    command = [sys.executable, "-c", HOLD, str(run / DATABASE), str(seconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as other:
        assert other.stdout and other.stdout.readline() == b"held\n"
        yield
        other.kill()


async def longest_stall(until: asyncio.Task[None]) -> float:
    """Seconds that the event loop was away for at most, while a task went on."""
    longest, last = 0.0, time.monotonic()
    while not until.done():
        await asyncio.sleep(0.01)
        longest, last = max(longest, time.monotonic() - last - 0.01), time.monotonic()
    return longest


async def test_a_database_that_another_process_keeps_locked_holds_up_no_event_loop_and_loses_nothing(
    tmp_path: Path,
) -> None:
    with Store(tmp_path) as store:
        going = asyncio.create_task(drive(store, 3, SECONDS))
        while store.read.count() < 2:
            await asyncio.sleep(0.01)
        with held(tmp_path, 1.0):
            stall = await longest_stall(going)
        going.result()
        assert stall < 0.5, "of the second"
        assert broken_laws(store.read, 3) == []


@pytest.mark.slow
async def test_a_lock_that_is_kept_for_long_is_said_and_the_run_goes_on_by_itself(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        await store.do(writes.create_run, "test", "better", 3, 7)
        with held(tmp_path, 8):
            waiting = asyncio.gather(*(store.do(writes.read_program, "text", str(n), "") for n in range(50)))
            while not store.trouble:
                await asyncio.sleep(0.05)
            assert store.trouble == (
                f"another process keeps {tmp_path / DATABASE} locked: end it; the run waits and goes on by itself"
            )
            assert await waiting == list(range(1, 51))
        await store.do(lambda _: None)
        told = store.read.events()[-1]
        assert told.level is Level.WARNING and told.text.startswith("waited ") and "nothing is lost: " in told.text
        assert store.trouble == ""


# Ours, foreign, of another time.


def another_application(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA application_id = 0x0f055111")
        other.execute("CREATE TABLE layers (id INTEGER)")


def without_an_application(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE songs (title TEXT)")


def a_text(path: Path) -> None:
    path.write_text("Dear diary, today the loss went down.\n" * 300)


@pytest.mark.parametrize("spoil", [another_application, without_an_application, a_text])
def test_a_file_that_is_not_ours_is_refused_and_left_as_it_is(run: Path, spoil: Callable[[Path], None]) -> None:
    spoil(run / DATABASE)
    before = (run / DATABASE).read_bytes()
    told = refusal(run)
    assert "this database belongs to another program" in told or "is damaged (file is not a database)" in told
    assert (run / DATABASE).read_bytes() == before


@pytest.mark.parametrize("released", range(1, len(schema.NAMES)))
def test_a_store_of_every_version_before_is_brought_to_this_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, released: int
) -> None:
    with monkeypatch.context() as earlier, closing(sqlite3.connect(tmp_path / DATABASE, isolation_level=None)) as old:
        earlier.setattr(schema, "STEPS", dict(tuple(schema.STEPS.items())[:released]))
        db = schema.database(old)
        schema.migrate(db)
        db.table("run").insert(
            {"id": 1, "name": "old", "goal": "better", "state": "paused", "reason": "", "experiments": 9,
             "created_at": 1.0, "seed": 7}
        )  # fmt: skip
        for number in range(2):
            db.table("experiments").insert(
                {"number": number, "state": "kept", "hypothesis": "it helps", "category": "data",
                 "proposer": "person", "proposed_at": 2.0}
            )  # fmt: skip
        for key in ("a", "b"):
            db.table("votes").insert(
                {"key": key, "experiment": 1, "voter": key, "prompt": "p", "model_a": "exp-0001", "model_b": "exp-0000",
                 "choice": "a", "simulated": 0, "at": 3.0}
            )  # fmt: skip
    with Store(tmp_path) as store:
        assert schema.lacking(store.submit(lambda db: db.conn).result()) == []
        run = store.read.run()
        assert run and (run.name, run.experiments) == ("old", 9)
        assert [one.number for one in store.read.experiments()] == [0, 1]
        assert store.read.tally(1, "exp-0001", "exp-0000").wins == 2
        store.submit(writes.event, Level.INFO, "run", "it can be written").result()


def test_damage_says_what_to_do_at_no_length(run: Path) -> None:
    told = trouble.why(run / DATABASE, sqlite3.OperationalError("Could not decode to UTF-8 \x1b[31m" + "x" * 10_000))
    assert len(told) < 400 and "\x1b" not in told
