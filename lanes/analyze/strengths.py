"""The most likely strengths behind counted votes, for one table of votes or for many at once.

The answer shown first wins with the odds of ``exp(d)``, where ``d = θ_first − θ_second + γ``. Bradley and Terry (1952):
γ is 0, and a tie is half a win to each. Davidson and Beaver (1977): γ is the advantage of the place. Davidson (1970):
a tie is an outcome of its own, of weight ``ν √(π_first π_second)`` beside the weights π = exp(θ) of the two wins.
All are exponential families, so Newton's method with a checked step climbs to the one top.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]

Ties: TypeAlias = Literal["half", "davidson"]
"""A tie is half a win to each, or an outcome of its own."""

TOLERANCE = 1e-8
"""The fit ends when no parameter moved further than this."""

STRIDE = 4.0
"""No two models that met move further apart or closer than this in one step: beyond, the curvature is another one."""

ROUNDING = 1e-12
"""Share of a log-likelihood that may be rounding."""

STEPS = 200
"""No fit takes more: only one without a top, where the answer shown first always won, comes near it."""

FAINT = 1e-10
"""Share of the information that is added on the diagonal for what the votes leave open; far below what shows."""


@dataclass(frozen=True, slots=True, eq=False)
class Games:
    """Counted votes of one or many tables (the leading axis), by who was shown first."""

    score: Floats
    """(tables, models, models): points of the row, shown first, against the column: a win is 1, a tie a half."""

    played: Floats
    """(tables, models, models): votes with the row shown first."""

    ties: Floats
    """(tables, models, models): of those played."""


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """What makes the votes most likely."""

    theta: Floats
    """(tables, models): θ, 0 for the origin."""

    first: Floats
    """(tables,): γ, the advantage of being shown first, in units of θ; 0 where it was not asked for."""

    tie: Floats
    """(tables,): log ν of Davidson's model; minus infinity where ties count half."""

    def repeated(self, times: int) -> Fitted:
        """The same for each of so many tables."""
        return Fitted(*(np.repeat(one, times, axis=0) for one in (self.theta, self.first, self.tie)))


def of_cells(cells: Floats) -> Games:
    """Games from votes counted by model shown first, model shown second, and outcome.

    Args:
        cells: (tables, models, models, 3): the first was better, about equal, the second was better.
    """
    tied = cells[..., 1]
    return Games(cells[..., 0] + tied / 2, cells.sum(axis=-1), tied)


def of_wins(wins: Floats) -> Games:
    """Games from how often the row beat the column, whoever was shown first.

    Args:
        wins: (tables, models, models).
    """
    return Games(wins, wins, np.zeros_like(wins))


def most_likely(
    games: Games,
    origin: int,
    position: bool = False,
    ties: Ties = "half",
    start: Fitted | None = None,
    tolerance: float = TOLERANCE,
) -> Fitted:
    """Fit every table.

    Args:
        games: with chains of wins both ways between all models, so that the strengths have a top.
        origin: index of the model that the others are measured against.
        position: fit the advantage of being shown first, too.
        ties: Davidson's model needs ties and decisive votes in every table.
        start: where to begin; near the top it saves steps.
        tolerance: in units of θ.
    """
    tables, models = games.score.shape[:2]
    x = _vector(start, tables, models, ties)
    free = np.array(
        [at for at in range(models) if at != origin]
        + [models] * position
        + [models + 1] * (ties == "davidson")
    )  # fmt: skip
    best = _log_likelihood(games, x, ties)
    open_ = np.ones(tables, dtype=np.bool_)
    for _ in range(STEPS):
        move = np.zeros_like(x)
        slope, information = _curvature(games, x, ties)
        move[:, free] = _solved(information[:, free[:, None], free], slope[:, free])
        move *= (STRIDE / np.maximum(STRIDE, _largest_change(move, games)))[:, None]
        move[~open_] = 0
        full = np.abs(move).max(axis=1)
        reached = _log_likelihood(games, x + move, ties)
        # Concave, so a short enough move goes up; at the top no more than rounding is left of the difference.
        while (down := reached < best - ROUNDING * np.abs(best)).any():
            move[down] /= 2
            reached = _log_likelihood(games, x + move, ties)
        x, gained, best = x + move, reached > best, reached
        open_ &= (full > tolerance) & gained
        if not open_.any():
            break
    return Fitted(x[:, :models], x[:, models], x[:, models + 1])


def deviations(games: Games, fitted: Fitted, origin: int) -> Floats:
    """(tables, models): standard deviation of each θ against the origin's, from the Fisher information; ties half."""
    tables, models = fitted.theta.shape
    free = np.array([at for at in range(models) if at != origin])
    x = _vector(fitted, tables, models, "half")
    information = _curvature(games, x, "half")[1][:, free[:, None], free]
    found = np.zeros_like(fitted.theta)
    found[:, free] = np.sqrt(np.diagonal(np.linalg.inv(information), axis1=-2, axis2=-1))
    return found


