"""A judge's votes: one voter, whatever it judges, and what its votes say of the models.

A verdict takes one closed mean from each voter, so a judge weighs as much as one person however many pairs it judges:
that caps its weight. Its mean is over all that it judged, and closes when it has been idle as long as other voters.
Counts of votes and the ranking leave it out, so that it can be held against them. It never votes on a pair of a
promotion test, which is on people's fresh votes alone.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass

from checkpoints import writes
from checkpoints.reader import Reader
from checkpoints.records import REFERENCE, Choice, Interval, Vote
from checkpoints.store import Store
from checkpoints.trust import Calibration
from lanes.analyze.win_rate import wilson
from lanes.judge.labels import Place, place_of
from lanes.judge.permission import Drifted, Recheck, allow, recheck
from lanes.judge.process import Judge
from lanes.judge.records import Pair, is_judge, turned, voter_of

RECHECK_EVERY = 100
"""Judged pairs after which the judge is held against people's fresh labels again."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A pair that is ready to be judged."""

    experiment: int
    prompt: str
    """Id of the prompt."""

    model_a: str
    model_b: str
    pair: Pair
    """What is shown of it; the judge is not told the models."""

    test: int = 0
    """Number of the promotion test that it belongs to; the judge leaves those alone."""

    @property
    def place(self) -> Place:
        """Which pair of the run it is."""
        return Place(self.experiment, self.prompt, *sorted((self.model_a, self.model_b)))


class JudgeVoter:
    """The voter ``judge:<model>`` of a run."""

    def __init__(self, store: Store, judge: Judge) -> None:
        """Ask nothing yet.

        Args:
            store: Of the run; holds the calibrations and takes the finding that the judge has drifted.
            judge: Its process, started.
        """
        self._store, self._judge = store, judge
        self._model = judge.settings.model
        self.silent = 0
        """Pairs without a vote, as the judge's replies could not be read."""

    async def vote(self, pairs: Sequence[Prepared]) -> AsyncGenerator[Vote]:
        """Judge pairs that it has not judged before; one vote a pair, as they come. The caller counts them.

        Raises:
            NotAllowed: It is not calibrated, or failed its last calibration.
            Drifted: People's fresh labels disagree with it; that is on record then, as a calibration that failed.
            JudgeFailed: The judge cannot be asked.
        """
        await self._check()
        done = await asyncio.to_thread(self._judged)
        due = list({each.place: each for each in pairs if not each.test and each.place not in done}.values())
        for start in range(0, len(due), RECHECK_EVERY):
            if start:
                await self._check()
            some = due[start : start + RECHECK_EVERY]
            async for number, reading in self._judge.read([each.pair for each in some]):
                if reading.choice is None:
                    self.silent += 1
                else:
                    yield self._vote(some[number], reading.choice)

    async def _check(self) -> None:
        calibration = allow(self._store.read.calibrations(), self._model)
        found = await asyncio.to_thread(self._recheck, calibration.at)
        if not found.drifted:
            return
        rate = found.agreed / found.labels
        drift = Calibration(
            0, self._model, found.labels, rate, calibration.consistency, False, found.reason, time.time()
        )
        await self._store.do(writes.add_calibration, drift)
        raise Drifted(f"the judge {self._model} votes no more: {found.reason}")

    def _judged(self) -> set[Place]:
        with closing(Reader(self._store.folder)) as read:
            return {place_of(vote) for vote in read.votes(voter=voter_of(self._model))}

    def _recheck(self, since: float) -> Recheck:
        with closing(Reader(self._store.folder)) as read:
            return recheck(read, self._model, since)

    def _vote(self, prepared: Prepared, choice: Choice) -> Vote:
        voter = voter_of(self._model)
        experiment, prompt, model_a, model_b = prepared.place
        own = choice if prepared.model_a == model_a else turned(choice)
        key = f"{experiment}:{model_a}~{model_b}:{prompt}:{voter}"
        return Vote(experiment, key, voter, prompt, model_a, model_b, own, False, time.time())


def judged_win_rates(votes: Iterable[Vote], rival: str = REFERENCE) -> dict[str, Interval]:
    """A judge as a metric: each model's win rate against a rival, a tie half to each, with Wilson's 95 %.

    Args:
        votes: Of anybody; those of judges count.
        rival: Model that all are held against; by default the one that is the same for the whole run.

    Returns:
        By model; one that was never judged against the rival is left out.
    """
    won: defaultdict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for vote in votes:
        if is_judge(vote.voter) and not vote.test and rival in (vote.model_a, vote.model_b):
            model, for_it = (vote.model_a, Choice.A) if vote.model_b == rival else (vote.model_b, Choice.B)
            share = 0.5 if vote.choice is Choice.TIE else float(vote.choice is for_it)
            won[model][0] += share
            won[model][1] += 1 - share
    rates = {model: wilson(wins, losses) for model, (wins, losses) in won.items()}
    return {model: rate for model, rate in rates.items() if rate is not None}
