"""The doctor's look at the arena's ledger: whole, as many votes as the store took from it, and copied each day."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import time
from pathlib import Path

import pytest
from test_intake import ballot, intake, store

from checkpoints.copies import keep_copy
from checkpoints.store import Store
from lanes.arena.ballots import Source
from lanes.arena.ledger import Ledger
from lanes.arena.schema import LEDGER
from lanes.arena_desk import ARENA
from runner.checkup.findings import check_up
from runner.findings import Finding

__all__ = ["store"]


def of_the_ledger(run: Path, status: str) -> list[Finding]:
    return [each for each in check_up(run) if (each.name, each.status) == ("ledger", status)]


async def voted(store: Store, ballots: int) -> Path:
    """A run whose arena has had votes, all of them taken in."""
    with Ledger(store.folder / ARENA) as ledger:
        ledger.add_ballots([ballot(number) for number in range(ballots)])
    await intake(store, []).take()
    return store.folder


async def test_a_ledger_of_which_the_store_has_every_vote_is_whole_and_what_waits_is_said(store: Store) -> None:
    run = await voted(store, 3)
    assert of_the_ledger(run, "ok")[0].what.endswith("is whole, with 3 ballots")
    with Ledger(run / ARENA) as ledger:
        ledger.add_ballots([ballot(3), ballot(4, source=Source.ATTENTION)])
    [finding] = of_the_ledger(run, "ok")
    assert finding.what.endswith("with 5 ballots; 2 of them are taken in when the run goes on")
    assert not of_the_ledger(run, "missing") and not of_the_ledger(run, "warn")


async def test_votes_beyond_what_counts_on_a_pair_are_not_missed(store: Store) -> None:
    with Ledger(store.folder / ARENA) as ledger:
        ledger.add_ballots([ballot(number, battle="b", source=Source.HELDOUT, prompt="q") for number in range(3)])
    await intake(store, []).take()
    assert len(store.read.votes(2)) == 1
    assert not of_the_ledger(store.folder, "missing")


async def test_a_vote_that_was_taken_in_and_is_gone_is_found(store: Store) -> None:
    run = await voted(store, 3)
    await store.do(lambda db: db.conn.execute("DELETE FROM votes WHERE key = 'arena:key-1'") and None)
    [finding] = of_the_ledger(run, "missing")
    assert "a vote of voter-1 on live:battle-1 was taken in from the ledger, and the store has it not" in finding.what


async def test_votes_of_a_ledger_that_is_gone_count_and_are_said(store: Store) -> None:
    run = await voted(store, 3)
    for path in (run / ARENA).iterdir():
        path.unlink()
    await voted(store, 5)
    assert not of_the_ledger(run, "missing")
    with Ledger(run / ARENA) as ledger:
        ledger._db.execute("DELETE FROM ballots WHERE key = 'key-4'")
    [finding] = of_the_ledger(run, "warn")
    assert finding.what.startswith("1 votes of the store are not in")


async def test_a_damaged_ledger_is_said_with_the_copy_that_can_be_put_back_and_it_can(store: Store) -> None:
    run = await voted(store, 40)
    path = run / ARENA / LEDGER
    copy = keep_copy(run, time.time(), source=path)
    assert copy.stat().st_mode == path.stat().st_mode, "nobody else may read who was invited"
    with path.open("r+b") as file:
        file.seek(3 * 4096)
        file.write(b"\xa5" * (path.stat().st_size - 5 * 4096))
    [finding] = of_the_ledger(run, "missing")
    assert "damaged" in finding.what and "its last good copy has 40 ballots" in finding.remedy
    with pytest.raises(sqlite3.DatabaseError):
        keep_copy(run, time.time(), source=path)
    await asyncio.to_thread(subprocess.run, finding.remedy.rpartition("put it back with: ")[2], shell=True, check=True)
    assert of_the_ledger(run, "ok")
