"""What ``autoresearch-tui replay`` does: judge the history of another loop, or of ours."""

from __future__ import annotations

import argparse
import json
import math
import sys
from pathlib import Path

from tui.run_error import RunError


def replay(asked: argparse.Namespace) -> int:
    """Say which keeps of a record stand out of the noise; what could not be read gets a line each on the way.

    Raises:
        RunError: The file is no record, or has no such metric.
    """
    from runner.replay.history import NoHistory
    from runner.replay.judged import judge
    from runner.replay.read import read_history
    from runner.replay.said import as_json, lines_of

    try:
        history = read_history(asked.file, asked.metric, asked.direction == "max")
    except NoHistory as lacking:
        raise RunError(str(lacking)) from None
    for line in history.complaints:
        print(line, file=sys.stderr)
    judged = judge(history, asked.sd)
    if asked.json:
        print(json.dumps(as_json(judged), indent=2, ensure_ascii=False))
    else:
        print("\n".join(lines_of(judged)))
    return 0


def grammar(parser: argparse.ArgumentParser) -> None:
    """What can be asked of ``replay``."""
    parser.add_argument("file", type=Path, help="a results.tsv, or a pi-autoresearch log (JSON lines)")
    parser.add_argument("--metric", required=True, help="the metric's column")
    parser.add_argument("--direction", required=True, choices=("max", "min"), help="whether more or less is better")
    parser.add_argument("--sd", type=_sd, help="standard deviation of a single run; from repeats when left out")
    parser.add_argument("--json", action="store_true", help="for a script")


def _sd(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        raise argparse.ArgumentTypeError(f"{text} is no standard deviation; one is a number above 0")
    return value
