"""The tree policy in the loop: experiments branch from any promising one; their opponent is the champion still."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from laws import broken_laws
from sleeping import drive
from test_pipeline import FAST, intervene, running, until

from checkpoints.records import BASELINE, Interval, State, Step
from checkpoints.store import Store
from runner.space import get

NEAR = Interval(0.0, -0.1, 0.1)
"""What nobody can tell from the champion: any of them may lead further."""


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    with Store(tmp_path) as store:
        yield store


async def test_experiments_branch_from_others_than_the_champion_with_their_recipe_and_one_change(store: Store) -> None:
    await drive(store, 16, FAST, keeps=frozenset({3}), policy="tree", effect=NEAR)
    assert broken_laws(store.read, 16) == []
    branched = 0
    for row in store.read.rows()[1:]:
        one, change = row.experiment, row.experiment.proposal.change
        assert change and one.recipe and one.parent is not None and one.opponent in (BASELINE, 3)
        parent = store.read.experiment(one.parent)
        assert parent.recipe and get(parent.recipe, change.field) == change.old
        assert get(one.recipe, change.field) == change.new
        branched += one.parent not in (BASELINE, 3)
        assert one.proposal.base in (None, one.parent)
    assert branched >= 3


async def test_the_greedy_policy_branches_from_who_reigned_and_from_nobody_else(store: Store) -> None:
    await drive(store, 8, FAST, keeps=frozenset({3}), effect=NEAR)
    assert {row.experiment.parent for row in store.read.rows()[1:]} <= {BASELINE, 3}


async def test_nothing_branches_from_what_a_person_vetoed_or_from_what_contains_it(store: Store) -> None:
    async with running(store, 24, keeps=frozenset({1}), policy="tree", effect=NEAR):
        await until(store, State.KEPT, 1)
        await until(store, State.DISCARDED, 6)
        said = await intervene(store, Step.VETO, 1, "users say so")
        assert "vetoed" in said or "champion" in said
        began = len(store.read.experiments())
        await asyncio.sleep(0)
    rows = store.read.rows()
    tainted = {row.experiment.number for row in rows if 1 in row.contains} | {1}
    later = [row.experiment for row in rows[began:] if row.experiment.state is not State.CANCELLED]
    assert later and not [one.number for one in later if one.parent in tainted]
