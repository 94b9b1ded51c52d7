"""A store of an earlier version: opened, it is of this one, with all that was in it; killed meanwhile, it is one or the
other."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from checkpoints import schema, writes
from checkpoints.reader import DATABASE, Reader
from checkpoints.records import Lane, Proposal, RunState, State, Step
from checkpoints.store import Store

FIRST = "m001_first"
EXPERIMENTS = (State.KEPT, State.DISCARDED, State.PROPOSED)


@pytest.fixture
def old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run folder as the first version left it."""
    with monkeypatch.context() as earlier, opened(tmp_path) as connection:
        earlier.setattr(schema, "STEPS", {FIRST: schema.STEPS[FIRST]})
        db = schema.database(connection)
        schema.migrate(db)
        db.table("run").insert(
            {"id": 1, "name": "old", "goal": "better", "state": "paused", "reason": "", "experiments": 9,
             "created_at": 1.0, "seed": 7}
        )  # fmt: skip
        for number, state in enumerate(EXPERIMENTS):
            db.table("experiments").insert(
                {"number": number, "state": state, "hypothesis": "it helps", "category": "data", "proposer": "person",
                 "proposed_at": 2.0}
            )  # fmt: skip
        db.table("championships").insert({"experiment": 0, "since": 3.0, "reason": "baseline"})
        db.table("interventions").insert({"step": "pause", "detail": "{}", "reason": "lunch", "at": 4.0})
        db.table("progress").insert(
            {"lane": "train", "experiment": 2, "doing": "steps", "done": 7.0, "total": 9.0, "detail": "", "at": 5.0}
        )  # fmt: skip
    return tmp_path


@contextmanager
def opened(folder: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(folder / DATABASE, isolation_level=None)) as connection:
        yield connection


def versions(folder: Path) -> tuple[str, ...]:
    with opened(folder) as connection:
        return tuple(row[0] for row in connection.execute("SELECT name FROM _sqlite_migrations ORDER BY id"))


def test_an_old_store_is_brought_to_this_version_with_all_that_was_in_it(old: Path) -> None:
    assert versions(old) == (FIRST,)
    with Store(old) as store:
        run, reign, (step,) = store.read.run(), store.read.champion(), store.read.interventions()
        assert run and (run.name, run.state, run.usd_per_hour) == ("old", RunState.PAUSED, None)
        assert [row.experiment.state for row in store.read.rows()] == list(EXPERIMENTS)
        assert reign and (reign.experiment, reign.pinned) == (0, False)
        assert (step.step, step.reason, step.done) == (Step.PAUSE, "lunch", {})
        assert [(one.lane, one.experiment, one.done) for one in store.read.at_work()] == [(Lane.TRAIN, 2, 7.0)]
    assert versions(old) == schema.NAMES


def test_all_of_its_experiments_are_new_to_a_dashboard_and_then_only_what_changes(old: Path) -> None:
    with Store(old) as store:
        mark, numbers = store.read.touched()
        assert numbers == [0, 1, 2]
        store.submit(writes.cancel, 2, "enough").result()
        mark, numbers = store.read.touched(mark)
        assert numbers == [2]
        store.submit(writes.propose, Proposal("it helps too", "data", None, "person")).result()
        assert store.read.touched(mark)[1] == [3]


KILLED_AT = """
import os, signal, sys
from pathlib import Path
from checkpoints import schema
from checkpoints.store import Store

wrap = schema.database

seen = []

def database(connection):
    def traced(statement):
        seen.append(statement)
        if statement.startswith(sys.argv[2]) and "BEGIN" in seen:
            os.kill(os.getpid(), signal.SIGKILL)
    connection.set_trace_callback(traced)
    return wrap(connection)

schema.database = database
Store(Path(sys.argv[1]))
"""


@pytest.mark.parametrize(
    ("statement", "after"),
    [
        ("ALTER TABLE championships", (FIRST,)),
        ("INSERT INTO touched SELECT", (FIRST,)),
        ("COMMIT", (FIRST,)),
        ("PRAGMA application_id", schema.NAMES),
    ],
)
def test_killed_while_it_is_brought_up_it_is_old_or_new_and_opens(
    old: Path, statement: str, after: tuple[str, ...]
) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED_AT, str(old), statement], timeout=60)
    assert done.returncode == -signal.SIGKILL
    assert versions(old) == after
    with Store(old):
        pass
    with closing(Reader(old)) as read:
        assert [row.experiment.number for row in read.rows()] == read.touched()[1] == [0, 1, 2]
