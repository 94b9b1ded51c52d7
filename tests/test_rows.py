"""The experiments that whoever decides in the event loop keeps in hand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from runs import write_run

from checkpoints import writes
from checkpoints.records import Lane, Proposal, State
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


async def test_a_parent_may_have_the_higher_number(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        await store.do(writes.create_run, "rows", "in hand", 10, 7)
        rows = Rows(store.read)
        for hypothesis in ("the baseline", "it waits", "it is trained first"):
            await store.do(writes.propose, Proposal(hypothesis, "loss", None, "person"))
        await rows.look()
        for number, parent in ((0, None), (2, 0), (1, 2)):
            await store.do(writes.start_stage, number, Lane.TRAIN, {}, recipe={}, parent=parent)
        _, now = await rows.look()
        assert now[1].contains == {0, 2} and list(now) == store.read.rows(recipes=False)
