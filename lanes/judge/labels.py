"""Where people's labels come from: a file of theirs, the labels given in a terminal, and votes that people cast."""

from __future__ import annotations

import csv
import json
import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, cast

from checkpoints.reader import Reader
from checkpoints.records import Answer, Choice, Vote
from checkpoints.text import clean
from lanes.judge.records import Label, Pair, is_judge, turned

LABELS = "labels.jsonl"
"""Labels that were given in a terminal, in the run's folder: one a line, with the fields below."""

FIELDS = ("prompt", "answer_a", "answer_b", "choice")
"""Of a label in a file; choice is ``a``, ``tie`` or ``b``."""

MOST_VOTED = 100
"""Labels that are taken from votes: more of them would cost a question each and hardly narrow the interval."""

LONGEST_FILE = 64 * 2**20
"""Bytes of a file of labels."""


class LabelError(Exception):
    """A file of labels cannot be read; the text names file and line, and says what a label is."""


class Place(NamedTuple):
    """Which pair of answers of a run: the models by name, so that the display order does not matter."""

    experiment: int
    prompt: str
    model_a: str
    model_b: str


def read_labels(path: Path) -> list[Label]:
    """The labels of a file: JSON objects a line, or CSV with a header where the name ends in ``.csv``.

    Raises:
        LabelError: It is not there, or a line is no label.
    """
    try:
        if path.stat().st_size > LONGEST_FILE:
            raise LabelError(f"{path} is larger than {LONGEST_FILE // 2**20} MB; a calibration needs some dozen labels")
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise LabelError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise LabelError(f"{path}: byte {error.start + 1} is not UTF-8; save the file as UTF-8") from None
    rows = _csv_rows(text) if path.suffix.lower() == ".csv" else _json_rows(text)
    try:
        return [_label(row, f"{path}:{number}") for number, row in rows]
    except csv.Error as error:
        raise LabelError(f"{path} is no CSV: {error}") from None


def kept_labels(folder: Path) -> list[Label]:
    """The labels that were given in a terminal before.

    Raises:
        LabelError: Somebody has edited the file, and a line of it is no label.
    """
    path = folder / LABELS
    return read_labels(path) if path.exists() else []


def keep_label(folder: Path, label: Label) -> None:
    """Keep a label for good before the next is asked for."""
    pair = label.pair
    row = dict(zip(FIELDS, (pair.prompt, pair.answer_a, pair.answer_b, label.choice), strict=True))
    with (folder / LABELS).open("a", encoding="utf-8") as file:
        file.write(json.dumps(row, ensure_ascii=False) + "\n")
        file.flush()
        os.fsync(file.fileno())


def voted_labels(read: Reader) -> list[Label]:
    """Pairs on which people's votes have a clear majority, of the newest experiments, as many as `MOST_VOTED`."""
    excluded = {one.voter for one in read.exclusions()}
    labels: list[Label] = []
    for experiment in reversed(read.experiments()):
        found = majorities(read.votes(experiment.number), excluded)
        pairs = shown_pairs(read, [experiment.number]) if found else {}
        labels += [Label(pairs[place], choice) for place, choice in found.items() if place in pairs]
        if len(labels) >= MOST_VOTED:
            break
    return labels[:MOST_VOTED]


def majorities(votes: Iterable[Vote], excluded: set[str], since: float = 0.0) -> dict[Place, Choice]:
    """What people say of pairs, in the terms of their places: what more than half of the votes on a pair say.

    Args:
        votes: Of anybody; those of judges, simulated and excluded voters are passed over.
        excluded: Voters who do not count.
        since: UTC seconds; older votes are passed over.
    """
    counts: defaultdict[Place, Counter[Choice]] = defaultdict(Counter)
    for vote in votes:
        if not (vote.simulated or is_judge(vote.voter) or vote.voter in excluded or vote.at <= since):
            counts[place_of(vote)][said_of(vote)] += 1
    leading = {place: each.most_common(1)[0] for place, each in counts.items()}
    return {place: choice for place, (choice, n) in leading.items() if 2 * n > counts[place].total()}


def place_of(vote: Vote) -> Place:
    """The pair that a vote is on."""
    return Place(vote.experiment, vote.prompt, *sorted((vote.model_a, vote.model_b)))


def said_of(vote: Vote) -> Choice:
    """A vote's choice in the terms of its place."""
    return vote.choice if vote.model_a < vote.model_b else turned(vote.choice)


def shown_pairs(read: Reader, experiments: Iterable[int]) -> dict[Place, Pair]:
    """The pairs of answers that voters can have seen in experiments' evaluations: each against the others' model."""
    found: dict[Place, Pair] = {}
    for experiment in sorted(experiments):
        by_prompt: defaultdict[str, list[Answer]] = defaultdict(list)
        for answer in read.answers(experiment):
            by_prompt[answer.prompt].append(answer)
        prompts = read.prompts(*by_prompt)
        for prompt, answers in by_prompt.items():
            if prompt in prompts:
                found.update(_pairs(experiment, prompts[prompt], answers))
    return found


def together(*groups: Iterable[Label]) -> list[Label]:
    """All labels, one a pair: the first where there are several, in whichever display order."""
    found: dict[frozenset[str], Label] = {}
    for label in (label for group in groups for label in group):
        found.setdefault(identity(label.pair), label)
    return list(found.values())


def identity(pair: Pair) -> frozenset[str]:
    """A pair whatever its display order."""
    return frozenset({f"?{pair.prompt}", f"!{pair.answer_a}", f"!{pair.answer_b}"})


def _pairs(experiment: int, prompt: str, answers: list[Answer]) -> Iterator[tuple[Place, Pair]]:
    ordered = sorted(answers, key=lambda answer: answer.model)
    for place, one in enumerate(ordered):
        for other in ordered[place + 1 :]:
            yield Place(experiment, one.prompt, one.model, other.model), Pair(prompt, one.text, other.text)


def _json_rows(text: str) -> Iterator[tuple[int, object]]:
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            try:
                yield number, json.loads(line)
            except (ValueError, RecursionError):
                yield number, None


def _csv_rows(text: str) -> Iterator[tuple[int, object]]:
    rows = csv.DictReader(text.splitlines(keepends=True))
    for row in rows:
        yield rows.line_num, row


def _label(row: object, where: str) -> Label:
    values: dict[str, Any] = cast("dict[str, Any]", row) if isinstance(row, dict) else {}
    texts = [values.get(name) for name in FIELDS]
    if not all(isinstance(text, str) for text in texts):
        raise LabelError(f"{where} is no label; one has {', '.join(FIELDS)}, all of them text")
    prompt, answer_a, answer_b, choice = (clean(str(text)) for text in texts)
    try:
        return Label(Pair(prompt, answer_a, answer_b), Choice(choice.strip().lower()))
    except ValueError:
        raise LabelError(f"{where}: choice is {choice[:40]!r}; it is a, tie or b") from None
