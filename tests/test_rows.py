"""The experiments that whoever decides in the event loop keeps in hand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from runs import write_run

from checkpoints import writes
from checkpoints.records import Proposal, State
from checkpoints.rows import Rows
from checkpoints.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    write_run(tmp_path, 12)
    with Store(tmp_path) as store:
        yield store


async def test_rows_in_hand_are_those_of_the_store_after_each_change(store: Store) -> None:
    rows = Rows(store.read)
    mark, first = await rows.look()
    assert list(first) == store.read.rows(recipes=False) and len(first) > 10
    assert (await rows.look())[1] is first
    number = await store.do(writes.propose, Proposal("a new one", "loss", None, "person"))
    later, second = await rows.look()
    assert later > mark and second[number].experiment.state is State.PROPOSED
    assert list(second) == store.read.rows(recipes=False)
    assert second[0] is first[0]
