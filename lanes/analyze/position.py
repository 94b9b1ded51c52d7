"""The advantage of the answer shown first: how large it is, whether it matters, and strengths without it."""

from __future__ import annotations

import numpy as np

from checkpoints.records import Interval
from lanes.analyze.bootstrap import Draws, spread
from lanes.analyze.clustered import mean, measure
from lanes.analyze.findings import Position
from lanes.analyze.ranking import ELO, win_rate
from lanes.analyze.strengths import Floats
from lanes.analyze.verdict import per_cent
from lanes.analyze.vote_table import VoteTable

ALWAYS = 10.0
"""Beyond this advantage, in units of θ, the answer shown first won, or lost, every time: it has no end."""


def first_shown(table: VoteTable, plain: Draws, placed: Draws) -> tuple[Position, Draws | None]:
    """Whether the place matters.

    Args:
        table: all votes.
        plain, placed: from ``bootstrap.draw_with_place``.

    Returns:
        What was found, and the draws without the advantage; None where the votes do not tell.
    """
    if not told(table.cells()):
        nothing = "Whether being shown first is an advantage cannot be told: no two models were shown in both orders."
        return Position(None, 0.0, False, nothing), None
    if abs(placed.first) > ALWAYS:
        which = "first" if placed.first > 0 else "second"
        always = f"The answer shown {which} always won: by these votes nothing else can be told."
        return Position(None, 0.0, True, always), None
    low, high = spread(placed.first, placed.drawn_first, placed.voters)
    first = Interval(win_rate(placed.first), win_rate(low), win_rate(high))
    bounded = measure(placed)
    moved = (placed.theta - mean(placed.theta, bounded)) - (plain.theta - mean(plain.theta, bounded))
    shift = ELO * float(np.abs(moved[bounded]).max())
    matters = not first.low <= 0.5 <= first.high
    return Position(first, shift, matters, _sentence(first, shift, matters)), placed


def told(cells: Floats) -> bool:
    """Whether the votes tell the advantage of the place from the strengths of the models.

    They do when two models were shown in both orders, or when the orders go round in a circle, as no strengths do.
    """
    shown = cells.sum(axis=2) > 0
    if (shown & shown.T).any():
        return True
    # Least squares for strengths that put every first one ahead of its second by 1: do they explain all?
    ahead = shown.astype(np.float64)
    degree = np.diag(ahead.sum(axis=1) + ahead.sum(axis=0))
    lead = ahead.sum(axis=1) - ahead.sum(axis=0)
    strengths: Floats = np.asarray(np.linalg.pinv(degree - ahead - ahead.T, hermitian=True) @ lead, dtype=np.float64)
    return not np.allclose((strengths[:, None] - strengths[None, :])[shown], 1.0)


def _sentence(first: Interval, shift: float, matters: bool) -> str:
    if not matters:
        return f"No advantage of the answer shown first is seen: it wins {per_cent(first)} of even matches."
    which = "first" if first.estimate > 0.5 else "second"
    rate = first if first.estimate > 0.5 else Interval(1 - first.estimate, 1 - first.high, 1 - first.low)
    return (
        f"The answer shown {which} wins {per_cent(rate)} of even matches, so the place matters; "
        f"correcting for it moves no model by more than {shift:.1f} Elo points."
    )
