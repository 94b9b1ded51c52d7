"""A passage of several real trainings, killed with its runner and without: nothing is trained twice, and nothing is
judged otherwise."""

from __future__ import annotations

import os
import signal
import time
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest
from small_demo import ROOT, has_begun, kill_group, start, trainers, wait_until

from checkpoints.ownership import RUN
from checkpoints.reader import Reader
from checkpoints.records import Outcome
from lanes.worker import Worker

SAMPLES = ROOT / "sample_data"

PROGRAM = f"""---
name: metric
goal: less loss on held-out pairs
model: {SAMPLES}/model
data:
  sources: {{expert: {SAMPLES}/pairs/expert.jsonl}}
  heldout: {{pairs: {SAMPLES}/heldout/pairs.jsonl}}
recipe:
  data: {{mix: {{expert: 1}}}}
  training: {{learning_rate: 1.0e-5, max_steps: 8, per_device_train_batch_size: 4, max_length: 96, seed: 7}}
  lora: {{r: 8, lora_alpha: 16, target_modules: all-linear}}
space:
  training.learning_rate: {{choices: [1.0e-5, 3.0e-3]}}
budget: {{experiments: 1, hours: 1, seconds_per_training: 300}}
train: {{device: cpu, checkpoint_steps: 2, eval_rows: 120, standby: false}}
evaluate:
  judge: eval_loss
  metric: {{seeds: 2, confirm: 2}}
agent: {{model: playbook}}
seed: 7
---
"""


class Night(NamedTuple):
    """How a run ended."""

    measured: list[tuple[int, int, str, float | None, int]]
    """Experiment, seed, role, value and who asked."""

    verdicts: list[tuple[Outcome, str]]
    steps: dict[str, list[int]]
    """Steps of each training in the order in which they were heard, by the training's name."""


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_kills_of_runner_and_trainers_within_a_passage_train_nothing_twice_and_change_no_verdict(
    tmp_path: Path,
) -> None:
    undisturbed = to_its_end(begin(tmp_path / "undisturbed"))
    assert [outcome for outcome, _ in undisturbed.verdicts] == [Outcome.KEEP] * 2
    assert len(undisturbed.measured) == 2 + 1 + 2 + 1 + 2

    folder, killed = begin(tmp_path / "killed"), 0
    for measured in (1, 3, 5, 7):
        runner = start(folder)
        wait_until(lambda least=measured: at_work(folder, least), runner, 300)
        if measured % 4 == 3:  # both at once; else the runner sees its trainer die first
            kill_group(runner)
        for pid in trainers(folder / RUN):
            os.kill(pid, signal.SIGKILL)
            killed += 1
        time.sleep(1.0)
        kill_group(runner)
    night = to_its_end(folder)
    assert killed == 4
    assert night.measured == undisturbed.measured
    assert night.verdicts == undisturbed.verdicts
    assert night.steps.keys() == undisturbed.steps.keys(), "no training has a second folder"
    assert all(sorted(set(steps)) == [*range(1, 9)] for steps in night.steps.values())
    assert 0 < sum(len(steps) - 8 for steps in night.steps.values()) <= 2 * killed, "what no checkpoint had, once more"


def begin(folder: Path) -> Path:
    folder.mkdir()
    (folder / "program.md").write_text(PROGRAM)
    return folder


def to_its_end(folder: Path) -> Night:
    assert start(folder).wait(600) == 0, (folder / "said.txt").read_text()
    with closing(Reader(folder / RUN)) as read:
        measured = [(one.experiment, one.seed, str(one.role), one.value, one.asked_by) for one in read.measurements()]
        verdicts = [(row.verdict.outcome, row.verdict.reason) for row in read.rows() if row.verdict]
    folders = (place.parent for place in sorted((folder / RUN / "work").glob("*/order.json")))
    return Night(measured, verdicts, {one.name: steps(one) for one in folders if "-train-" in one.name})


def at_work(folder: Path, measured: int) -> bool:
    """Whether so much was measured, and the next training is between two of its checkpoints."""
    if not has_begun(folder / RUN) or not trainers(folder / RUN):
        return False
    with closing(Reader(folder / RUN)) as read:
        count = len(read.measurements())
    return count >= measured and any(steps(one) and steps(one)[-1] in (3, 5) for one in working(folder))


def working(folder: Path) -> list[Path]:
    pids = trainers(folder / RUN)
    works = [Worker(place) for place in (folder / RUN / "work").glob("*-train-*")]
    return [one.folder for one in works if (who := one.identity()) and who.pid in pids]


def steps(folder: Path) -> list[int]:
    """In the order in which a trainer logged them; one that was done again is there again."""
    return [line["step"] for line in Worker(folder).new_metrics() if line.get("phase") == "train"]
