"""A store of each earlier version, killed before each statement of each step that brings it to this one: it is a whole
version, and the next start brings it to this one with all that was in it.

Elsewhere: what becomes of single tables, kills at the commits (``test_migration``); no kill (``test_database_faults``).
"""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from checkpoints import schema
from checkpoints.reader import DATABASE, Reader
from checkpoints.store import Store

DYING = """
import os, shutil, signal, sqlite3, sys
from pathlib import Path
from checkpoints import schema

schema.load()
before, folder = sys.argv[1], Path(sys.argv[2])

def up(path, last):
    done = 0

    def count(statement):
        nonlocal done
        done += 1
        if done == last:
            os.kill(os.getpid(), signal.SIGKILL)

    connection = sqlite3.connect(path, isolation_level=None)
    connection.set_trace_callback(count)
    schema.migrate(schema.database(connection))

for last in range(1, 1000):
    path = folder / str(last) / "run.db"
    path.parent.mkdir()
    shutil.copy(before, path)
    child = os.fork()
    if not child:
        up(path, last)
        os._exit(0)
    if not os.waitpid(child, 0)[1]:
        print(last)
        break
"""
"""Killed before its first statement, before its second, … until it lives to its end; a process each."""


def old_store(path: Path, released: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """As that version left it, with something in it."""
    with monkeypatch.context() as earlier, closing(sqlite3.connect(path, isolation_level=None)) as old:
        earlier.setattr(schema, "STEPS", dict(tuple(schema.STEPS.items())[:released]))
        db = schema.database(old)
        schema.migrate(db)
        for number in range(2):
            db.table("experiments").insert(
                {"number": number, "state": "kept", "hypothesis": "it helps", "category": "data",
                 "proposer": "person", "proposed_at": 2.0}
            )  # fmt: skip
        for voter in ("ann", "ben"):
            db.table("votes").insert(
                {"key": voter, "experiment": 1, "voter": voter, "prompt": "p", "model_a": "exp-0001",
                 "model_b": "exp-0000", "choice": "a", "simulated": 0, "at": 3.0}
            )  # fmt: skip


def applied(path: Path) -> tuple[str, ...]:
    with closing(sqlite3.connect(path)) as store:
        assert store.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return tuple(name for (name,) in store.execute("SELECT name FROM _sqlite_migrations ORDER BY id"))


@pytest.mark.slow
@pytest.mark.parametrize("released", range(1, len(schema.NAMES)))
def test_killed_before_any_statement_it_is_a_whole_version_and_is_brought_up_by_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, released: int
) -> None:
    old_store(tmp_path / "old.db", released, monkeypatch)
    (tmp_path / "killed").mkdir()
    command = [sys.executable, "-c", DYING, str(tmp_path / "old.db"), str(tmp_path / "killed")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert (done.returncode, done.stderr) == (0, "")
    seen: set[tuple[str, ...]] = set()
    for run in (tmp_path / "killed").iterdir():
        found = applied(run / DATABASE)
        assert schema.NAMES[: len(found)] == found and len(found) >= released
        seen.add(found)
        Store(run).close()
        assert applied(run / DATABASE) == schema.NAMES
        with closing(Reader(run)) as read:
            assert [one.number for one in read.experiments()] == [0, 1]
            assert read.tally(1, "exp-0001", "exp-0000").wins == 2
    assert len(seen) == len(schema.NAMES) - released + 1, "each version on the way was met"
    assert int(done.stdout) > 10 * (len(schema.NAMES) - released)
