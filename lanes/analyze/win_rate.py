"""Win rates from votes, with the interval that fits how the votes were looked at.

Ties are set aside: every function takes decisive votes only. Win rates and the ends of intervals are shares, 0 to 1.
Nothing here but the standard library, because the dashboard imports it.
"""

from __future__ import annotations

import math
from functools import lru_cache

from checkpoints.records import Interval


def wilson(wins: float, losses: float, confidence: float = 0.95) -> Interval | None:
    """Wilson's score interval: right for votes that are counted once, at a number fixed beforehand.

    Args:
        wins, losses: decisive votes; halves are welcome where a tie counts half to each side.
        confidence: share of intervals that hold the true win rate, between 0 and 1.

    Returns:
        None with no decisive votes.

    Raises:
        ValueError: a negative count, or a confidence outside (0, 1).
    """
    votes = _votes(wins, losses)
    z = _normal_quantile(confidence)
    if votes == 0:
        return None
    z2 = z * z
    centre = (wins + z2 / 2) / (votes + z2)
    reach = z * math.sqrt(wins * losses / votes + z2 / 4) / (votes + z2)
    # At no wins or no losses the end is exact, and the subtraction would miss it by a rounding error.
    low = 0.0 if wins == 0 else centre - reach
    high = 1.0 if losses == 0 else centre + reach
    return Interval(wins / votes, low, high)


def anytime(wins: float, losses: float, alpha: float = 0.05) -> Interval | None:
    """The anytime-valid interval: right however often the votes are looked at while they come in.

    ``{p : B(w+1, l+1) / (p^w (1−p)^l) < 1/α}``: the win rates against which a bet spread evenly over all alternatives
    has not made 1/α times its stake. That the true one is ever outside has probability at most α (Ville 1939).

    Args:
        wins, losses: decisive votes so far; or voters, each by their shares (Σ (1 ± m) / 2 over their means m), for
            which it holds as well: the bet is convex in the share.
        alpha: probability of ever missing the true win rate, between 0 and 1.

    Returns:
        None with no decisive votes.

    Raises:
        ValueError: a negative count, or an alpha outside (0, 1).
    """
    votes = _votes(wins, losses)
    if not 0 < alpha < 1:
        raise ValueError(f"alpha is {alpha}: it must lie between 0 and 1")
    if votes == 0:
        return None
    log_beta = math.lgamma(wins + 1) + math.lgamma(losses + 1) - math.lgamma(votes + 2)
    bound = -math.log(alpha) - log_beta
    return Interval(wins / votes, _lowest(wins, losses, bound), 1 - _lowest(losses, wins, bound))


def shrunken(wins: float, losses: float, imaginary: int = 100) -> float:
    """The win rate pulled towards even by imaginary votes, half of them each way.

    A keep is declared when luck was good, so the raw rate at that moment is too high on average (the winner's curse).

    Args:
        wins, losses: decisive votes, or voters by their shares.
        imaginary: how many votes to imagine; at least 1.
    """
    votes = _votes(wins, losses)
    if imaginary < 1:
        raise ValueError(f"imaginary is {imaginary}: it must be at least 1")
    return (wins + imaginary / 2) / (votes + imaginary)


def half_width(interval: Interval) -> float:
    """Half the distance between the ends of an interval: the ± beside an estimate, in its unit."""
    return (interval.high - interval.low) / 2


def _votes(wins: float, losses: float) -> float:
    if wins < 0 or losses < 0:
        raise ValueError(f"{wins} wins to {losses} losses: a count of votes cannot be negative")
    return wins + losses


@lru_cache(maxsize=8)
def _normal_quantile(confidence: float) -> float:
    if not 0 < confidence < 1:
        raise ValueError(f"confidence is {confidence}: it must lie between 0 and 1")
    from statistics import NormalDist  # with fractions and decimals: not in the way of a screen's first paint

    return NormalDist().inv_cdf((1 + confidence) / 2)


def _lowest(wins: float, losses: float, bound: float) -> float:
    """The smallest p with ``−w·log p − l·log(1−p) ≤ bound``.

    On the logit x of p the left side is convex, so Newton's method, begun below the root, climbs to it and stays below.
    """
    if wins == 0:
        return 0.0
    if losses == 0:
        return math.exp(-bound / wins)
    x = -bound / wins - math.log1p(-math.exp(-bound / wins))
    while True:
        odds = math.exp(-abs(x))
        p = 1 / (1 + odds) if x > 0 else odds / (1 + odds)
        beyond = wins * max(-x, 0.0) + losses * max(x, 0.0) + (wins + losses) * math.log1p(odds) - bound
        slope = (wins + losses) * p - wins
        if slope >= 0 or beyond <= 0:
            return p
        step = beyond / -slope
        if step <= 1e-12 * (1 + abs(x)):
            return p
        x += step
