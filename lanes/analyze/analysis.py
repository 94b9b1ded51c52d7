"""All that a set of votes has to say, with or without a metric beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from checkpoints.records import REFERENCE
from lanes.analyze.agreement import agreement
from lanes.analyze.bootstrap import draw_with_place
from lanes.analyze.clustered import strengths
from lanes.analyze.comparable import anchor
from lanes.analyze.findings import Agreement, Pair, Position, Strength, Trust
from lanes.analyze.online_elo import online_elo
from lanes.analyze.position import first_shown
from lanes.analyze.strengths import Ties
from lanes.analyze.trust import trust
from lanes.analyze.vote_table import EQUAL, FIRST, SECOND, VoteTable
from lanes.analyze.win_rate import wilson

SIMULATED = "sim-"
"""How the name of a simulated voter begins."""


@dataclass(frozen=True, slots=True)
class Scores:
    """What an automatic metric says of the models."""

    metric: str
    values: Mapping[str, float]
    """By model, finite."""

    higher_is_better: bool = True
    """False for a loss."""


@dataclass(frozen=True, slots=True)
class Analysis:
    """Everything, as plain numbers."""

    votes: int
    models: int
    tied: int
    """Votes that are "about equal"."""

    voters: int
    """0 where nothing says who voted."""

    simulated: int
    """Of the voters."""

    prompts: int
    """0 where nothing says what was asked."""

    pairs: tuple[Pair, ...]
    """In the order in which they first came."""

    ties: Ties
    reference: str | None
    """The model at 1000 Elo; None where the mean is."""

    strengths: tuple[Strength, ...]
    unknown: tuple[str, ...]
    """Models that no chain of wins links to the others."""

    resampled: int
    """Voters, or votes where nothing says who voted, that were resampled for the intervals."""

    resamples: int
    online_elo: Mapping[str, float]
    position: Position
    agreement: Agreement
    trusts: tuple[Trust, ...]
    """By metric, in the order asked for."""


def analyse(table: VoteTable, ties: Ties = "half", metrics: Sequence[Scores] = ()) -> Analysis:
    """Analyse votes.

    Args:
        table: at least one vote.
        ties: half a win to each, or Davidson's model.
        metrics: to hold against the people.
    """
    cells = table.cells()
    reference = REFERENCE if REFERENCE in table.models else None
    origin = table.models.index(reference) if reference else anchor(cells)
    draws, placed = draw_with_place(table, origin, ties)
    position, corrected = first_shown(table, draws, placed)
    ranked = strengths(table, draws, reference, corrected)
    return Analysis(
        votes=len(table),
        models=len(table.models),
        tied=int(cells[..., EQUAL].sum()),
        voters=len(table.voters),
        simulated=sum(voter.startswith(SIMULATED) for voter in table.voters),
        prompts=len(table.prompts),
        pairs=pairs(table),
        ties=ties,
        reference=reference,
        strengths=ranked,
        unknown=tuple(sorted({*table.models} - {one.model for one in ranked})),
        resampled=draws.voters,
        resamples=draws.resamples,
        online_elo=online_elo(table),
        position=position,
        agreement=agreement(table),
        trusts=tuple(trust(one.metric, one.values, ranked, draws, one.higher_is_better) for one in metrics),
    )


def pairs(table: VoteTable) -> tuple[Pair, ...]:
    """Every two models that met, named in the order in which they were first shown."""
    cells = table.cells()
    met = np.minimum(table.first, table.second) * len(table.models) + np.maximum(table.first, table.second)
    came = np.sort(np.unique(met, return_index=True)[1])
    found: list[Pair] = []
    for at in came.tolist():
        a, b = int(table.first[at]), int(table.second[at])
        wins, ties, losses = (
            int(cells[a, b, mine] + cells[b, a, theirs])
            for mine, theirs in ((FIRST, SECOND), (EQUAL, EQUAL), (SECOND, FIRST))
        )
        found.append(Pair(table.models[a], table.models[b], wins, ties, losses, wilson(wins, losses)))
    return tuple(found)
