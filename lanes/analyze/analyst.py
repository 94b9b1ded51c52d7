"""The analyze lane: evidence in, verdict and ranking out. Computed in a thread: numpy takes its time to load."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

from checkpoints.reader import Reader
from checkpoints.records import (
    BASELINE,
    REFERENCE,
    Choice,
    Experiment,
    FailureKind,
    Interval,
    Lane,
    Outcome,
    Standing,
    Tally,
    Verdict,
    model_name,
)
from lanes.analyze import verdict
from lanes.analyze.win_rate import wilson
from lanes.lane import StageFailed


class AnalyzeLane:
    """Judges the experiments of one run by one rule."""

    def __init__(self, read: Reader, rule: verdict.Rule) -> None:
        self.read = read
        self.rule = rule

    async def judge(self, experiment: Experiment) -> tuple[Verdict, list[Standing]]:
        """The verdict on an experiment that was evaluated, and the ranking of the run's models with it.

        Raises:
            StageFailed: Its evaluation left no evidence.
        """
        stage = self.read.done_stage(experiment.number, Lane.EVALUATE)
        if stage is None:
            raise StageFailed(FailureKind.CRASH, f"the evaluation of {experiment.model} left no result")
        if stage.result.get("judge") == "val_pref_acc":
            return self._by_metric(experiment, Tally(**stage.result["tally"]), stage.result)
        counts = self.read.pair_counts()
        standings = await asyncio.to_thread(rank, counts)
        mine = next((one.reference for one in standings if one.model == experiment.model), None)
        tally = self.read.tally(experiment.number, experiment.model, _opponent(experiment))
        return self._conclude(experiment, tally, mine), standings

    def _by_metric(
        self, experiment: Experiment, tally: Tally, result: dict[str, object]
    ) -> tuple[Verdict, list[Standing]]:
        """Held-out pairs as judges: a pair that only one of the two gets right is a vote for it."""
        right, pairs = result.get("right"), result.get("pairs")
        accuracy = None
        if isinstance(right, int | float) and isinstance(pairs, int) and pairs:
            accuracy = _share(float(right), pairs)
        conclusion = self._conclude(experiment, tally, accuracy)
        shown = f"val_pref_acc {accuracy.estimate:.3f} [{accuracy.low:.3f}, {accuracy.high:.3f}]; " if accuracy else ""
        return replace(conclusion, reason=f"{shown}held-out pairs, one training run: {conclusion.reason}"), []

    def _conclude(self, experiment: Experiment, tally: Tally, reference: Interval | None) -> Verdict:
        conclusion = verdict.conclude(
            self.rule,
            experiment.number,
            experiment.model,
            _opponent(experiment),
            tally,
            reference,
            time.time(),
            experiment.parent,
            experiment.opponent,
        )
        if experiment.number != BASELINE:
            return conclusion
        rate = conclusion.win_rate
        measured = f"{rate.estimate:.1%} [{rate.low:.1%}, {rate.high:.1%}]" if rate else "no decisive votes"
        reason = (
            f"The baseline against the {REFERENCE}: {tally.wins} wins to {tally.losses} losses "
            f"({tally.ties} about equal), {measured}; it reigns without a contest."
        )
        return replace(conclusion, outcome=Outcome.KEEP, reason=reason)


def rank(counts: list[tuple[str, str, Choice, int]]) -> list[Standing]:
    """All models of the run by Bradley–Terry, best first; those that nothing links to the reference are left out."""
    from lanes.analyze import ranking

    if not counts:
        return []
    experiments = {
        model: int(model.rpartition("-")[2]) for a, b, _, _ in counts for model in (a, b) if model != REFERENCE
    }
    table = ranking.tabulate({(a, b, choice): votes for a, b, choice, votes in counts})
    if REFERENCE not in table.models:
        return []
    return list(ranking.fit(table, experiments).standings)


def _opponent(experiment: Experiment) -> str:
    return REFERENCE if experiment.opponent is None else model_name(experiment.opponent)


def _share(right: float, pairs: int) -> Interval | None:
    """A share of pairs with its Wilson 95 % interval, a tie half to each side."""
    return wilson(right, pairs - right)
