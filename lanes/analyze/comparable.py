"""Which models the votes link at all, and in which direction they leave a strength without an end.

A model that no chain of wins leads up to may be any amount better: its strength has no upper end. One that no chain of
wins links to the origin, either way, may be anything. The estimates stay finite by a weak prior, half a win each way
between two models that met but have no chain of wins both ways.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from lanes.analyze.strengths import Floats, Games, of_cells

Bools: TypeAlias = NDArray[np.bool_]


def comparable(games: Games, origin: int, beats: Bools) -> Games:
    """Games with one top: those between comparable models, with the prior where it is needed.

    A model that is not comparable has half a win each way against the origin alone, which moves nothing else.

    Args:
        games: counted votes of one or many tables.
        origin: index of the model that the others are measured against.
        beats: from ``chains_of``.
    """
    known = beats[:, :, origin] | beats[:, origin, :]
    both = known[:, :, None] & known[:, None, :]
    score, played, ties = games.score * both, games.played * both, games.ties * both
    met = (played > 0) | (played > 0).transpose(0, 2, 1)
    linked = met & ~(beats & beats.transpose(0, 2, 1))
    linked[:, origin] |= ~known
    linked[:, :, origin] |= ~known
    # A quarter of a point as first and a quarter as second: half a win each way, whoever is shown first.
    return Games(score + 0.25 * linked, played + 0.5 * linked, ties)


def open_ends(beats: Bools, frame: Sequence[int]) -> Floats:
    """What is open in each strength where it is measured by some models.

    Args:
        beats: from ``chains_of``.
        frame: indices of the models; a chain to, or from, half of them but the model itself is an end.

    Returns:
        (tables, models): 0 with both ends, ∞ without an upper one, −∞ without a lower one, NaN with neither.
    """
    others = len(frame) - np.isin(list(range(beats.shape[-1])), frame)
    above = 2 * (beats[:, :, frame].sum(axis=2) - len(frame) + others) >= others
    below = 2 * (beats[:, frame, :].sum(axis=1) - len(frame) + others) >= others
    return np.select([above & below, above, below], [0.0, np.inf, -np.inf], np.nan)


def anchor(cells: Floats) -> int:
    """The model to measure the others against where none is named: so that as many votes as can be have both ends.

    Args:
        cells: (models, models, 3), votes by model shown first, model shown second and outcome; at least one.

    Returns:
        Index of the model with the most votes, of those with chains of wins both ways to each other that have the most.
    """
    beats = chains_of(of_cells(cells[None]))[0]
    votes = (cells + cells.transpose(1, 0, 2)).sum(axis=(1, 2))
    together = (beats & beats.T) @ votes
    return int(np.lexsort((-votes, -together))[0])


def chains_of(games: Games) -> Bools:
    """(tables, models, models): whether the row beat the column, or one that beat it, and so on; each is its own."""
    wins = games.score + (games.played - games.score).transpose(0, 2, 1)
    reach = (wins > 0) | np.eye(wins.shape[-1], dtype=np.bool_)
    while True:
        steps = reach.astype(np.float32)
        further = steps @ steps > 0
        if np.array_equal(further, reach):
            return reach
        reach = further
