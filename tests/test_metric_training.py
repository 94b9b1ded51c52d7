"""Metric mode on the small model: what an untrained policy scores; locked pairs are looked at for keeps only."""

from __future__ import annotations

import asyncio
import math
from dataclasses import replace
from pathlib import Path

import pytest

from checkpoints import writes
from checkpoints.measurements import HeldRows
from checkpoints.records import BASELINE, Json, Lane, Proposal, Stage
from checkpoints.store import Store
from lanes.analyze.metric_rule import MetricRule
from lanes.measure import Metric
from lanes.order import HeldOut, Source
from lanes.recipe import Recipe
from lanes.train import TrainLane, TrainSettings

SAMPLES = Path(__file__).parent.parent / "sample_data"
UNTRAINED = 1e-30
"""A learning rate that changes no weight that fp32 can tell from its base."""


async def through(store: Store, lane: TrainLane, rate: float, parent: int | None) -> Json:
    number = await store.do(writes.propose, Proposal("it helps", "optimiser", None, "program"))
    recipe = Recipe.model_validate(
        {
            "method": "dpo",
            "data": {"mix": {"expert": 1}, "sample_size": 8},
            "training": {"learning_rate": rate, "max_steps": 2, "per_device_train_batch_size": 4, "max_length": 96},
        }
    ).model_dump(mode="json")
    order = lane.order(replace(store.read.experiment(number), recipe=recipe, parent=parent))
    await store.do(writes.start_stage, number, Lane.TRAIN, order, recipe=recipe, parent=parent)
    stage: Stage | None = store.read.open_stage(Lane.TRAIN)
    assert stage
    result = await asyncio.wait_for(lane.run(stage), 300)
    await store.do(writes.finish_stage, number, Lane.TRAIN, 1, result, 1.0, "the first" if parent is None else "")
    return result


@pytest.mark.slow
@pytest.mark.timeout(400)
async def test_an_untrained_policy_scores_one_half_and_log_2_and_locked_pairs_are_scored_for_keeps_only(
    tmp_path: Path,
) -> None:
    rows = (SAMPLES / "heldout" / "pairs.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "open.jsonl").write_text("".join(rows[:12]))
    (tmp_path / "locked.jsonl").write_text("".join(rows[12:20]))
    places = {name: Source(path=str(tmp_path / f"{name}.jsonl")) for name in ("open", "locked")}
    rule = MetricRule(direction="min", metric="eval_loss", seeds=2, confirm=1)
    metric = Metric(judge="eval_loss", rule=rule, locked=places["locked"], loss_beta=0.1, score_length=96)
    settings = TrainSettings(
        model=str(SAMPLES / "model"), sources={"expert": Source(path=str(SAMPLES / "pairs" / "expert.jsonl"))},
        heldout=HeldOut(pairs=places["open"], locked=places["locked"]), device="cpu", standby=False, metric=metric,
    )  # fmt: skip
    with Store(tmp_path / "run") as store:
        lane = TrainLane(store, settings)
        first = await through(store, lane, UNTRAINED, None)
        assert (first["val_pref_acc"], first["eval_loss"]) == (0.5, pytest.approx(math.log(2)))
        locked = store.read.measurements(rows=HeldRows.LOCKED)
        assert [(one.experiment, one.value) for one in locked] == [(BASELINE, pytest.approx(math.log(2)))]
        assert [one.value for one in store.read.measurements()] == [pytest.approx(math.log(2))] * 2
        await through(store, lane, UNTRAINED, BASELINE)
        assert len(store.read.measurements(rows=HeldRows.LOCKED)) == 1, "no keep, no look"
        kept = await through(store, lane, 1e-3, BASELINE)
        assert kept["decided"] == "keep"
        assert [one.experiment for one in store.read.measurements(rows=HeldRows.LOCKED)] == [BASELINE, 2]
        await lane.close(keep_workers=False)
