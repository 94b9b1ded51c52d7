"""The doctor's look at a run: laws, database, folders, processes; what it repairs without loss, and what it says."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from runs import write_run
from sqlite_utils import Database

from checkpoints import artifacts, writes
from checkpoints.copies import FOLDER, keep_copy
from checkpoints.ownership import RUN, Held
from checkpoints.reader import DATABASE, Reader
from checkpoints.records import Lane, Proposal
from checkpoints.store import Store
from checkpoints.visitor import reading
from lanes.worker import MARK
from runner.checkup.findings import check_up
from runner.checkup.law import Law
from runner.checkup.laws import broken
from runner.checkup.repair import repair
from runner.findings import Finding, healthy
from runner.init import init
from tui.main import main


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("written") / RUN
    write_run(run, 12)
    with closing(sqlite3.connect(run / DATABASE, isolation_level=None)) as store:
        store.execute("""UPDATE stages SET "order" = '{"train": {"logging_steps": 1}}', result = '{"steps": 40}'
            WHERE lane = 'train' AND state = 'done'""")
    return run


@pytest.fixture
def run(written: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(written, tmp_path / RUN))


def found(run: Path, name: str, status: str) -> list[Finding]:
    return [each for each in check_up(run) if (each.name, each.status) == (name, status)]


def spoil(run: Path, *statements: str) -> None:
    """Write what no write of ours would, as if the constraints were not there."""
    with closing(sqlite3.connect(run / DATABASE, isolation_level=None)) as store:
        for index in ("one_champion", "one_done_passage", "one_open_passage", "one_vote_a_pair"):
            store.execute(f"DROP INDEX {index}")
        for statement in statements:
            store.execute(statement)


def model(folder: Path, text: str = "weights") -> Path:
    """A whole model folder."""
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_text(text)
    artifacts.seal(folder)
    return folder


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """A run whose baseline is published."""
    run = tmp_path / RUN
    with Store(run) as store:
        trained, place = model(run / "artifacts" / "exp-0000"), model(run / "published" / "exp-0000")

        def upload(db: Database) -> None:
            writes.create_run(db, "demo", "better", 1, 1)
            writes.propose(db, Proposal("as it is", "baseline", None, "program"))
            writes.start_stage(db, 0, Lane.TRAIN, {})
            writes.finish_stage(db, 0, Lane.TRAIN, 1, {"artifact": str(trained)}, 1.0, "trained")
            writes.start_stage(db, 0, Lane.UPLOAD, {})
            writes.finish_stage(db, 0, Lane.UPLOAD, 1, {"url": f"file://{place}"}, 1.0)

        store.submit(upload).result()
    return run


def test_a_run_as_it_was_written_is_whole(run: Path) -> None:
    keep_copy(run, time.time())
    findings = check_up(run)
    assert {each.status for each in findings} == {"ok"}, findings
    assert {"store", "copies", "laws", "owner", "models", "leftovers", "room"} <= {each.name for each in findings}
    assert list(repair(run)) == ["nothing to repair"]


@pytest.mark.parametrize(
    ("statement", "law", "words"),
    [
        ("DELETE FROM verdicts WHERE experiment = 2", Law.LOST, "experiment 2 is discarded and has 0 verdicts"),
        ("DELETE FROM events WHERE kind = 'verdict' AND experiment = 2", Law.JUDGED, "0 verdicts fell"),
        ("UPDATE experiments SET state = 'trained' WHERE number = 2", Law.JUDGED, "2 is trained and has 1 verdicts"),
        ("UPDATE experiments SET ended_at = NULL WHERE number = 2", Law.HANGS, "its end says otherwise"),
        ("UPDATE experiments SET number = 99 WHERE number = 14", Law.LOST, "numbers are missing"),
        ("DELETE FROM stages WHERE experiment = 2 AND lane = 'upload'", Law.LOST, "2 left no result in upload"),
        ("UPDATE stages SET state = 'started' WHERE experiment = 2 AND lane = 'upload'", Law.HANGS, "is still open"),
        ("UPDATE stages SET state = 'failed' WHERE experiment = 14", Law.HANGS, "nothing of it is open in train"),
        (
            'INSERT INTO stages SELECT experiment, lane, 2, state, "order", result, failure, error, started_at + 1,'
            " finished_at + 1, seconds FROM stages WHERE experiment = 2 AND lane = 'train'",
            Law.AGAIN,
            "experiment 2 was trained again",
        ),
        (
            "UPDATE stages SET result = '{\"steps\": 7}' WHERE experiment = 2 AND lane = 'train'",
            Law.AGAIN,
            "took 7 steps, and its metrics go to 40",
        ),
        (
            "INSERT INTO votes SELECT NULL, 'again', experiment, voter, prompt, model_b, model_a, choice, simulated,"
            " at, test FROM votes WHERE seq = 1",
            Law.VOTES,
            "voter-000 has 2 votes on prompt-000 in experiment 0",
        ),
        ("DELETE FROM votes WHERE seq = 5", Law.VOTES, "votes counted of"),
        (
            "UPDATE tallies SET n = n + iif(choice = 'a', 1, -1) WHERE experiment = 2 AND choice IN ('a', 'b')",
            Law.VOTES,
            "in experiment 2",
        ),
        (
            "DELETE FROM metrics WHERE experiment = 2 AND step IN (7, 8)",
            Law.LOST,
            "step 7 and 1 more of experiment 2 is not in the metrics",
        ),
        ("UPDATE championships SET until = NULL", Law.CHAMPION, "not exactly one champion"),
        ("UPDATE championships SET until = since WHERE until IS NULL", Law.CHAMPION, "not exactly one champion"),
        ("UPDATE championships SET experiment = 2 WHERE until IS NULL", Law.CHAMPION, "2 reigned, but nobody kept it"),
        (
            "UPDATE experiments SET state = 'vetoed' WHERE number IN (SELECT experiment FROM championships)",
            Law.CHAMPION,
            "reigns, but was given up",
        ),
        ("UPDATE experiments SET parent = 2 WHERE number = 3", Law.CHAMPION, "3 is built on 2, which never reigned"),
        (
            "UPDATE experiments SET state = 'vetoed' WHERE number = (SELECT parent FROM experiments WHERE number = 14)",
            Law.CHAMPION,
            "experiment 14 goes on, built on",
        ),
        ("UPDATE stages SET state = 'started' WHERE lane = 'upload'", Law.SLOTS, "are in the upload lane at once"),
    ],
)
def test_each_breach_of_a_law_is_found_and_named(run: Path, statement: str, law: Law, words: str) -> None:
    spoil(run, "PRAGMA foreign_keys = OFF", statement)
    with reading(run) as read:
        breaches = broken(read)
    assert [what for broken_law, what in breaches if broken_law is law and words in what], breaches
    assert not healthy(check_up(run))


def test_the_laws_hold_at_every_moment_of_a_run_that_goes_on(tmp_path: Path) -> None:
    loop = subprocess.Popen([sys.executable, Path(__file__).parent / "loop_process.py", tmp_path, "5"])
    looks = 0
    while loop.poll() is None:
        if (tmp_path / "train-0-1.done").exists():
            with closing(Reader(tmp_path)) as read:
                assert broken(read) == []
            looks += 1
    assert loop.returncode == 0 and looks > 10


def test_a_lost_reign_is_put_back_where_it_is_certain_and_a_copy_was_made_first(run: Path) -> None:
    with closing(Reader(run)) as read:
        before = read.champion()
    assert before
    with closing(sqlite3.connect(run / DATABASE, isolation_level=None)) as store:
        store.execute("DELETE FROM championships WHERE until IS NULL")
    said = list(repair(run))
    assert said[0].startswith(f"copied the store to {run / FOLDER}/before-repair-")
    assert any(line.startswith(f"exp-{before.experiment:04d} is champion again: it beat") for line in said)
    with closing(Reader(run)) as read:
        assert read.champion() is not None and broken(read) == []
        assert f"doctor: {said[-1]}" in [event.text for event in read.events()]
    [copy] = (run / FOLDER).iterdir()
    with closing(sqlite3.connect(copy)) as store:
        assert store.execute("SELECT count(*) FROM championships WHERE until IS NULL").fetchone() == (0,)


def test_who_reigns_is_left_open_where_it_is_not_certain(run: Path) -> None:
    with closing(sqlite3.connect(run / DATABASE, isolation_level=None)) as store:
        store.execute("DELETE FROM championships WHERE id > 1")
    list(repair(run))
    with closing(Reader(run)) as read:
        assert read.champion() is None
    assert [each.what for each in found(run, "laws", "missing") if "not exactly one champion" in each.what]


def test_an_index_that_lacks_a_row_is_found_and_built_anew(run: Path) -> None:
    name = "votes_of_a_voter"
    with closing(sqlite3.connect(run / DATABASE, isolation_level=None)) as store:
        row = store.execute("SELECT * FROM sqlite_master WHERE name = ?", (name,)).fetchone()
        store.execute("PRAGMA writable_schema = ON")
        store.execute("DELETE FROM sqlite_master WHERE name = ?", (name,))
        store.execute("PRAGMA writable_schema = RESET")
        store.execute("UPDATE votes SET voter = 'somebody' WHERE seq = 1")
        store.execute("PRAGMA writable_schema = ON")
        store.execute("INSERT INTO sqlite_master VALUES (?, ?, ?, ?, ?)", row)
    [finding] = found(run, "store", "missing")
    assert name in finding.what and "doctor --repair" in finding.remedy
    assert f"built the indexes of {run / DATABASE} anew" in list(repair(run))
    assert found(run, "store", "ok")


def test_pages_that_cannot_be_repaired_are_said_with_the_last_good_copy(run: Path) -> None:
    copy = keep_copy(run, time.time())
    with (run / DATABASE).open("r+b") as file:
        file.seek(5 * 4096)
        file.write(b"\xa5" * 4096 * 8)
    before = (run / DATABASE).read_bytes()
    [finding] = found(run, "store", "missing")[:1]
    assert str(copy) in finding.remedy and "put it back with:" in finding.remedy
    assert any(line.startswith("not repaired: ") and str(copy) in line for line in repair(run))
    assert (run / DATABASE).read_bytes() == before


def test_rows_of_an_experiment_that_is_gone_are_damage_and_no_trace(run: Path) -> None:
    with closing(sqlite3.connect(run / DATABASE, isolation_level=None)) as store:
        store.execute("DELETE FROM experiments WHERE number = 4")
    [finding] = found(run, "store", "missing")
    assert "is of a row of experiments that is gone" in finding.what and "there is no copy of it" in finding.remedy
    assert [line.partition(":")[0] for line in repair(run)] == ["not repaired"]


def test_what_belongs_to_nothing_is_moved_aside_and_what_a_living_process_makes_stays(run: Path) -> None:
    gone = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True)
    half = run / "published" / f".exp-0003.{gone.stdout.strip()}.tmp"
    under_way = run / "published" / f".exp-0004.{os.getpid()}.tmp"
    strange, nobodys = run / "notes.txt", run / "artifacts" / "exp-0099"
    for folder in (half, under_way, nobodys):
        folder.mkdir(parents=True)
        (folder / "part").write_text("half")
    strange.write_text("mine")
    for standard in ("work/standby-0001", "work/exp-0002-train-1", "arena", "exports"):
        (run / standard).mkdir(parents=True)
    assert len(found(run, "leftovers", "warn")) == 3
    assert len(list(repair(run))) == 4
    assert under_way.exists() and not half.exists() and not strange.exists() and not nobodys.exists()
    [moved] = (run / "aside").iterdir()
    assert (moved / "notes.txt").read_text() == "mine"
    assert (moved / half.relative_to(run) / "part").read_text() == "half"
    assert found(run, "leftovers", "ok")


def test_a_damaged_model_is_published_again_from_what_was_trained(published: Path) -> None:
    assert found(published, "models", "ok") and not found(published, "models", "missing")
    place = published / "published" / "exp-0000"
    (place / "model.safetensors").write_text("WEIGHTS")
    [finding] = found(published, "models", "missing")
    assert "another SHA-256 sum" in finding.what and "publishes it again" in finding.remedy
    assert any("published it again" in line for line in repair(published))
    assert (place / "model.safetensors").read_text() == "weights"
    assert [path.read_text() for path in (published / "aside").rglob("*.safetensors")] == ["WEIGHTS"]


def test_a_damaged_model_that_nothing_can_replace_is_said(published: Path) -> None:
    for place in ("artifacts", "published"):
        (published / place / "exp-0000" / "model.safetensors").unlink()
    [finding] = found(published, "models", "missing")
    assert "model.safetensors is missing" in finding.what and "from a backup" in finding.remedy
    assert list(repair(published)) == ["nothing to repair"]


@pytest.fixture
def worker(run: Path) -> Iterator[Callable[[str], subprocess.Popen[bytes]]]:
    started: list[subprocess.Popen[bytes]] = []

    def start(folder: str) -> subprocess.Popen[bytes]:
        environment = os.environ | {MARK: str(run / "work" / folder)}
        started.append(subprocess.Popen(["sleep", "60"], env=environment))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def test_a_worker_that_outlives_the_run_is_named_with_how_to_end_it(
    run: Path, worker: Callable[[str], subprocess.Popen[bytes]]
) -> None:
    process = worker("server")
    [finding] = found(run, "worker", "missing")
    assert "work/server outlives the run" in finding.what and finding.remedy.endswith(f"kill {process.pid}")
    with Store(run):
        assert not found(run, "worker", "missing")
        assert "with 1 workers" in found(run, "owner", "ok")[0].what


def test_a_repair_is_refused_while_a_process_has_the_run(run: Path) -> None:
    with Store(run), pytest.raises(Held, match=f"held by process {os.getpid()}"):
        list(repair(run))
    assert not (run / FOLDER).exists()


def test_the_doctor_says_what_it_found_of_the_run_and_its_exit_status_tells(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = run.parent
    init("demo", folder)
    assert main(["doctor", str(folder)]) == 0
    assert f"the run in {run}:" in capsys.readouterr().out
    with closing(sqlite3.connect(run / DATABASE, isolation_level=None)) as store:
        store.execute("DELETE FROM championships WHERE until IS NULL")
    assert main(["doctor", str(run)]) == 1
    sick = capsys.readouterr().out
    assert "×   laws" in sick and "program.md is valid" in sick
    assert main(["doctor", "--repair", str(folder)]) == 0
    assert "is champion again" in capsys.readouterr().out


def test_a_folder_without_a_run_has_none_to_repair_and_a_held_one_is_left_alone(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    assert main(["doctor", "--repair", str(tmp_path / "empty")]) == 1
    assert "there is no run in" in capsys.readouterr().err
    with Store(run):
        assert main(["doctor", "--repair", str(run)]) == 3
    assert f"this run is held by process {os.getpid()}" in capsys.readouterr().err
