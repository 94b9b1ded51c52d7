"""An arena's ledger that was replaced is read from its beginning, and one that is the same from where it was left."""

from __future__ import annotations

import shutil

from test_intake import ballot, intake, store

from checkpoints.store import Store
from lanes.arena.ledger import Ledger
from lanes.arena_desk import ARENA

__all__ = ["store"]


def fill(store: Store, first: int, ballots: int) -> None:
    with Ledger(store.folder / ARENA) as ledger:
        ledger.add_ballots([ballot(number) for number in range(first, first + ballots)])


async def test_no_vote_of_a_ledger_that_took_anothers_place_is_lost_though_it_has_as_many_ballots(store: Store) -> None:
    fill(store, 0, 3)
    assert await intake(store, []).take() == 3
    shutil.rmtree(store.folder / ARENA)
    fill(store, 100, 5)
    assert await intake(store, []).take() == 5
    fill(store, 200, 2)
    assert await intake(store, []).take() == 2, "from where it was left"
    assert len(store.read.votes(2)) == 10
