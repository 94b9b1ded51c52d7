"""Files of votes and of metrics: ``model_a,model_b,winner[,voter][,prompt]`` and ``model,value``."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from checkpoints.records import Choice
from checkpoints.text import clean
from lanes.analyze.csv_rows import Complaints, Unreadable, read_rows, short
from lanes.analyze.simulation import Columns
from lanes.analyze.vote_table import VoteTable, of_columns

COLUMNS = ("model_a", "model_b", "winner", "voter", "prompt")

MODELS = 500
"""Most models of a file: a ranking of these takes some 20 s, and more are a wrong column."""

CHOICES = {"model_a": Choice.A, "tie": Choice.TIE, "model_b": Choice.B}

WINNERS = {choice.value: winner for winner, choice in CHOICES.items()}


@dataclass(frozen=True, slots=True)
class VoteFile:
    """What a file of votes held."""

    table: VoteTable
    complaints: Complaints


@dataclass(frozen=True, slots=True)
class MetricFile:
    """What a file of a metric held."""

    metric: str
    """The name of the file."""

    values: dict[str, float]
    complaints: Complaints


def read_votes(path: Path) -> VoteFile:
    """Votes of a file; a row that is none leaves a complaint.

    A vote without a voter counts as one of a voter of its own, and one without a prompt as one on a prompt of its own.

    Raises:
        Unreadable: there is no file, no header or no vote, or there are too many models.
    """
    complaints = Complaints(path)
    columns, rows = read_rows(path, COLUMNS[:3], COLUMNS[3:], complaints)
    names: dict[str, str] = {}
    first: list[str] = []
    second: list[str] = []
    choices: list[str] = []
    voters: list[str] = []
    prompts: list[str] = []
    for line, (model_a, model_b, winner, voter, prompt) in rows:
        choice = CHOICES.get(winner) or CHOICES.get(winner.strip().lower())
        a, b = names.get(model_a) or _named(model_a, names), names.get(model_b) or _named(model_b, names)
        if choice is None:
            complaints.add(line, f"winner is {short(winner)}: model_a, model_b or tie")
        elif not a or not b:
            complaints.add(line, f"no name of {'model_b' if a else 'model_a'}")
        elif a == b:
            complaints.add(line, f"{short(a)} against itself says nothing")
        else:
            first.append(a)
            second.append(b)
            choices.append(choice)
            voters.append(names.get(voter) or _named(voter, names) or f"line {line}")
            prompts.append(prompt or f"line {line}")
    if not first:
        raise Unreadable("; ".join([f"{path}: there is no vote in it", *complaints.said()[:1]]))
    table = of_columns(
        first, second, choices, voters if "voter" in columns else None, prompts if "prompt" in columns else None
    )
    if len(table.models) > MODELS:
        which = "are model_a and model_b the right columns?"
        raise Unreadable(f"{path}: {len(table.models):,} models, at most {MODELS:,} can be ranked; {which}")
    return VoteFile(table, complaints)


def read_metric(path: Path) -> MetricFile:
    """A metric's value by model; a row that is none leaves a complaint.

    Raises:
        Unreadable: there is no file, no header or no value.
    """
    complaints = Complaints(path)
    _, rows = read_rows(path, ("model", "value"), (), complaints)
    values: dict[str, float] = {}
    for line, (name, text) in rows:
        model, value = " ".join(clean(name).split()), _number(text)
        if not model:
            complaints.add(line, "no name of a model")
        elif value is None:
            complaints.add(line, f"value is {short(text)}: a number")
        elif model in values:
            complaints.add(line, f"{short(model)} has a value already; the first one counts")
        else:
            values[model] = value
    if not values:
        raise Unreadable("; ".join([f"{path}: there is no value in it", *complaints.said()[:1]]))
    return MetricFile(clean(path.stem), values, complaints)


def write_votes(columns: Columns, file: TextIO) -> None:
    """Votes as such a file."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    winners = map(WINNERS.__getitem__, columns.choice)
    writer.writerows(zip(columns.model_a, columns.model_b, winners, columns.voter, columns.prompt, strict=True))


def _named(raw: str, names: dict[str, str]) -> str:
    """A name without controls and with single spaces; remembered, as there are few of them and many votes."""
    return names.setdefault(raw, " ".join(clean(raw).split()))


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
