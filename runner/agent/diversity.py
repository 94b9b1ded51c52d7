"""Which categories the next proposal may not come from: what a zoom-out binds to, streaks, and quotas.

It binds whoever proposes, the playbook, too, as far as it leaves anything: a zoom-out outranks streaks and quotas.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from checkpoints.records import BASELINE, Row, State, ZoomOut


def barred(
    rows: Sequence[Row],
    zoom_outs: Sequence[ZoomOut],
    binding: ZoomOut | None,
    categories: Sequence[str],
    longest: int,
    quotas: Mapping[str, float],
) -> dict[str, str]:
    """Categories that the next proposal may not come from, with the reason of each; never all of them.

    Args:
        rows: All experiments of the run.
        zoom_outs: All of the run, the newest last.
        binding: The last one, while its categories bind.
        categories: That are open.
        longest: Most proposals of one category in a row without a keep.
        quotas: Largest share of the proposals since the last zoom-out by category.
    """
    proposed = [row for row in rows if row.experiment.number != BASELINE and row.experiment.state != State.CANCELLED]
    named = binding.categories if binding and {*binding.categories} & {*categories} else categories
    asked = f"zoom-out {binding.number} asks for {', '.join(binding.categories)}" if binding else ""
    found = {category: asked for category in categories if category not in named}
    worn = _worn(proposed, longest) | _over_quota(proposed, zoom_outs, quotas)
    if any(category not in worn for category in categories if category not in found):
        found |= {category: why for category, why in worn.items() if category in categories and category not in found}
    return found


def streak(proposed: Sequence[Row]) -> int:
    """How many of the newest proposals are of one category, back to the last one that is kept: one that a person vetoed
    is not, one that a person kept anyway is."""
    length = 0
    for row in reversed(proposed):
        last = proposed[-1].experiment.proposal.category
        if row.experiment.proposal.category != last or row.experiment.state is State.KEPT:
            break
        length += 1
    return length


def _worn(proposed: Sequence[Row], most: int) -> dict[str, str]:
    length = streak(proposed)
    if not length or length < most:
        return {}
    category = proposed[-1].experiment.proposal.category
    return {category: f"the last {length} proposals were {category}, none was kept"}


def _over_quota(proposed: Sequence[Row], zoom_outs: Sequence[ZoomOut], quotas: Mapping[str, float]) -> dict[str, str]:
    """One of a category is always within its quota, unless that is 0."""
    if not quotas:
        return {}
    since = zoom_outs[-1].at if zoom_outs else 0.0
    counts = Counter(row.experiment.proposal.category for row in proposed if row.experiment.proposed_at > since)
    after = counts.total() + 1
    return {
        category: f"{counts[category]} of {after - 1} proposals since the last zoom-out were {category}, its quota is"
        f" {share:.0%}"
        for category, share in quotas.items()
        if counts[category] + 1 > (max(1.0, share * after) if share else 0)
    }
