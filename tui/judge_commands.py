"""What `autoresearch-tui judge` does: calibrate the judge on people's labels, and say whether it may vote."""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from pathlib import Path

from checkpoints.ownership import RUN
from checkpoints.reader import DATABASE
from checkpoints.text import clean
from checkpoints.visitor import reading
from lanes.judge.calibration import LABELS, describe
from lanes.judge.labels import LabelError, keep_label
from lanes.judge.permission import NotAllowed, allow, recheck
from lanes.judge.process import JudgeFailed
from runner.calibrate import judge_of, labels_of, measure, record, to_label
from runner.program import Program
from tui.labelling import ask
from tui.run_error import RunError

_NOT = "it may not vote; run `autoresearch-tui judge calibrate` once that is mended"


def calibrate(asked: argparse.Namespace) -> int:
    """Hold the judge against people's labels; 0 where it passes.

    Raises:
        RunError: There are too few labels, or the judge cannot be asked.
    """
    program = Program.read(asked.folder)
    judge = judge_of(program)
    try:
        labels = labels_of(program, asked.labels)
        if len(labels) < LABELS and sys.stdin.isatty():
            run = program.path.parent / RUN
            labels += ask(to_label(program, labels), LABELS - len(labels), lambda label: keep_label(run, label))
        if len(labels) < LABELS:
            raise RunError(_too_few(len(labels), asked.folder))
        print(f"{judge.model} judges {len(labels)} pairs, {2 * len(labels)} questions …", file=sys.stderr)
        report = asyncio.run(measure(program, labels, lambda line: print(line, file=sys.stderr)))
    except (LabelError, JudgeFailed) as error:
        raise RunError(str(error)) from None
    print(clean("\n".join(describe(report, judge.model))))
    record(program, report)
    return 0 if report.passed else 1


def status(asked: argparse.Namespace) -> int:
    """Whether the judge may vote, and how it has fared since; 0 where it may."""
    judge = judge_of(Program.read(asked.folder))
    run = asked.folder / RUN
    if not (run / DATABASE).exists():
        print(f"{judge.model} may not vote: it was never calibrated; run `autoresearch-tui judge calibrate`")
        return 1
    with reading(run) as read:
        calibrations = read.calibrations()
        for each in calibrations:
            day = time.strftime("%Y-%m-%d %H:%M", time.localtime(each.at))
            print(clean(f"{day}  {each.judge} on {each.labels} labels: {each.reason}"))
        try:
            since = allow(calibrations, judge.model)
        except NotAllowed as error:
            print(clean(str(error)) if not calibrations or calibrations[-1].judge != judge.model else _NOT)
            return 1
        found = recheck(read, judge.model, since.at)
    print(f"since then it judged {found.judged} pairs: {found.reason}")
    return 1 if found.drifted else 0


def _too_few(there: int, folder: Path) -> str:
    return (
        f"{LABELS - there} more labels are needed, {there} of {LABELS} are there: give a file with --labels "
        '({"prompt", "answer_a", "answer_b", "choice": "a" | "tie" | "b"} a line), have people vote, or run this in a '
        f"terminal once models have answered: autoresearch-tui judge calibrate {folder}"
    )
