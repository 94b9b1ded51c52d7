"""The analyze lane: evidence in, verdict and ranking out. Computed in a thread: numpy takes its time to load."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import TypeAdapter

from checkpoints.reader import Reader
from checkpoints.records import (
    BASELINE,
    REFERENCE,
    Choice,
    Experiment,
    FailureKind,
    Interval,
    Json,
    Lane,
    Outcome,
    Standing,
    Tally,
    Verdict,
    VoterMeans,
    model_name,
)
from lanes.analyze import verdict
from lanes.analyze.asking import StudyError, strengths
from lanes.analyze.findings import Strength
from lanes.analyze.metric_rule import MetricRule, Trial, settle, settle_baseline
from lanes.analyze.taken_out import taken_out
from lanes.lane import StageFailed

if TYPE_CHECKING:
    from lanes.analyze.ranking import Ranking

ONCE = 1.1
"""Votes a voter up to which all votes are taken for those of different voters."""


class AnalyzeLane:
    """Judges the experiments of one run by one rule."""

    def __init__(self, read: Reader, rule: verdict.Rule, complain: Callable[[str], None]) -> None:
        """Look at nothing yet.

        Args:
            read: Of the run's store.
            rule: When votes are enough; may be replaced at any time.
            complain: Called with a line for a person.
        """
        self.read = read
        self.rule = rule
        self._complain = complain

    async def judge(self, experiment: Experiment) -> tuple[Verdict, list[Standing]]:
        """The verdict on an experiment that was evaluated, and the ranking of the run's models with it.

        Raises:
            StageFailed: Its evaluation left no evidence.
        """
        stage = self.read.done_stage(experiment.number, Lane.EVALUATE)
        if stage is None:
            raise StageFailed(FailureKind.CRASH, f"the evaluation of {experiment.model} left no result")
        if "metric" in stage.order:
            return await asyncio.to_thread(_by_metric, experiment, stage.result), []
        rule = self.rule.as_ordered(stage.order)
        ranking = await self._ranking()
        judged = self._by_votes(rule, experiment, ranking, stage.result)
        return judged, list(ranking.standings)

    async def _ranking(self) -> Ranking:
        """All models of the run, with intervals that know whose votes they are where voters vote more than once."""
        ranking = await asyncio.to_thread(rank, self.read.pair_counts())
        if await asyncio.to_thread(_votes_a_voter, self.read.folder) <= ONCE:
            return ranking
        try:
            found = await strengths(self.read.folder)
        except StudyError as error:
            narrow = "the ranking's intervals take each vote for another voter's, so they are too narrow"
            self._complain(f"the votes could not be studied ({error}): {narrow}")
            return ranking
        return _clustered(ranking, found)

    def _by_votes(self, rule: verdict.Rule, experiment: Experiment, ranking: Ranking, result: Json) -> Verdict:
        model, opponent = experiment.model, _opponent(experiment)
        # As the evaluation left them: votes that came later tell of the ranking only.
        tally = Tally(**result["tally"]) if "tally" in result else self.read.tally(experiment.number, model, opponent)
        reference = next((one.reference for one in ranking.standings if one.model == model), None)
        votes = verdict.votes_of(self.read.voters(experiment.number).get(experiment.number, ()))
        means = _means(result) or self.read.voter_means(experiment.number, model, opponent)
        judged = _conclude(rule, experiment, tally, means, reference, votes)
        if experiment.number == BASELINE:
            judged = replace(judged, outcome=Outcome.KEEP, reason=_of_the_baseline(judged, votes))
        elif guard := result.get("guard"):
            judged = taken_out(judged, guard)
        if model in ranking.unknown:
            unranked = f"No chain of votes links {model} to the {REFERENCE}, so it has no rank yet."
            return replace(judged, reason=f"{judged.reason} {unranked}")
        return judged


def rank(counts: list[tuple[str, str, Choice, int]]) -> Ranking:
    """All models of the run by Bradley–Terry."""
    from lanes.analyze import ranking

    models = {model for a, b, _, _ in counts for model in (a, b)} - {REFERENCE}
    experiments = {model: int(model.rpartition("-")[2]) for model in models}
    return ranking.fit(ranking.tabulate({(a, b, choice): votes for a, b, choice, votes in counts}), experiments)


def _votes_a_voter(run_folder: Path) -> float:
    """Counted by a reader of its own, as in another thread; 0 before the first vote."""
    with closing(Reader(run_folder)) as read:
        votes, voters = read.votes_and_voters()
    return votes / max(voters, 1)


def _clustered(ranking: Ranking, found: Iterable[Strength]) -> Ranking:
    """The places as they were found a moment later; models that were not looked at stay where they were."""
    from lanes.analyze.ranking import ranked

    before = {one.model: one for one in ranking.standings}
    after = {
        one.model: replace(before[one.model], elo=one.elo.estimate, reference=one.reference)
        for one in found
        if one.reference and one.model in before
    }
    return ranked((before | after).values(), [*before, *ranking.unknown])


def _by_metric(experiment: Experiment, result: Json) -> Verdict:
    """By the numbers of repeated trainings, as the evaluation left them."""
    rule = TypeAdapter(MetricRule).validate_python(result["rule"])
    trial = TypeAdapter(Trial).validate_python(result["trial"])
    if experiment.number == BASELINE:
        decided = settle_baseline(rule, trial.fresh)
    else:
        decided = settle(rule, trial)
    # Held-out pairs in the right order are a win rate against the model before training, which is undecided on all.
    share = decided.value if rule.metric == "val_pref_acc" else None
    return Verdict(
        experiment.number, decided.outcome, 0, 0, 0, None, None, None, share,
        _against(decided.reason, experiment), time.time(), value=decided.value, effect=decided.effect,
    )  # fmt: skip


def _against(reason: str, experiment: Experiment) -> str:
    """A sentence of the rule with the champion's name, and with its parent's where that is another."""
    if experiment.opponent is None:
        return reason
    rival, parent = model_name(experiment.opponent), experiment.parent
    named = reason.replace("the champion", f"the champion {rival}", 1)
    if parent is None or parent == experiment.opponent:
        return named
    change = f"its change was made to the recipe of {model_name(parent)}"
    return f"{named.removesuffix('.')}; {change}, while {rival} was champion when it was judged."


def _conclude(
    rule: verdict.Rule,
    experiment: Experiment,
    tally: Tally,
    means: VoterMeans,
    reference: Interval | None,
    judges: verdict.Votes,
) -> Verdict:
    return verdict.conclude(
        rule,
        experiment.number,
        experiment.model,
        _opponent(experiment),
        tally,
        means,
        reference,
        time.time(),
        experiment.parent,
        experiment.opponent,
        judges,
    )


def _of_the_baseline(judged: Verdict, votes: verdict.Votes) -> str:
    rate = judged.win_rate
    whose = "" if votes == "votes" else f" in {votes}"
    measured = verdict.per_cent(rate) if rate else "no decisive votes"
    return (
        f"The baseline against the {REFERENCE}: {judged.wins} wins to {judged.losses} losses "
        f"({judged.ties} about equal){whose}, {measured}; it reigns without a contest."
    )


def _means(result: Json) -> VoterMeans | None:
    """The voters' means as the evaluation left them; None where it is of a time before results kept them."""
    return VoterMeans(tuple((mean, voters) for mean, voters in result["means"])) if "means" in result else None


def _opponent(experiment: Experiment) -> str:
    return REFERENCE if experiment.opponent is None else model_name(experiment.opponent)
