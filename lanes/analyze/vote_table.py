"""Votes as columns of numbers: what counting, resampling and agreement are computed from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from checkpoints.records import Choice
from lanes.analyze.strengths import Floats

Indices: TypeAlias = NDArray[np.int64]

FIRST, EQUAL, SECOND = 0, 1, 2
"""Outcomes of a vote: the answer shown first was better, about equal, the one shown second."""

OUTCOMES: dict[str, int] = {Choice.A: FIRST, Choice.TIE: EQUAL, Choice.B: SECOND}


@dataclass(frozen=True, slots=True, eq=False)
class VoteTable:
    """Votes, one an index; a model against itself tells nothing and is not among them."""

    models: tuple[str, ...]
    """In alphabetical order, as are voters and prompts."""

    first: Indices
    """(votes,): the model shown first."""

    second: Indices
    outcome: Indices
    """(votes,): FIRST, EQUAL or SECOND."""

    voters: tuple[str, ...]
    """Empty where nobody said who voted: then every vote counts as a voter of its own."""

    voter: Indices
    """(votes,)"""

    prompts: tuple[str, ...]
    """Empty where nobody said what was asked: then two models are one question, whatever was asked."""

    prompt: Indices
    """(votes,)"""

    def __len__(self) -> int:
        """Number of votes."""
        return len(self.first)

    @property
    def people(self) -> int:
        """Number of voters, or of votes where nobody said who voted."""
        return len(self.voters) or len(self)

    def votes_of_models(self) -> list[int]:
        """Votes on each model."""
        size = len(self.models)
        return (np.bincount(self.first, minlength=size) + np.bincount(self.second, minlength=size)).tolist()

    def cells(self) -> Floats:
        """(models, models, outcomes): votes with the row shown first and the column second."""
        size = len(self.models)
        return np.bincount(self.cell(), minlength=3 * size * size).reshape(size, size, 3).astype(np.float64)

    def cell(self) -> Indices:
        """(votes,): index of each vote's place in the flat ``cells``."""
        return (self.first * len(self.models) + self.second) * 3 + self.outcome


def of_columns(
    model_a: Sequence[str],
    model_b: Sequence[str],
    choice: Sequence[str],
    voter: Sequence[str] | None = None,
    prompt: Sequence[str] | None = None,
) -> VoteTable:
    """A table from columns of equal length.

    Args:
        model_a: the model whose answer was shown first, by vote.
        model_b: the one shown second.
        choice: a ``Choice`` or its value.
        voter: who voted; None where it is not known.
        prompt: what was asked; None where it is not known.
    """
    names, (first, second) = _coded(model_a, model_b)
    outcome = np.fromiter(map(OUTCOMES.__getitem__, choice), np.int64, len(choice))
    voters, (who,) = _coded(voter) if voter is not None else ((), (np.arange(len(choice)),))
    prompts, (asked,) = _coded(prompt) if prompt is not None else ((), (np.zeros(len(choice), np.int64),))
    told = first != second
    models, (first, second) = _used(names, first[told], second[told])
    voters, (who,) = _used(voters, who[told]) if voters else ((), (np.arange(len(first)),))
    prompts, (asked,) = _used(prompts, asked[told]) if prompts else ((), (asked[told],))
    return VoteTable(models, first, second, outcome[told], voters, who, prompts, asked)


def distinct(values: Indices) -> Indices:
    """The distinct values in order, as ``np.unique``, which hashes them and takes ten times as long with a million."""
    ordered = np.sort(values)
    return ordered[np.diff(ordered, prepend=ordered[:1] - 1) > 0]


def _coded(*columns: Sequence[str]) -> tuple[tuple[str, ...], tuple[Indices, ...]]:
    """The distinct names in order, and each column as indices of them."""
    names = tuple(sorted({name for column in columns for name in set(column)}))
    place = {name: at for at, name in enumerate(names)}
    return names, tuple(np.fromiter(map(place.__getitem__, column), np.int64, len(column)) for column in columns)


def _used(names: tuple[str, ...], *columns: Indices) -> tuple[tuple[str, ...], tuple[Indices, ...]]:
    """Names that still occur, and the columns as indices of those."""
    seen = np.zeros(len(names), dtype=np.bool_)
    for column in columns:
        seen[column] = True
    if seen.all():
        return names, columns
    place = np.cumsum(seen) - 1
    return tuple(name for name, kept in zip(names, seen, strict=True) if kept), tuple(place[each] for each in columns)
