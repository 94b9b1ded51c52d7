"""Agreement among voters who were shown the same: Fleiss' and Cohen's kappa."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from checkpoints.records import Interval
from lanes.analyze.comparable import Bools
from lanes.analyze.findings import Agreement
from lanes.analyze.strengths import Floats
from lanes.analyze.vote_table import FIRST, SECOND, Indices, VoteTable, distinct

SHARED = 10
"""Questions that two voters must share before their kappa says anything."""

VOTERS = 500
"""Cohen's kappa is averaged over pairs of the voters with the most shared questions: this many voters."""

RESAMPLES = 1000

WORDS = ((0.0, "less than by chance"), (0.2, "slight"), (0.4, "fair"), (0.6, "moderate"), (0.8, "substantial"))
"""Landis and Koch (1977), up to each value; beyond the last it is almost perfect."""


@dataclass(frozen=True, slots=True, eq=False)
class _Ballots:
    """One judgement of each voter on each question; two different ones by the same voter are none."""

    item: Indices
    voter: Indices
    side: Indices
    """0, 1, 2: for the model that was mostly shown first, about equal, for the other."""


def agreement(table: VoteTable) -> Agreement:
    """How far voters agree beyond chance on the same question about the same two models.

    A question is a prompt and two models, whoever of them was shown first; where the votes name no prompts it is two
    models.
    """
    if not table.voters:
        return Agreement(None, 0, None, 0, "Agreement is unknown: nothing says who voted.")
    ballots = _shared(_ballots(table))
    if not len(ballots.item):
        return Agreement(None, 0, None, 0, "Agreement is unknown: no two voters were shown the same.")
    counts = _counts(ballots)
    kappa = fleiss(counts)
    if kappa is None:
        return Agreement(None, len(counts), None, 0, "Agreement beyond chance is unknown: all judged alike every time.")
    cohen, pairs = _cohen(ballots)
    return Agreement(kappa, len(counts), cohen, pairs, _sentence(kappa, len(counts), cohen, pairs))


def fleiss(counts: Floats) -> Interval | None:
    """Fleiss' kappa (1971), for any number of voters a question as in Gwet (2014), with an interval over questions.

    Args:
        counts: (questions, categories): voters who chose each; at least two voters a question.

    Returns:
        None where all voters chose the same every time, which chance would have done, too.
    """
    kinds, often = np.unique(counts, axis=0, return_counts=True)
    voters = kinds.sum(axis=1)
    agreed = (kinds * (kinds - 1)).sum(axis=1) / (voters * (voters - 1))
    # Questions with the same counts are drawn together, by number: the same draw, and cheap with many of them.
    drawn = np.random.default_rng(0).multinomial(len(counts), often / len(counts), size=RESAMPLES)
    share = np.concatenate([often[None], drawn]) / len(counts)
    observed, chosen = share @ agreed, share @ (kinds / voters[:, None])
    chance = (chosen**2).sum(axis=1)
    if chance[0] >= 1:
        return None
    with np.errstate(invalid="ignore", divide="ignore"):
        kappa = (observed - chance) / (1 - chance)
    low, high = np.nanquantile(kappa[1:], [0.025, 0.975])
    return Interval(float(kappa[0]), min(float(low), float(kappa[0])), max(float(high), float(kappa[0])))


def _ballots(table: VoteTable) -> _Ballots:
    turned = table.first > table.second
    low, high = np.minimum(table.first, table.second), np.maximum(table.first, table.second)
    asked = (low * len(table.models) + high) * max(len(table.prompts), 1) + table.prompt
    items, item = np.unique(asked, return_inverse=True)
    mostly_turned = np.bincount(item, np.where(turned, 1.0, -1.0), minlength=len(items)) > 0
    side = np.where(turned != mostly_turned[item], SECOND + FIRST - table.outcome, table.outcome)
    once = distinct((item * len(table.voters) + table.voter) * 3 + side)
    _, times = np.unique(once // 3, return_counts=True)
    sure = once[np.repeat(times == 1, times)]
    item, voter = np.divmod(sure // 3, len(table.voters))
    return _Ballots(item, voter, sure % 3)


def _shared(ballots: _Ballots) -> _Ballots:
    """Ballots on questions that several voters judged, the questions numbered from 0."""
    voters = np.bincount(ballots.item)
    kept = voters[ballots.item] > 1
    _, item = np.unique(ballots.item[kept], return_inverse=True)
    return _Ballots(item, ballots.voter[kept], ballots.side[kept])


def _counts(ballots: _Ballots) -> Floats:
    items = int(ballots.item.max()) + 1
    return np.bincount(ballots.item * 3 + ballots.side, minlength=3 * items).reshape(items, 3).astype(np.float64)


def _cohen(ballots: _Ballots) -> tuple[float | None, int]:
    """Cohen's kappa (1960), the plain mean over pairs of voters that share enough questions, and their number."""
    busy = np.bincount(ballots.voter)
    chosen = np.sort(np.argsort(-busy, kind="stable")[:VOTERS])
    row = np.full(len(busy), -1)
    row[chosen] = np.arange(len(chosen))
    shape = (len(chosen), int(ballots.item.max()) + 1)
    sides = [_judged(ballots, ballots.side == side, row, shape) for side in range(3)]
    whole = _judged(ballots, ballots.side >= 0, row, shape)
    both = _together(whole, whole)
    enough = np.triu(both >= SHARED, 1)
    shared = both[enough]
    agreed, chance = np.zeros(len(shared)), np.zeros(len(shared))
    for side in sides:
        of_one = _together(side, whole)
        agreed += _together(side, side)[enough] / shared
        chance += of_one[enough] * of_one.T[enough] / shared**2
    told = chance < 1
    if not told.any():
        return None, 0
    return float(((agreed - chance)[told] / (1 - chance[told])).mean()), int(told.sum())


def _judged(ballots: _Ballots, which: Bools, row: Indices, shape: tuple[int, int]) -> sparse.csr_array:
    """(voters, questions): 1 where one of the chosen voters cast one of these ballots."""
    here = which & (row[ballots.voter] >= 0)
    return sparse.csr_array((np.ones(here.sum()), (row[ballots.voter[here]], ballots.item[here])), shape=shape)


def _together(left: Any, right: Any) -> Floats:
    """(voters, voters): questions that the one judged as in the left table, and the other as in the right one."""
    return np.asarray((left @ right.T).toarray(), dtype=np.float64)


def _sentence(kappa: Interval, items: int, cohen: float | None, pairs: int) -> str:
    word = next((word for end, word in WORDS if kappa.estimate < end), "almost perfect")
    value = f"{kappa.estimate:.2f} [{kappa.low:.2f}, {kappa.high:.2f}]"
    questions = f"{items:,} question{'s' if items != 1 else ''} that several voters judged"
    said = f"Voters' agreement is {word}: Fleiss' kappa {value} over {questions}"
    if cohen is None:
        return f"{said}; no two voters share {SHARED} of them, so Cohen's kappa is unknown."
    return f"{said}; Cohen's {cohen:.2f} on average over {pairs:,} pair{'s' if pairs != 1 else ''} of voters."
