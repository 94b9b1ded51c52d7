"""Studies a run's votes in a process of its own: ``python -m lanes.analyze.studying RUN_FOLDER [strengths]``.

It prints one JSON line: all that the votes say, or the strengths alone.

A process of its own, because scipy and a million votes are more memory than a dashboard that drives a run may take.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import closing
from dataclasses import replace
from itertools import compress
from pathlib import Path

from checkpoints.reader import Reader
from checkpoints.records import REFERENCE, model_name
from lanes.analyze import clustered
from lanes.analyze.analysis import Scores, analyse
from lanes.analyze.asking import STRENGTHS
from lanes.analyze.bootstrap import draw
from lanes.analyze.findings import Strength, Trust
from lanes.analyze.study import Study, as_insight, strengths_as_json
from lanes.analyze.vote_table import VoteTable, of_columns
from lanes.judge.votes import judged_win_rates

MOST_VOTES = 1_000_000
"""Votes that are looked at, the newest: some seconds and half a gigabyte."""

MOST_MODELS = 100
"""Models that are looked at: the time and the memory grow with their square and more."""

MOST_DISAGREEMENTS = 20
"""Pairs that a metric and people order in opposite ways that are kept, the surest; the others are counted."""

UNTRAINED = 0.5
"""``val_pref_acc`` of the model before training, by definition."""


def study(read: Reader) -> Study | None:
    """Everything that the votes of people (and simulated voters) say, judges aside; None before the first vote."""
    table, left_out, models_left_out = _table(read)
    if not table:
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
        trusts=tuple(_shortened(trust) for trust in analysis.trusts),
        models_left_out=models_left_out,
    )


def strengths(read: Reader) -> tuple[Strength, ...]:
    """The strengths of the same models by the same votes, and nothing that takes longer."""
    table, _, _ = _table(read)
    if not table or REFERENCE not in table.models:
        return ()
    return clustered.strengths(table, draw(table, table.models.index(REFERENCE)), REFERENCE)


def _table(read: Reader) -> tuple[VoteTable | None, int, int]:
    """The votes on the models that are looked at; and how many older votes, and how many models, are left out."""
    found, left_out = read.vote_columns(MOST_VOTES)
    if not found:
        return None, left_out, 0
    models = {*found[0], *found[1]}
    chosen = _chosen(read, models)
    if chosen == models:
        return of_columns(*found), left_out, 0
    both = [a in chosen and b in chosen for a, b in zip(found[0], found[1], strict=True)]
    return of_columns(*(tuple(compress(column, both)) for column in found)), left_out, len(models - chosen)


def _chosen(read: Reader, models: set[str]) -> set[str]:
    """The models that are looked at: the reference, those that were promoted or reigned, and the newest."""
    known = [one.experiment for one in (*reversed(read.promotions()), *reversed(read.championships()))]
    named = [REFERENCE, *map(model_name, known), *sorted(models, reverse=True)]
    return {*[name for name in dict.fromkeys(named) if name in models][:MOST_MODELS]}


def _shortened(trust: Trust) -> Trust:
    """Without the disagreements that a page has no room for."""
    return replace(
        trust, disagreements=trust.disagreements[:MOST_DISAGREEMENTS],
        more=max(len(trust.disagreements) - MOST_DISAGREEMENTS, 0),
    )  # fmt: skip


def _metrics(read: Reader) -> list[Scores]:
    """Each automatic metric by model."""
    rows = read.rows(recipes=False)
    accuracy = {row.experiment.model: row.val_pref_acc for row in rows if row.val_pref_acc is not None}
    loss = {model_name(number): value for number, value in read.last_logged("eval", "loss").items()}
    judged = {model: rate.estimate for model, rate in judged_win_rates(read.judges_votes()).items()}
    return [
        Scores("val_pref_acc", accuracy | ({REFERENCE: UNTRAINED} if accuracy else {}), True),
        Scores("eval loss", loss, False),
        Scores("judge", judged | ({REFERENCE: 0.5} if judged else {}), True),
    ]


def main(run_folder: Path, wanted: str = "") -> int:
    """Print the study, or ``null`` before the first vote; or the strengths alone where those are wanted."""
    if wanted != STRENGTHS:
        os.nice(10)  # whoever trains comes first; for strengths a verdict waits
    with closing(Reader(run_folder)) as read:
        if wanted == STRENGTHS:
            print(json.dumps(strengths_as_json(strengths(read))))
        else:
            found = study(read)
            print(json.dumps(found and as_insight(found)))
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), *sys.argv[2:]))
