"""What a proposal may rest on: rebuilt from the store, with fates, intervals and the reasons of vetoes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sleeping import program

from checkpoints import writes
from checkpoints.records import Change, HypothesisStatus, Interval, Lane, Outcome, Proposal, State, Verdict
from checkpoints.store import Store
from runner.agent.memory import Memory, remember


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path) as store:
        yield store


def memory(store: Store) -> Memory:
    return remember(store.read, program(store.folder, 9), store.read.rows())


async def proposed(store: Store, new: float, zoom_out: int | None = None) -> int:
    proposal = Proposal(f"{new} is better", "loss", Change("training.beta", 0.1, new), "test", zoom_out)
    number = await store.do(writes.propose, proposal, f"hash of {new}")
    await store.do(writes.add_hypothesis, proposal.hypothesis, "loss", number)
    return number


async def judged(store: Store, number: int, outcome: Outcome, parent: int | None = 0) -> None:
    """Through all lanes to its verdict."""
    recipe = program(store.folder, 9).baseline().model_dump(mode="json")
    recipe["training"]["beta"] = 1.0 + number
    crown = "" if number else "the baseline"
    await store.do(writes.start_stage, number, Lane.TRAIN, {}, recipe=recipe, parent=parent)
    await store.do(writes.finish_stage, number, Lane.TRAIN, 1, {}, 1.0, crown)
    for lane in (Lane.UPLOAD, Lane.EVALUATE):
        await store.do(writes.start_stage, number, lane, {}, opponent=parent if lane is Lane.EVALUATE else None)
        await store.do(writes.finish_stage, number, lane, 1, {}, 1.0)
    await store.do(writes.start_stage, number, Lane.ANALYZE, {})
    rate = Interval(0.6, 0.51, 0.69)
    verdict = Verdict(number, outcome, 60, 40, 0, rate, None, None, None, "so it is", time.time())
    await store.do(writes.conclude, verdict, [], number > 0, 1, 1.0)


@pytest.fixture
async def told(store: Store) -> Store:
    """A baseline, a keep and a discard."""
    await store.do(writes.propose, Proposal("the program's own", "baseline", None, "program"))
    await judged(store, 0, Outcome.KEEP, None)
    await judged(store, await proposed(store, 0.2), Outcome.KEEP)
    await store.do(writes.settle_hypothesis, 1, HypothesisStatus.SUPPORTED)
    await judged(store, await proposed(store, 0.3), Outcome.DISCARD, 1)
    await store.do(writes.settle_hypothesis, 2, HypothesisStatus.REFUTED)
    return store


def test_before_anything_happened_the_recipe_is_the_programs_own(store: Store) -> None:
    nothing = memory(store)
    assert (nothing.champion, nothing.tried, nothing.allowed) == (None, (), ())
    assert nothing.recipe["training"]["beta"] == 0.1 and nothing.prose.strip() == "Sleep."
    assert "Champion: none yet" in nothing.text()


async def test_it_has_the_champions_recipe_and_what_was_tried_with_fate_and_interval(told: Store) -> None:
    now = memory(told)
    assert (now.champion, now.recipe["training"]["beta"]) == (1, 2.0)
    assert [(one.experiment, one.outcome) for one in now.tried] == [(1, Outcome.KEEP), (2, Outcome.DISCARD)]
    assert now.hashes == {"hash of 0.2", "hash of 0.3"}
    assert now.text().splitlines() == [
        "Goal: sleep better",
        "Champion: exp-0001",
        "Tried:",
        "  #1 loss: training.beta 0.1 → 0.2: keep, 60.0% [51.0%, 69.0%]",
        "  #2 loss: training.beta 0.1 → 0.3: discard, 60.0% [51.0%, 69.0%]",
        "Believed:",
        "  ✓ 0.2 is better",
        "  ✗ 0.3 is better",
    ]


async def test_a_veto_is_remembered_with_its_reason_and_the_change_is_not_free_again(told: Store) -> None:
    await told.do(writes.change_champion, 0, "experiment 1 is taken back")
    await told.do(writes.veto, 1, "it forgets the user's name")
    now = memory(told)
    assert (now.champion, now.recipe["training"]["beta"]) == (0, 1.0)
    assert now.tried[0].vetoed and "hash of 0.2" in now.hashes
    assert "vetoed, 60.0% [51.0%, 69.0%] (it forgets the user's name)" in now.text()


async def test_a_crash_is_remembered_with_its_reason(told: Store) -> None:
    await told.do(writes.crash, await proposed(told, 0.4), "train: nan: the loss is not a number")
    assert "training.beta 0.1 → 0.4: crash, no evidence (train: nan: the loss is not a number)" in memory(told).text()


async def test_what_was_cancelled_was_not_tried_and_may_be_proposed_again(told: Store) -> None:
    number = await proposed(told, 0.4)
    assert "hash of 0.4" in memory(told).hashes
    assert "training.beta 0.1 → 0.4: under way, no evidence" in memory(told).text()
    await told.do(writes.cancel, number, "a person skipped it")
    now = memory(told)
    assert told.read.experiment(number).state is State.CANCELLED
    assert "hash of 0.4" not in now.hashes and number not in [one.experiment for one in now.tried]


async def test_a_zoom_out_binds_as_many_proposals_as_it_named_categories(told: Store) -> None:
    await told.do(writes.add_zoom_out, "forced", "", "look elsewhere", ["data", "capacity"])
    assert memory(told).allowed == ("data", "capacity")
    assert memory(told).text().endswith("The next proposals come from: data, capacity")
    first = await proposed(told, 0.5, zoom_out=1)
    await told.do(writes.cancel, first, "withdrawn")
    await proposed(told, 0.6, zoom_out=1)
    assert memory(told).allowed == ("data", "capacity"), "what was cancelled followed from nothing"
    await proposed(told, 0.7, zoom_out=1)
    assert memory(told).allowed == ()
