"""Studies a run's votes in a process of its own: ``python -m lanes.analyze.studying RUN_FOLDER`` prints one JSON line.

A process of its own, because scipy and a million votes are more memory than a dashboard that drives a run may take.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import closing
from pathlib import Path

from checkpoints.reader import Reader
from checkpoints.records import REFERENCE, model_name
from lanes.analyze.analysis import Scores, analyse
from lanes.analyze.study import Study, as_insight
from lanes.analyze.vote_table import of_columns
from lanes.judge.votes import judged_win_rates

MOST_VOTES = 1_000_000
"""Votes that are looked at, the newest: some seconds and half a gigabyte."""

UNTRAINED = 0.5
"""``val_pref_acc`` of the model before training, by definition."""


def study(read: Reader) -> Study | None:
    """Everything that the votes of people (and simulated voters) say, judges aside; None before the first vote."""
    found, left_out = read.vote_columns(MOST_VOTES)
    table = of_columns(*found) if found else None
    if table is None or not len(table):
        return None
    analysis = analyse(table, metrics=[scores for scores in _metrics(read) if len(scores.values) > 1])
    return Study(
        votes=analysis.votes,
        left_out=left_out,
        voters=analysis.voters,
        simulated=analysis.simulated,
        resamples=analysis.resamples,
        strengths=analysis.strengths,
        unknown=analysis.unknown,
        position=analysis.position,
        agreement=analysis.agreement,
        trusts=analysis.trusts,
    )


def _metrics(read: Reader) -> list[Scores]:
    """Each automatic metric by model."""
    rows = read.rows(recipes=False)
    accuracy = {row.experiment.model: row.val_pref_acc for row in rows if row.val_pref_acc is not None}
    loss = {model_name(number): value for number, value in read.last_logged("eval", "loss").items()}
    judged = {model: rate.estimate for model, rate in judged_win_rates(read.votes()).items()}
    return [
        Scores("val_pref_acc", accuracy | ({REFERENCE: UNTRAINED} if accuracy else {}), True),
        Scores("eval loss", loss, False),
        Scores("judge", judged | ({REFERENCE: 0.5} if judged else {}), True),
    ]


def main(run_folder: Path) -> int:
    """Print the study, or ``null`` before the first vote."""
    os.nice(10)  # whoever trains comes first
    with closing(Reader(run_folder)) as read:
        found = study(read)
    print(json.dumps(found and as_insight(found)))
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
