"""The evaluate lane: deploys the candidate beside its opponent and gathers votes, or what trainings measured."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from dataclasses import asdict, dataclass, replace

from checkpoints import writes
from checkpoints.records import (
    BASELINE,
    REFERENCE,
    Experiment,
    FailureKind,
    Json,
    Lane,
    Level,
    Progress,
    Stage,
    Verdict,
    model_name,
)
from checkpoints.store import Store
from checkpoints.trust import PromotionTest
from lanes.analyze.metric_rule import Trial
from lanes.analyze.taken_out import taken_out
from lanes.analyze.trials import fresh_of
from lanes.analyze.verdict import Rule, conclude, votes_of
from lanes.count import Count
from lanes.evaluate_settings import EvaluateSettings
from lanes.lane import StageFailed, StagePaused
from lanes.looks import FEWEST, Looks
from lanes.measure import Metric
from lanes.open_questions import served_always
from lanes.prompts import heldout_prompts, in_order
from lanes.published import Published
from lanes.question import Asked, Question
from lanes.rows import Prompt
from lanes.saying import Saying
from lanes.terms import Terms
from lanes.trainings import trial
from lanes.venue import Venue
from lanes.vote_file import FileVoters
from lanes.vote_limit import votes_per_prompt

__all__ = ["EvaluateLane", "EvaluateSettings"]

WORK = "work"
"""Folder of the run that holds the server's folder and the local copies of what is published elsewhere."""

ATTEMPTS = 2
"""How often an evaluation is begun before the experiment is given up."""


@dataclass(slots=True)
class _Hand:
    """An evaluation or a promotion test under way."""

    task: asyncio.Task[Json]
    ending: StagePaused | StageFailed | None = None
    """Why it is ended before it is over."""


