"""The benchmark of zoom-outs: its loop in memory decides as the planner does; its landscape has the study's shape."""

from __future__ import annotations

import random
from functools import partial
from pathlib import Path

import pytest

from bench.parts.habits import Counted, count
from bench.parts.habitual import Habit, Habitual, Stubborn, climb
from bench.parts.landscape import ABOVE, KNOBS, LOWER, UPPER, Landscape, program, values
from bench.worlds import Judging, Recipe
from checkpoints import writes
from checkpoints.records import Change, Lane, Outcome, State, Verdict
from checkpoints.store import Store
from lanes.analyze.metric_rule import MetricRule
from runner.agent.categories import category_of
from runner.planner import Planner
from runner.settings import ZoomOut
from runner.space import get

HABIT = Habit(stay=0.4, open=0.05)
PLAN = program(every=6, plateau=4, streak=3, experiments=12)


@pytest.mark.slow
async def test_its_loop_in_memory_decides_as_the_planner_with_a_store_does(tmp_path: Path) -> None:
    seed, experiments = 8, 12
    short = await climb(Habitual(HABIT, seed), PLAN, seed, experiments)
    landscape, judging = Landscape(seed), Judging(MetricRule(), random.Random(f"noise {seed}"))
    judging.begin()
    with Store(tmp_path) as store:
        planner = Planner(store, PLAN, Habitual(HABIT, seed))
        for number in range(experiments + 1):
            assert await planner.propose()
            recipe = planner.bind(store.read.experiment(number))
            outcome = judging.experiment(Recipe(landscape.worth(recipe))) if number else Outcome.KEEP
            await judged(store, number, recipe, outcome)
        assert tuple(one.proposal.change for one in store.read.experiments()[1:]) == short.changes
        zoom_outs = store.read.zoom_outs()
        assert [(one.trigger, one.categories) for one in zoom_outs] == [
            (one.trigger, one.categories) for one in short.zoom_outs
        ]
        assert zoom_outs and store.read.count(State.KEPT) > 1, "a night in which something happened"


async def judged(store: Store, number: int, recipe: dict, outcome: Outcome) -> None:
    """Through all lanes to its verdict."""
    reign = store.read.champion()
    parent = reign.experiment if reign else None
    await store.do(writes.start_stage, number, Lane.TRAIN, {}, recipe=recipe, parent=parent)
    await store.do(writes.finish_stage, number, Lane.TRAIN, 1, {}, 1.0, "" if number else "the baseline")
    for lane in (Lane.UPLOAD, Lane.EVALUATE):
        await store.do(writes.start_stage, number, lane, {}, opponent=parent if lane is Lane.EVALUATE else None)
        await store.do(writes.finish_stage, number, lane, 1, {}, 1.0)
    await store.do(writes.start_stage, number, Lane.ANALYZE, {})
    verdict = Verdict(number, outcome, 0, 0, 0, None, None, None, None, "so it is", 0.0)
    await store.do(writes.conclude, verdict, [], number > 0, 1, 1.0)


def test_no_knob_of_the_landscape_leads_above_the_lower_plateau_and_what_lies_above_does() -> None:
    landscape = Landscape(1)
    best = {field: max(values(field), key=partial(alone, landscape, field)) for field in PLAN.space.fields}
    knobs, above = PLAN.start, PLAN.start
    for field, new in best.items():
        category = category_of(field)
        if alone(landscape, field, new) > 0 and category in KNOBS:
            knobs = PLAN.space.apply(Change(field, get(knobs, field), new), knobs)
        if category in ABOVE and alone(landscape, field, new) > 0:
            above = PLAN.space.apply(Change(field, get(above, field), new), above)
    assert 0 < landscape.worth(knobs) < LOWER < landscape.worth(above) == UPPER * len(ABOVE)


def alone(landscape: Landscape, field: str, new: object) -> float:
    """Worth of one change to the baseline."""
    return landscape.worth(PLAN.space.apply(Change(field, get(PLAN.start, field), new), PLAN.start))


def test_staying_and_opening_are_counted_in_a_recorded_night() -> None:
    early = ["loss", "loss", None, "data", *["loss"] * 7]
    assert count([*early, "data", None, "adapter", "adapter"]) == Counted(8, 10, 1, 2)


async def test_a_model_whose_stock_cannot_be_used_costs_the_stock_not_the_night() -> None:
    rules = ZoomOut()
    whole = program(rules.every, rules.plateau, rules.streak, experiments=50)
    night = await climb(Stubborn(Habit(stay=0.367, open=0.022), 6), whole, 6, 50)
    assert len(night.worths) == 51 and night.zoom_outs
