"""What is promoted when a promotion is taken back: the model that was promoted before it and may stand again."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from checkpoints.trust import Promotion


def standing(promotions: Sequence[Promotion]) -> Promotion | None:
    """The promotion that stands; None where nothing is promoted."""
    return promotions[-1] if promotions and promotions[-1].until is None else None


def promoted_before(promotions: Sequence[Promotion], vetoed: Collection[int]) -> Promotion | None:
    """Which promotion comes back when the one that stands is taken back; None where none may.

    Args:
        promotions: All of the run, in order; the last one stands.
        vetoed: Experiments that a person has taken back.
    """
    # Put back itself once, a model does not lead to the one that it was put back instead of.
    first = next(place for place, one in enumerate(promotions) if one.experiment == promotions[-1].experiment)
    return next((one for one in reversed(promotions[:first]) if one.experiment not in vetoed), None)