class EvaluateLane:
    """Evaluations side by side, at one venue that stays open between them."""

    name = Lane.EVALUATE

    def __init__(self, store: Store, settings: EvaluateSettings) -> None:
        """Start nothing yet.

        Args:
            store: Of the run.
            settings: May be replaced at any time, by assignment to ``settings``; those of the model server take effect
                when an evaluation begins that is alone.
        """
        self.settings = settings
        self._store = store
        self._saying = Saying(store, Lane.EVALUATE)
        self._work = store.folder.absolute() / WORK
        self._published = Published(store, self._work, self._event)
        self._venue = Venue(store, self._work, lambda: self.settings, self._published, self._complain)
        self._file_voters = FileVoters(store.folder, self._complain)
        self._hands: dict[str, _Hand] = {}
        """By the name of the question: the model's, or the promotion test's."""

    def attend(self) -> None:
        """Keep the arena and what it serves up from now on, also while nothing is judged; once there is a champion."""
        if self.settings.metric is None and served_always(self._store.read, self._published):
            self._venue.attend()

    def order(self, experiment: Experiment) -> Json:
        """Who meets whom, and where both are found."""
        number, rival = experiment.number, experiment.opponent
        opponent = REFERENCE if number == BASELINE or rival is None or rival == number else model_name(rival)
        order: Json = {"judge": "votes", "candidate": experiment.model, "opponent": opponent}
        if metric := self._metric(number):
            return order | {"judge": metric.rule.metric, "metric": metric.model_dump(mode="json")}
        order |= {"arms": self.settings.slots, "rule": self.settings.rule.ordered()}
        numbers = [number] if opponent == REFERENCE or rival is None else [number, rival]
        return order | self._counting() | {"models": self._published.models(numbers)}

    def test_order(self, champion: int, opponent: int) -> Json:
        """Everything needed to test one experiment's model against another's on fresh votes, decided now.

        Raises:
            StageFailed: One of them was not published.
        """
        return {
            "candidate": model_name(champion), "opponent": model_name(opponent),
            "rule": self.settings.rule.ordered(), "models": self._published.models([champion, opponent]),
        } | self._counting()  # fmt: skip

    async def run(self, stage: Stage) -> Json:
        """Evaluate, or take an evaluation up; see ``StageWorker.run``."""
        return await self._in_hand(model_name(stage.experiment), lambda: self._evaluated(stage))

    async def test(self, test: PromotionTest) -> Verdict:
        """Do a promotion test, or go on with it: votes that came before a kill count.

        Raises:
            StageFailed, StagePaused: As ``run`` does.
        """
        result = await self._in_hand(f"test-{test.number}", lambda: self._tested(test))
        candidate, opponent = test.order["candidate"], test.order["opponent"]
        means = self._store.read.voter_means(test.experiment, candidate, opponent, test.number)
        whose = votes_of({bool(result["simulated"])})
        tally = self._store.read.tally(test.experiment, candidate, opponent, test.number)
        rule = self._rule(test.order, test.number)
        judged = conclude(
            rule, test.experiment, candidate, opponent, tally, means, None, time.time(), test.opponent, test.opponent,
            whose,
        )  # fmt: skip
        return taken_out(judged, result["guard"]) if "guard" in result else judged

    def revise(self, stage: Stage, failure: StageFailed) -> Json | None:
        """Once more, with the votes that are there, unless what was given is wrong."""
        # Not by the attempt's number: one that ended because its opponent reigns no longer has not failed.
        failed = 1 + len(self._store.read.failures(stage.experiment, self.name))
        again = failure.kind is not FailureKind.INPUT and failed < ATTEMPTS
        return stage.order if again else None

    async def pause(self) -> None:
        """Stop all between two votes and free the device; what was answered and voted stays."""
        await self._end(StagePaused("the evaluation is paused"))
        await self._venue.rest()

    async def abort(self, experiment: int | None = None) -> None:
        """Stop one evaluation, or all, at once; the server stays for the others."""
        name = None if experiment is None else model_name(experiment)
        await self._end(StageFailed(FailureKind.CRASH, "the evaluation was stopped"), name)

    async def close(self, keep_workers: bool) -> None:
        """Leave the venue to the next runner (it closes by itself when none comes), or close it."""
        await self._end(StagePaused("the runner ended"))
        await self._venue.close(keep_workers)

    async def _in_hand(self, name: str, work: Callable[[], Coroutine[None, None, Json]]) -> Json:
        hand = self._hands[name] = _Hand(asyncio.create_task(work(), name=f"evaluate {name}"))
        try:
            return await hand.task
        except asyncio.CancelledError:
            if hand.ending:
                raise hand.ending from None
            raise
        finally:
            del self._hands[name]
            self._venue.forget(name)

    async def _end(self, ending: StagePaused | StageFailed, name: str | None = None) -> None:
        ended = [hand for each, hand in self._hands.items() if name in (None, each)]
        for hand in ended:
            hand.ending = ending
            hand.task.cancel()
        if ended:
            await asyncio.wait({hand.task for hand in ended})

    async def _evaluated(self, stage: Stage) -> Json:
        began = time.monotonic()
        order = stage.order
        if "metric" in order:
            result = await self._measured(stage)
        else:
            prompts = await self._prompts(stage.experiment, stage.experiment)
            terms = self._terms(stage.experiment, order)
            result = await self._asked(Asked(model_name(stage.experiment), terms, order["models"], prompts))
        parties = {name: order[name] for name in ("judge", "candidate", "opponent")}
        return parties | result | {"seconds": time.monotonic() - began}

    def _metric(self, number: int) -> Metric | None:
        """What judges in the place of votes, as it was when the trainings for it began; None where votes do."""
        trained = self._store.read.done_stage(number, Lane.TRAIN)
        if self.settings.metric and trained and (found := trained.order.get("metric")):
            return Metric.model_validate(found)
        return self.settings.metric

    async def _measured(self, stage: Stage) -> Json:
        """What repeated trainings measured by now, against the champion of this moment."""
        metric, number = Metric.model_validate(stage.order["metric"]), stage.experiment
        opponent = self._store.read.experiment(number).opponent
        measurements = self._store.read.measurements()
        if number == BASELINE or opponent is None:
            found = Trial(fresh=fresh_of(measurements, number))
        else:
            found = await asyncio.to_thread(trial, self._work, metric, measurements, number, opponent)
        return {"rule": asdict(metric.rule), "trial": asdict(found)}

    async def _tested(self, test: PromotionTest) -> Json:
        prompts = await self._prompts(test.experiment, -test.number)
        terms = self._terms(test.experiment, test.order, test.number)
        looks = Looks(self._store, terms)
        asked = Asked(f"test-{test.number}", terms, test.order["models"], prompts)
        result = await self._asked(asked, lambda _: looks.look())
        looks.look()
        return result

    async def _asked(self, asked: Asked, looked: Callable[[Count], None] = lambda _: None) -> Json:
        if len(self._hands) == 1:  # another may be loading its models on the server that is there
            await self._venue.leave_another_server()
        self._venue.attend()
        number = asked.terms.experiment
        question = Question(
            self._store, asked, self.settings, self._venue, lambda what: self._tell(number, what),
            lambda line: self._event(line, number), looked,
        )  # fmt: skip
        return await question.run(self._published, self._file_voters)

    async def _prompts(self, experiment: int, order: int) -> list[Prompt]:
        await self._tell(experiment, "loading the prompts")
        prompts = await heldout_prompts(self.settings.prompts, self._work, self.settings.max_broken_rows)
        return in_order(prompts, self.settings.seed, order)

    def _terms(self, experiment: int, order: Json, test: int = 0) -> Terms:
        settings = self.settings
        return Terms(
            experiment, order["candidate"], order["opponent"], self._rule(order, test),
            votes_per_prompt(order), order.get("votes_per_voter", settings.votes_per_voter),
            order.get("session_seconds", settings.session_seconds), settings.reference_share, settings.seed, test,
        )  # fmt: skip

    def _counting(self) -> Json:
        """How votes will be counted, as orders keep it: an edit of the program changes no question under way."""
        names = ("votes_per_prompt", "votes_per_voter", "session_seconds")
        return {name: getattr(self.settings, name) for name in names}

    def _rule(self, order: Json, test: int) -> Rule:
        """When the votes are enough: a promotion test goes on until there are looks enough at it."""
        rule = self.settings.rule.as_ordered(order)
        least = max(rule.min_votes, FEWEST)
        return replace(rule, min_votes=least, max_votes=max(rule.max_votes, least)) if test else rule

    async def _tell(self, experiment: int, doing: str) -> None:
        progress = Progress(Lane.EVALUATE, experiment, doing, 0, 0, "", None, time.time())
        await self._store.do(writes.set_progress, progress)

    def _event(self, text: str, experiment: int | None = None) -> None:
        self._store.submit(writes.event, Level.WARNING, Lane.EVALUATE, text, experiment)

    def _complain(self, line: str) -> None:
        """Say what a person should know, the same once an hour."""
        self._saying.say(line)
