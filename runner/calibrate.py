"""Calibrating the judge of a program: the labels there are, what is left to label, and the finding on record."""

from __future__ import annotations

import hashlib
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from checkpoints import writes
from checkpoints.ownership import RUN, holder
from checkpoints.reader import DATABASE, Reader
from checkpoints.store import Store, StoreError
from checkpoints.trouble import why
from checkpoints.trust import Calibration
from checkpoints.visitor import calibrate_from_outside, check
from lanes.judge.calibration import Report, compare
from lanes.judge.labels import identity, kept_labels, read_labels, shown_pairs, together, voted_labels
from lanes.judge.process import Judge, Settings
from lanes.judge.records import Label, Pair
from runner.lane_settings import judge_settings
from runner.program import Program
from runner.program_error import ProgramError

WORK = "work/judge"
"""Of the judge's process, in the run folder."""


def judge_of(program: Program) -> Settings:
    """The judge that a program names.

    Raises:
        ProgramError: It names none.
    """
    if (settings := judge_settings(program)) is None:
        raise ProgramError(
            [f"{program.path}: evaluate.llm_judge names no judge; set it to a litellm model string: openai/gpt-4o-mini"]
        )
    return settings


def labels_of(program: Program, file: Path | None) -> list[Label]:
    """People's labels: of a file, of the terminal, and of the votes in the store; the first says where they differ.

    Raises:
        LabelError: A file of labels cannot be read.
        StoreError: The store cannot be read.
    """
    run = _run(program)
    labels = together(read_labels(file) if file else [], kept_labels(run))
    if not (run / DATABASE).exists():
        return labels
    check(run)
    with closing(Reader(run)) as read:
        return together(labels, voted_labels(read))


def to_label(program: Program, labels: list[Label]) -> list[Pair]:
    """Pairs of the run that have no label yet, blind, in an order and with a display order that say nothing."""
    run = _run(program)
    if not (run / DATABASE).exists():
        return []
    known = {identity(label.pair) for label in labels}
    with closing(Reader(run)) as read:
        pairs = shown_pairs(read, [experiment.number for experiment in read.experiments()]).values()
    fresh = {identity(pair): pair for pair in pairs if pair.answer_a != pair.answer_b}
    shuffled = sorted((_digest(program.seed, fresh[each]), fresh[each]) for each in fresh.keys() - known)
    return [pair if digest[0] < 128 else pair.other_way_round() for digest, pair in shuffled]


async def measure(program: Program, labels: list[Label], complain: Callable[[str], None]) -> Report:
    """Have the judge judge all labelled pairs in both display orders, and compare.

    Args:
        program: Names the judge.
        labels: What people said.
        complain: Called with a line where the judge was asked again.

    Raises:
        JudgeFailed: It cannot be asked.
    """
    async with Judge(judge_of(program), _run(program) / WORK, complain) as judge:
        return compare(labels, await judge.read_all([label.pair for label in labels]))


def record(program: Program, report: Report) -> None:
    """Put a calibration on record in the run's store, whoever owns it; a store that is not there yet is made.

    Raises:
        StoreError: It cannot be written.
    """
    run, rate = _run(program), report.agreed / report.labels
    found = Calibration(
        0, judge_of(program).model, report.labels, rate, report.consistency, report.passed, report.reason, time.time()
    )
    if not holder(run):
        with closing(Store(run)) as store:
            store.submit(writes.add_calibration, found).result()
        return
    try:
        calibrate_from_outside(run, found)
    except sqlite3.Error as error:
        raise StoreError(why(run / DATABASE, error)) from error


def _run(program: Program) -> Path:
    return program.path.parent / RUN


def _digest(seed: int, pair: Pair) -> bytes:
    return hashlib.sha256(
        "\x1f".join((str(seed), *sorted((pair.answer_a, pair.answer_b)), pair.prompt)).encode()
    ).digest()
