"""What a person believes comes first, and not for ever; a belief is a plan, supported or refuted by what stands now."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from proposing import said
from test_agent import asked

from checkpoints import writes
from checkpoints.records import PERSON
from checkpoints.store import Store
from runner.agent.proposal import TRIES, wanted


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path) as store:
        yield store


@pytest.mark.parametrize(
    "answer", ["no JSON", said(), said(belief=1, new=99) | {"differs": "x" * 20_000}, said(belief=[1])]
)
async def test_whatever_a_model_answers_a_persons_hypothesis_comes_first_only_so_often(
    store: Store, answer: object
) -> None:
    model, planner = await asked(store, answer)
    mine = await store.do(writes.add_hypothesis, "hold on less", "loss", None, PERSON)
    assert await planner.propose()
    assert [one.belief for one in store.read.refusals()] == [mine] * TRIES
    assert wanted(await planner.memory()) == []


async def test_each_of_two_hypotheses_has_its_tries(store: Store) -> None:
    _, planner = await asked(store, said(belief=2, new=99))
    for text in ("hold on less", "hold on more"):
        await store.do(writes.add_hypothesis, text, "loss", None, PERSON)
    assert await planner.propose()
    assert [one.number for one in wanted(await planner.memory())] == [1]
