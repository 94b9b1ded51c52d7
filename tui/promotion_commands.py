"""``promote`` and ``demote``: which model users are served for good."""

from __future__ import annotations

import argparse
from pathlib import Path

from checkpoints.records import Step
from runner.asked import NotDone, ask_for
from runner.promotion import examine
from tui.run_error import RunError


def promote(asked: argparse.Namespace, run_folder: Path) -> int:
    """Promote the champion, or say which condition is missing; returns the exit status."""
    found = examine(run_folder)
    for condition in found.conditions:
        print(f"{'✓' if condition.met else '✗'} {condition.name}: {condition.found}")
    if asked.check or not found.passed:
        return 0 if found.passed else 1
    print(_done(run_folder, Step.PROMOTE, asked.reason))
    return 0


def demote(asked: argparse.Namespace, run_folder: Path) -> int:
    """Take a promotion back: the model that was promoted before is promoted again."""
    print(_done(run_folder, Step.DEMOTE, asked.reason))
    return 0


def _done(run_folder: Path, step: Step, reason: str) -> str:
    try:
        done = ask_for(run_folder, step, reason)
    except NotDone as error:
        raise RunError(str(error)) from None
    if done.refused:
        raise RunError(done.effect)
    return done.effect
