"""What is wrong with a run that has ended: from its store, its folder and the outside ledger alone."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from laws import Breach, Law, breaches
from small_demo import worker_pids

from chaos.outside import Outside
from chaos.trainer import STEPS, WEIGHTS
from checkpoints.artifacts import MANIFEST, problems
from checkpoints.reader import Reader
from checkpoints.records import Lane, StageState

ACCOUNTED = re.compile(
    r"run\.db(-wal|-shm)?|owner\.lock|headless\.log|copies/.*|evaluate-\d+-\d+\.done"
    r"|(artifacts|published)/exp-\d{4}/(manifest|weights)\.json"
    r"|arena/(ledger\.db(-wal|-shm)?|(order|result|worker)\.json|worker\.lock|log\.txt|(product|simulated)\.token)"
    r"|work/exp-\d{4}-train-\d+/((order|result|worker|data)\.json|worker\.lock|log\.txt|metrics\.jsonl|pause"
    r"|checkpoints/checkpoint-\d+/(manifest|weights)\.json)"
)
"""Files that a counting run may leave."""

HALF = re.compile(r"\.[^/]+\.\d+\.(tmp|old)(/.*)?$|\.exp-\d{4}\.tmp(/.*)?$")
"""What a process that was killed leaves of a file or folder that it was about to put in place."""


def found_wrong(run: Path, experiments: int, outside: Outside) -> list[Breach]:
    """Every law that a counting run of so many experiments breaks."""
    with closing(Reader(run)) as read:
        return [
            *breaches(read, experiments),
            *outside.breaches(read),
            *_uploads(run, read),
            *_steps(run, read),
            *_processes(run),
            *_files(run),
        ]


def _uploads(run: Path, read: Reader) -> Iterator[Breach]:
    """An upload is whole or not there, and says what was trained."""
    for folder in (run / "published").glob("exp-*"):
        for problem in problems(folder):
            yield Breach(Law.LOST, f"published {folder.name}: {problem}")
    for stage in read.stages():
        if stage.lane is Lane.UPLOAD and stage.state is StageState.DONE:
            folder = run / "published" / f"exp-{stage.experiment:04d}"
            if not (folder / MANIFEST).exists():
                yield Breach(Law.LOST, f"{folder.name} was published and is not there")
            elif json.loads((folder / WEIGHTS).read_bytes()).get("learnt") != sum(range(STEPS + 1)):
                yield Breach(Law.AGAIN, f"{folder.name} was not trained on each step once")


def _steps(run: Path, read: Reader) -> Iterator[Breach]:
    """Every step of a finished training is in the metrics once."""
    for stage in read.stages():
        if stage.lane is Lane.TRAIN and stage.state is StageState.DONE:
            logged = Counter(metric.step for metric in read.metrics(stage.experiment))
            if logged != Counter(range(1, STEPS + 1)):
                yield Breach(Law.LOST, f"metrics of experiment {stage.experiment} have steps {dict(logged)}")


def _processes(run: Path) -> Iterator[Breach]:
    if left := worker_pids(run):
        yield Breach(Law.HANGS, f"{len(left)} processes outlive the run")


def _files(run: Path) -> Iterator[Breach]:
    names = sorted(path.relative_to(run).as_posix() for path in run.rglob("*") if not path.is_dir())
    for name in names:
        if not ACCOUNTED.fullmatch(name) and not HALF.search(name):
            yield Breach(Law.LOST, f"nobody knows what {name} is for")
