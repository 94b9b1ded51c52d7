"""Metric mode when something comes between: steps of a person, edits of the program, guards, another champion."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from scripted import Scripted, lines, script
from test_metric_lane import CHAMPION, CHANGED, FLAT, RULE, begin, by_command, counted, done, judged, seeds, trained

from checkpoints import writes
from checkpoints.measurements import HeldRows, Measurement, Role
from checkpoints.ownership import RUN
from checkpoints.records import BASELINE, FailureKind, Lane, Outcome
from checkpoints.store import Store
from lanes.aside import Aside
from lanes.evaluate import EvaluateLane, EvaluateSettings
from lanes.lane import StageFailed, StagePaused
from lanes.measure import Bound, Metric
from lanes.measuring import COMMAND
from lanes.order import Source
from lanes.train import TrainLane, TrainSettings
from runner.program_error import ProgramError
from runner.results import status, status_line
from runner.session import make_ready

METRIC = Metric(judge="val_pref_acc", rule=RULE)


@pytest.fixture
def store(tmp_path: Path) -> Any:
    with Store(tmp_path / "run") as store:
        yield store


@pytest_asyncio.fixture
async def lane(store: Store) -> AsyncIterator[TrainLane]:
    """Its trainings take no time."""
    settings = TrainSettings(
        model=script(steps=1, seconds=0, right=FLAT), sources={"a": Source(path="a.jsonl")}, standby=False,
        metric=METRIC,
    )  # fmt: skip
    made = TrainLane(store, settings, Scripted())
    yield made
    await made.close(keep_workers=False)


async def test_a_pause_between_two_trainings_of_a_passage_begins_no_other(store: Store, lane: TrainLane) -> None:
    stage = await begin(store, lane)
    await lane.pause()
    with pytest.raises(StagePaused):
        await lane.train(stage, "seed 43 of exp-0000")
    assert lines(Path(stage.order["folder"]) / "lives") == []


async def test_a_command_is_not_run_for_a_passage_that_was_ended_just_before(tmp_path: Path) -> None:
    aside = Aside(tmp_path / "owner", Scripted)
    with pytest.raises(StagePaused):
        await aside.carry_out(tmp_path / "measure", COMMAND, {}, 9.0, lambda: StagePaused("paused by a person"))
    assert not (tmp_path / "measure" / "lives").exists()


async def test_a_guard_that_the_command_never_prints_is_said_after_the_first_training(
    store: Store, lane: TrainLane, tmp_path: Path
) -> None:
    metric = counted(by_command("echo score: 1; echo mem: 9", guards={"memory_gb": Bound(max=80)}), tmp_path)
    lane.settings = replace(lane.settings, metric=metric)
    stage = await begin(store, lane)
    with pytest.raises(StageFailed) as failed:
        await asyncio.wait_for(lane.run(stage), 60)
    assert failed.value.kind is FailureKind.INPUT
    assert str(failed.value) == "the command did not print memory_gb, which evaluate.metric.guards bounds"
    assert (tmp_path / "runs").read_text() == "x\n", "not a night is spent"


async def test_a_baseline_that_breaks_a_guard_reigns_and_that_is_said(
    store: Store, lane: TrainLane, tmp_path: Path
) -> None:
    metric = counted(by_command("echo score: 1; echo memory_gb: 90", guards={"memory_gb": Bound(max=80)}), tmp_path)
    lane.settings = replace(lane.settings, metric=metric)
    await trained(store, lane)
    said = "the baseline itself breaks a guard, so what is like it will be discarded: memory_gb 90 is above 80"
    assert said in [event.text for event in store.read.events()]
    verdict = await judged(store, metric, BASELINE, None)
    assert verdict.outcome is Outcome.KEEP
    attempt = await store.do(writes.start_stage, BASELINE, Lane.ANALYZE, {})
    await store.do(writes.conclude, verdict, [], False, attempt, 1.0)
    await store.do(writes.create_run, "night", "better", 3, 1, None)
    shown = status_line(status(store.folder, store.read))
    assert "  champion exp-0000, score 1 [1, 1]\n" in shown


async def test_what_was_trained_for_a_rule_is_judged_by_it_whatever_the_program_says_by_then(
    store: Store, lane: TrainLane
) -> None:
    await as_if_trained(store, lane, CHAMPION, [0.5])
    strict = Metric(judge="val_pref_acc", rule=replace(RULE, seeds=50, confirm=40))
    evaluate = EvaluateLane(store, EvaluateSettings(model="m", prompts=None, metric=strict))
    assert Metric.model_validate(evaluate.order(store.read.experiment(BASELINE))["metric"]) == METRIC


async def test_whom_a_person_kept_is_measured_before_anything_is_compared_with_it(
    store: Store, lane: TrainLane
) -> None:
    """Discarded by its screen, kept all the same: it has no fresh seeds, and its screening run is none."""
    worse = {str(CHAMPION): [50, 51, 49, 50, 50], str(CHANGED): [45, 45, 46, 44, 45, 45, 46, 44, 45]}
    better = worse | {"0.002": [60]}
    lane.settings = replace(lane.settings, model=script(steps=1, seconds=0, right=better))
    await trained(store, lane)
    await judged(store, METRIC, BASELINE, None)
    await trained(store, lane, CHANGED)
    assert (await judged(store, METRIC, 1)).outcome is Outcome.DISCARD
    await store.do(writes.change_champion, 1, "a person kept it")
    stage = await begin(store, lane, 0.002, parent=1)
    await done(store, stage, await asyncio.wait_for(lane.run(stage), 60))
    found = store.read.measurements()
    assert seeds(found, 1) == [43, 44, 45, 46], "three of its own, one beside the candidate"
    assert seeds(found, 1, Role.SCREEN) == [42]
    verdict = await judged(store, METRIC, 2, 1)
    assert verdict.outcome is Outcome.KEEP and "0.45 over 4 seeds of the champion exp-0001" in verdict.reason


async def test_a_candidate_whose_opponent_was_replaced_is_not_taken_for_better(store: Store, lane: TrainLane) -> None:
    """Measured against exp-0000; by the time it is judged a person has pinned another, of one run."""
    await as_if_trained(store, lane, CHAMPION, [0.5, 0.51, 0.49])
    await judged(store, METRIC, BASELINE, None)
    await as_if_trained(store, lane, 0.002, [0.5])
    await judged(store, METRIC, 1)
    await as_if_trained(store, lane, CHANGED, [0.6] * 6)
    await store.do(writes.change_champion, 1, "a person pinned it", True)
    verdict = await judged(store, METRIC, 2, opponent=1)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert verdict.reason == (
        "val_pref_acc was not measured often enough against this champion; its change was made to the recipe of"
        " exp-0000, while exp-0001 was champion when it was judged."
    )


async def as_if_trained(store: Store, lane: TrainLane, rate: float, values: list[float]) -> None:
    """An experiment through the train lane, with what its seeds got; after the baseline the first is its screen."""
    stage = await begin(store, lane, rate)
    number = stage.experiment
    roles = [Role.SCREEN if number and not seed else Role.FRESH for seed in range(len(values))]
    measured = [
        Measurement(number, 42 + seed, role, HeldRows.OPEN, value, None, "", number, float(seed))
        for seed, (role, value) in enumerate(zip(roles, values, strict=True))
    ]
    await store.do(writes.add_measurements, measured)
    await done(store, stage, {})


def test_a_run_does_not_go_on_under_a_program_that_measures_otherwise(tmp_path: Path) -> None:
    samples = Path(__file__).parent.parent / "sample_data"
    text = f"""---
goal: better
model: {samples}/model
data:
  sources: {{a: {samples}/pairs/expert.jsonl}}
  heldout: {{pairs: {samples}/heldout/pairs.jsonl}}
evaluate: {{judge: eval_loss}}
---
"""
    (tmp_path / "program.md").write_text(text)
    with Store(tmp_path / RUN) as store:
        store.submit(writes.read_program, text, "of the text", "")
    program, (owner, connection) = make_ready(tmp_path)
    assert program.text == text
    connection.close()
    owner.release()
    (tmp_path / "program.md").write_text(text.replace("eval_loss", "val_pref_acc"))
    with pytest.raises(ProgramError) as refused:
        make_ready(tmp_path)
    assert str(refused.value).startswith("program.md:7: evaluate.judge: changes what a training measures")
