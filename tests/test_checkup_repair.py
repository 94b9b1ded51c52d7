"""What the doctor ends, counts anew and cannot look at; after a repair a second look finds nothing to mend."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from test_checkup import found, published, run, spoil, worker, written

from checkpoints import artifacts
from checkpoints.reader import DATABASE, Reader
from checkpoints.store import Store
from lanes.order import WORKER
from runner.checkup.laws import broken
from runner.checkup.repair import repair
from runner.findings import Finding, render
from runner.init import init
from tui.main import main

__all__ = ["published", "run", "worker", "written"]

Starts = Callable[[str], subprocess.Popen[bytes]]


def test_a_worker_that_outlives_the_run_is_named_then_ended_and_the_one_that_trains_goes_on(
    run: Path, worker: Starts
) -> None:
    server, trainer = worker("server"), worker("exp-0014-train-1")
    half = run / "published" / f".exp-0003.{server.pid}.tmp"
    half.mkdir(parents=True)
    with closing(sqlite3.connect(run / DATABASE, isolation_level=None)) as store:
        order = '{"folder": "' + str(run / "work" / "exp-0014-train-1") + '"}'
        store.execute("""UPDATE stages SET "order" = ? WHERE state = 'started' AND lane = 'train'""", [order])
    said = list(repair(run))
    named, ended = (
        next(place for place, line in enumerate(said) if word in line) for word in ("is ended:", "ended the")
    )
    assert said[0].startswith("copied the store") and 0 < named < ended
    assert str(server.pid) in said[named] and str(run / "work" / "server") in said[ended]
    assert server.wait(5) and trainer.poll() is None
    assert not half.exists(), "what it was making is moved aside in the same go"
    assert not found(run, "worker", "missing")
    with closing(Reader(run)) as read:
        assert any("doctor: ended the worker" in event.text for event in read.events())
    assert list(repair(run)) == ["nothing to repair"]


def test_a_process_that_has_the_pid_of_a_worker_of_old_is_left_alone(run: Path) -> None:
    with subprocess.Popen(["sleep", "60"]) as foreign:
        folder = run / "work" / "server"
        folder.mkdir(parents=True)
        artifacts.write_json(folder / WORKER, {"pid": foreign.pid, "start_time": 1, "boot_id": "another"})
        list(repair(run))
        assert foreign.poll() is None and not found(run, "worker", "missing")
        foreign.kill()


def test_votes_that_were_miscounted_are_counted_anew_and_no_vote_changes(run: Path) -> None:
    with closing(Reader(run)) as read:
        before = read.votes(), read.tallies()
    spoil(run, "UPDATE tallies SET n = n + 3 WHERE experiment = 2", "DELETE FROM tallies WHERE experiment = 5")
    assert "counted all votes anew: their counts were not those of the votes" in list(repair(run))
    with closing(Reader(run)) as read:
        assert (read.votes(), read.tallies()) == before and not broken(read)
    assert list(repair(run)) == ["nothing to repair"]


@pytest.mark.slow
def test_another_model_in_the_place_of_a_published_one_is_found_though_it_is_whole(published: Path) -> None:
    place = published / "published" / "exp-0000"
    manifest = artifacts.read_manifest(place)
    with closing(sqlite3.connect(published / DATABASE, isolation_level=None)) as store:
        store.execute(
            "UPDATE stages SET result = json_set(result, '$.manifest', json(?)) WHERE lane = 'upload'",
            [artifacts.json.dumps(manifest)],
        )
    assert not found(published, "models", "missing")
    (place / "model.safetensors").write_text("another")
    artifacts.seal(place)
    [finding] = found(published, "models", "missing")
    assert "another model lies there than the one that was published" in finding.what
    assert any("published it again" in line for line in repair(published))
    assert not found(published, "models", "missing")


@pytest.mark.slow
def test_what_is_published_on_another_machine_is_said_to_be_not_looked_at(published: Path) -> None:
    with closing(sqlite3.connect(published / DATABASE, isolation_level=None)) as store:
        store.execute("""UPDATE stages SET result = '{"url": "s3://models/exp-0000"}' WHERE lane = 'upload'""")
    [finding] = found(published, "models", "warn")
    assert "1 published elsewhere were not looked at; the first is s3://models/exp-0000" in finding.what


@pytest.mark.slow
def test_a_store_that_is_gone_without_a_copy_is_missed_by_the_doctor_and_no_run_at_all_is_none(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = run.parent
    init("demo", folder)
    with Store(run):
        (run / "artifacts" / "exp-0000").mkdir(parents=True)
    for path in run.glob("run.db*"):
        path.unlink()
    assert main(["doctor", str(folder)]) == 1
    assert "run.db is gone, but a run was here: it left artifacts" in capsys.readouterr().out
    shutil.rmtree(run)
    assert main(["doctor", str(folder)]) == 0
    assert f"no run has begun here; start one: autoresearch-tui {folder}" in capsys.readouterr().out


def test_findings_fit_the_terminal_at_words_and_a_command_stays_one_line() -> None:
    shown = render(
        [
            Finding(
                "leftovers", "warn", "notes.txt belongs to nothing in the run and so on", "move it away yourself now"
            ),
            Finding("store", "missing", "it is damaged", f"put it back with: {'cp one two; ' * 6}"),
        ],
        40,
    ).splitlines()
    assert all(len(line) <= 40 for line in shown[:-1]) and "cp one two; cp one two" in shown[-1]
    assert (
        shown[1].startswith(" " * 15)
        and " ".join(shown[1].split()) in "notes.txt belongs to nothing in the run and so on"
    )
    assert "\n" not in render([Finding("store", "ok", "x " * 200)])
