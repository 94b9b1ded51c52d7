"""What must be true of a run that has ended, whatever was killed on the way: read from the store alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from enum import StrEnum
from itertools import pairwise
from typing import NamedTuple

from checkpoints.reader import Reader
from checkpoints.records import BASELINE, ENDS, Championship, Lane, Outcome, StageState, State, Step, Verdict, Vote


class Law(StrEnum):
    """What a kill must not bring about."""

    LOST = "lost"
    JUDGED = "judged twice"
    VOTES = "votes counted twice"
    HANGS = "left hanging"
    AGAIN = "trained again though finished"
    CHAMPION = "wrong champion"
    SLOTS = "too many side by side"


class Breach(NamedTuple):
    """One thing that is not as it must be."""

    law: Law
    what: str


def broken_laws(read: Reader, experiments: int, votes_each: int | None = None, slots: int | None = None) -> list[str]:
    """One line for each law that a finished run breaks; how many were side by side is looked at where it is given."""
    return [breach.what for breach in breaches(read, experiments, votes_each, slots)]


def breaches(read: Reader, experiments: int, votes_each: int | None = None, slots: int | None = None) -> list[Breach]:
    """What is wrong with a finished run."""
    found = [*_experiments(read, experiments), *_stages(read), *_votes(read, votes_each), *_champions(read)]
    return found if slots is None else [*found, *_slots(read, slots)]


class Seen:
    """What the store said of a run between two kills: none of it may be gone at the end, or say something else."""

    def __init__(self) -> None:
        self._done: dict[tuple[int, Lane, int], float | None] = {}
        self._votes: dict[str, Vote] = {}
        self._verdicts: dict[int, Verdict] = {}
        self._reigns: set[tuple[int, float]] = set()
        self._numbers: set[int] = set()

    def look(self, read: Reader) -> None:
        """Remember what is there by now."""
        self._numbers |= {one.number for one in read.experiments()}
        self._done |= _done(read)
        self._votes |= {vote.key: vote for vote in read.votes()}
        self._verdicts |= {verdict.experiment: verdict for verdict in read.verdicts()}
        self._reigns |= {_reign(reign) for reign in read.championships()}

    def breaches(self, read: Reader) -> list[Breach]:
        """What was seen once and is no longer there."""
        return list(self._gone(read))

    def _gone(self, read: Reader) -> Iterator[Breach]:
        now = Seen()
        now.look(read)
        for number in self._numbers - now._numbers:
            yield Breach(Law.LOST, f"experiment {number} was there once")
        attempts = {(stage.experiment, stage.lane, stage.attempt) for stage in read.stages()}
        for (number, lane, attempt), at in self._done.items():
            if lane is Lane.EVALUATE and (number, lane, attempt + 1) in attempts:
                continue  # judged again: whom it was judged against reigned no longer
            if now._done.get((number, lane, attempt)) != at:
                yield Breach(Law.LOST, f"experiment {number} was done in {lane} once")
        for key, vote in self._votes.items():
            if now._votes.get(key) != vote:
                yield Breach(Law.LOST, f"vote {key} was another once")
        for number, verdict in self._verdicts.items():
            if now._verdicts.get(number) != verdict:
                yield Breach(Law.JUDGED, f"experiment {number} had another verdict once")
        for number, _ in self._reigns - now._reigns:
            yield Breach(Law.CHAMPION, f"experiment {number} was champion once")


def _experiments(read: Reader, expected: int) -> Iterator[Breach]:
    everything = read.experiments()
    alive = [one for one in everything if one.state is not State.CANCELLED]
    if len(alive) != expected + 1:
        yield Breach(Law.LOST, f"{len(alive)} experiments instead of {expected} and the baseline")
    if [one.number for one in everything] != list(range(len(everything))):
        yield Breach(Law.LOST, "numbers are missing or twice")
    judged = Counter(verdict.experiment for verdict in read.verdicts())
    reasons = {verdict.experiment: verdict.reason for verdict in read.verdicts()}
    fell = Counter(
        event.experiment
        for event in read.events()
        if event.kind == "verdict"
        and event.experiment is not None
        and event.text.removeprefix("crashed: ") == reasons.get(event.experiment)
    )
    for one in everything:
        if one.state not in ENDS:
            yield Breach(Law.HANGS, f"experiment {one.number} hangs: {one.state}")
        verdicts = 0 if one.state is State.CANCELLED else 1
        if judged[one.number] != verdicts:
            law = Law.JUDGED if judged[one.number] > verdicts else Law.LOST
            yield Breach(law, f"experiment {one.number} has {judged[one.number]} verdicts")
        if fell[one.number] != verdicts:
            yield Breach(Law.JUDGED, f"{fell[one.number]} verdicts fell on experiment {one.number}")


def _stages(read: Reader) -> Iterator[Breach]:
    stages = read.stages()
    done = Counter((stage.experiment, stage.lane) for stage in stages if stage.state is StageState.DONE)
    for one in read.experiments():
        if one.state not in (State.CANCELLED, State.CRASHED):
            for lane in Lane:
                if done[one.number, lane] != 1:
                    yield Breach(Law.LOST, f"experiment {one.number} left no result in {lane}")
    for stage in stages:
        if stage.state is StageState.STARTED:
            yield Breach(Law.HANGS, f"stage {stage.experiment} {stage.lane} is still open")
    finished: set[int] = set()
    for stage in (one for one in stages if one.lane is Lane.TRAIN):
        if stage.experiment in finished:
            yield Breach(Law.AGAIN, f"experiment {stage.experiment} was trained again")
        if stage.state is StageState.DONE:
            finished.add(stage.experiment)


def _slots(read: Reader, slots: int) -> Iterator[Breach]:
    """Passages that were open at the moment when another began."""
    for lane in Lane:
        spans = [(one.started_at, one.finished_at or 0.0) for one in read.stages() if one.lane is lane]
        most = max((sum(began <= at < ended for began, ended in spans) for at, _ in spans), default=0)
        if most > (slots if lane is Lane.EVALUATE else 1):
            yield Breach(Law.SLOTS, f"{most} experiments were in the {lane} lane at once")


def _votes(read: Reader, each: int | None) -> Iterator[Breach]:
    votes = read.votes()
    cast = Counter((v.experiment, v.voter, v.prompt, *sorted((v.model_a, v.model_b))) for v in votes)
    for (experiment, voter, prompt, *_), times in cast.items():
        if times > 1:
            yield Breach(Law.VOTES, f"{voter} has {times} votes on {prompt} in experiment {experiment}")
    counted = sum(votes for *_, votes in read.pair_counts())
    if counted != len(votes):
        yield Breach(Law.VOTES if counted > len(votes) else Law.LOST, f"{counted} votes counted of {len(votes)}")
    if each is None:
        return
    per_experiment = Counter(vote.experiment for vote in votes)
    for one in read.experiments():
        came = per_experiment[one.number]
        if one.state not in (State.CANCELLED, State.CRASHED) and came != each:
            law = Law.VOTES if came > each else Law.LOST
            yield Breach(law, f"experiment {one.number} has {came} votes")


def _champions(read: Reader) -> Iterator[Breach]:
    reigns = read.championships()
    if sum(reign.until is None for reign in reigns) != 1:
        yield Breach(Law.CHAMPION, "not exactly one champion")
    for before, after in pairwise(reigns):
        if before.until is None or before.until > after.since:
            yield Breach(Law.CHAMPION, f"reigns overlap at {after.since}")
        opponent = read.experiment(after.experiment).opponent
        if after.reason.startswith("it beat") and opponent != before.experiment:
            yield Breach(
                Law.CHAMPION, f"experiment {after.experiment} beat {opponent}, but {before.experiment} reigned"
            )
    if reigns and read.experiment(reigns[-1].experiment).state in (State.VETOED, State.CANCELLED, State.CRASHED):
        yield Breach(Law.CHAMPION, f"experiment {reigns[-1].experiment} reigns, but was given up")
    by_a_person = {
        step.experiment
        for step in read.interventions()
        if step.step in (Step.KEEP, Step.PIN) and step.acknowledged_at is not None and not step.refused
    }
    kept = {v.experiment: v for v in read.verdicts() if v.outcome is Outcome.KEEP}
    crowned = {reign.experiment for reign in reigns}
    for number in crowned - {BASELINE} - kept.keys() - by_a_person:
        yield Breach(Law.CHAMPION, f"experiment {number} reigned, but nobody kept it")
    for number in kept.keys() - crowned:
        if not _fell_while_pinned(read, reigns, kept[number]):
            yield Breach(Law.CHAMPION, f"experiment {number} was kept, but never reigned")


def _fell_while_pinned(read: Reader, reigns: list[Championship], verdict: Verdict) -> bool:
    opponent = read.experiment(verdict.experiment).opponent
    return any(
        reign.pinned and reign.experiment == opponent and (reign.until is None or reign.until > verdict.decided_at)
        for reign in reigns
    )


def _done(read: Reader) -> dict[tuple[int, Lane, int], float | None]:
    stages = (stage for stage in read.stages() if stage.state is StageState.DONE)
    return {(stage.experiment, stage.lane, stage.attempt): stage.finished_at for stage in stages}


def _reign(reign: Championship) -> tuple[int, float]:
    return reign.experiment, reign.since