def _vector(start: Fitted | None, tables: int, models: int, ties: Ties) -> Floats:
    """(tables, models + 2): θ, γ, log ν."""
    x = np.zeros((tables, models + 2))
    if start is not None:
        x[:, :models], x[:, models], x[:, models + 1] = start.theta, start.first, start.tie
    if ties == "half":
        x[:, models + 1] = -np.inf
    else:
        x[:, models + 1][np.isneginf(x[:, models + 1])] = 0.0
    return x


def _lead(x: Floats) -> Floats:
    """(tables, models, models): d of the row, shown first, over the column."""
    theta = x[:, :-2]
    return theta[:, :, None] - theta[:, None, :] + x[:, -2, None, None]


def _curvature(games: Games, x: Floats, ties: Ties) -> tuple[Floats, Floats]:
    """Slope (tables, parameters) and Fisher information (tables, parameters, parameters) of the log-likelihood."""
    lead = _lead(x)
    if ties == "half":
        odds = np.exp(-np.abs(lead))
        expected = np.where(lead > 0, 1.0, odds) / (1 + odds)
        between = games.played * odds / (1 + odds) ** 2
        tie_slope, tie_tie, tie_lead = np.zeros(len(x)), np.zeros(len(x)), np.zeros_like(lead)
    else:
        won, tied = _chances(lead, x[:, -1, None, None])
        expected = won + tied / 2
        between = games.played * (won + tied / 4 - expected**2)
        tie_slope = (games.ties - games.played * tied).sum(axis=(1, 2))
        tie_tie = (games.played * tied * (1 - tied)).sum(axis=(1, 2))
        tie_lead = games.played * tied * (0.5 - expected)
    surplus = games.score - games.played * expected
    slope = np.empty_like(x)
    slope[:, :-2] = surplus.sum(axis=2) - surplus.sum(axis=1)
    slope[:, -2], slope[:, -1] = surplus.sum(axis=(1, 2)), tie_slope
    information = np.empty((*x.shape, x.shape[1]))
    rows, columns = between.sum(axis=2), between.sum(axis=1)
    information[:, :-2, :-2] = -(between + between.transpose(0, 2, 1))
    models = list(range(x.shape[1] - 2))
    information[:, models, models] += rows + columns
    information[:, :-2, -2] = information[:, -2, :-2] = rows - columns
    information[:, :-2, -1] = information[:, -1, :-2] = tie_lead.sum(axis=2) - tie_lead.sum(axis=1)
    information[:, -2, -2], information[:, -1, -1] = rows.sum(axis=1), tie_tie
    information[:, -2, -1] = information[:, -1, -2] = tie_lead.sum(axis=(1, 2))
    return slope, information


def _chances(lead: Floats, tie: Floats) -> tuple[Floats, Floats]:
    """Davidson's chances that the first wins, and of a tie."""
    top = np.maximum(np.abs(lead) / 2, tie)
    won, tied, lost = np.exp(lead / 2 - top), np.exp(tie - top), np.exp(-lead / 2 - top)
    total = won + tied + lost
    return won / total, tied / total


def _solved(information: Floats, slope: Floats) -> Floats:
    """The Newton step; what the votes leave open, as the place where no pair was shown both ways, stays put."""
    try:
        return np.linalg.solve(information, slope[..., None])[..., 0].astype(np.float64)
    except np.linalg.LinAlgError:
        most = np.diagonal(information, axis1=1, axis2=2).max(axis=1, initial=1.0)
        firm: Floats = information + FAINT * most[:, None, None] * np.eye(slope.shape[1])
        return np.linalg.solve(firm, slope[..., None])[..., 0].astype(np.float64)


def _largest_change(move: Floats, games: Games) -> Floats:
    """(tables,): how much further apart or closer a move brings any two models that met."""
    return np.maximum((np.abs(_lead(move)) * (games.played > 0)).max(axis=(1, 2)), np.abs(move[:, -1]))


def _log_likelihood(games: Games, x: Floats, ties: Ties) -> Floats:
    lead = _lead(x)
    far = np.abs(lead)
    if ties == "half":
        near = np.log1p(np.exp(-far))
        lost = games.played - games.score
        return -(games.score * (near + np.maximum(-lead, 0)) + lost * (near + np.maximum(lead, 0))).sum(axis=(1, 2))
    tie = x[:, -1, None, None]
    whole = np.logaddexp(far / 2 + np.log1p(np.exp(-far)), tie)
    points = (games.score - games.played / 2) * lead - games.played * whole
    return points.sum(axis=(1, 2)) + games.ties.sum(axis=(1, 2)) * x[:, -1]
