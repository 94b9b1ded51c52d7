"""A ranking that is kept up to date vote by vote: each fit begins where the last one ended."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from checkpoints.records import REFERENCE, Choice
from lanes.analyze.ranking import SHARE_OF_A, Counts, Ranking, fit
from lanes.analyze.vote_table import VoteTable


class RunningRanking:
    """The ranking of a service that goes on."""

    def __init__(
        self, experiments: Mapping[str, int], reference: str = REFERENCE, so_far: VoteTable | None = None
    ) -> None:
        """Begin with the votes so far.

        Args:
            experiments: experiment number by model; may grow while the service goes on.
            reference: the model that stands at 1000 Elo.
            so_far: votes from before; None for none.
        """
        self._experiments = experiments
        self._reference = reference
        self._counts = Counts((), np.zeros((0, 0)))
        self._place: dict[str, int] = {}
        self._last: Ranking | None = None
        if so_far is not None:
            cells = so_far.cells()
            wins = cells[..., 0] + cells[..., 1] / 2
            self._take(Counts(so_far.models, wins + (cells[..., 2] + cells[..., 1] / 2).T))

    def add(self, model_a: str, model_b: str, choice: Choice, votes: int = 1) -> None:
        """Count a vote, or several alike; a model against itself tells nothing."""
        if model_a == model_b:
            return
        for model in (model_a, model_b):
            if model not in self._place:
                self._welcome(model)
        a, b = self._place[model_a], self._place[model_b]
        share = SHARE_OF_A[choice] * votes
        self._counts.wins[a, b] += share
        self._counts.wins[b, a] += votes - share

    def ranking(self) -> Ranking:
        """All votes so far, ranked."""
        self._last = fit(self._counts, self._experiments, self._reference, before=self._last)
        return self._last

    def _welcome(self, model: str) -> None:
        models = tuple(sorted((*self._counts.models, model)))
        at = models.index(model)
        wins = np.insert(np.insert(self._counts.wins, at, 0.0, axis=0), at, 0.0, axis=1)
        self._take(Counts(models, wins))

    def _take(self, counts: Counts) -> None:
        self._counts = counts
        self._place = {model: at for at, model in enumerate(counts.models)}
