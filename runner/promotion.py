"""Whether the champion may be promoted: a test on fresh votes, a steady recommendation, really served, on record."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from checkpoints.reader import Reader
from checkpoints.records import BASELINE, REFERENCE, Experiment, Outcome, model_name
from checkpoints.trust import Look, PromotionTest
from runner.canary import answering
from runner.judges import metric_of

LOOKS = 5
"""Looks in a row at which the votes have to recommend the model."""

VOTERS = 20
"""Voters behind each of them."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One thing that a promotion needs."""

    name: str
    met: bool
    found: str
    """One sentence for a person: what is there, or what is missing and how to come by it."""


@dataclass(frozen=True, slots=True)
class Examination:
    """What was found when the champion was looked at; it is of one test, the champion's against what it replaces."""

    conditions: Sequence[Condition]
    test: PromotionTest | None
    """The test on fresh votes that all of it is about; None where there was none."""

    @property
    def passed(self) -> bool:
        """Whether nothing is missing."""
        return all(condition.met for condition in self.conditions)

    @property
    def lacking(self) -> list[str]:
        """What is missing, a sentence each."""
        return [f"{condition.name}: {condition.found}" for condition in self.conditions if not condition.met]


def examine(run_folder: Path, canary: Callable[[Path, str], str] = answering) -> Examination:
    """Everything that promoting the champion needs, each met or not; asks the arena for an answer, so it may take long.

    The checklist alone would promote one of four equal models nine nights of ten, so the test on fresh votes is in it.

    Args:
        run_folder: With the store.
        canary: Asks what is served at a run folder for an answer of the champion; returns the name of who answered.

    Raises:
        CanaryError: Never; that nobody answers is a condition that is not met.
    """
    with closing(Reader(run_folder)) as read:
        reign, promoted = read.champion(), read.promoted()
        if reign is None:
            none = Condition("champion", False, "there is no champion yet: the baseline has to be trained")
            return Examination((none,), None)
        champion = read.experiment(reign.experiment)
        before = promoted.experiment if promoted else BASELINE
        tests = [
            each for each in read.promotion_tests() if (each.experiment, each.opponent) == (champion.number, before)
        ]
        test = tests[-1] if tests else None
        looks = read.looks_of(test.number) if test else []
        metric = metric_of(read, champion.number)
    if champion.number == before:
        already = "is promoted already" if promoted else "is what the run began with: nothing has beaten it"
        return Examination((Condition("champion", False, f"the champion {champion.model} {already}"),), None)
    if metric and test is None:
        said = f"{metric} judged this run, and only people's votes promote: evaluate.judge: votes has them asked"
        return Examination((Condition("fresh votes", False, said),), None)
    conditions = (
        Condition("champion", True, f"{champion.model} is champion"),
        _fresh_votes(champion, before, test),
        _steady(champion.model, looks),
        _served(champion.model, canary(run_folder, "champion")),
        _on_record(champion, test),
    )
    return Examination(conditions, test)


def _fresh_votes(champion: Experiment, before: int, test: PromotionTest | None) -> Condition:
    if test is None:
        missing = (
            f"{champion.model} was not tested on fresh votes against {model_name(before)}; the loop does that when its "
            "budget is used up (evaluate.promotion_test): start or go on with the run"
        )
        return Condition("fresh votes", False, missing)
    if test.ended_at is None:
        return Condition("fresh votes", False, f"test {test.number} goes on: wait for its end")
    if test.outcome is None:
        off = f"test {test.number} was called off ({test.reason}): start the run again, and it goes on with its votes"
        return Condition("fresh votes", False, off)
    return Condition("fresh votes", test.outcome is Outcome.KEEP, test.reason)


def _steady(model: str, looks: Sequence[Look]) -> Condition:
    row = 0
    for look in reversed(looks):
        if look.model != model or look.voters < VOTERS:
            break
        row += 1
    voters = looks[-1].voters if looks else 0
    found = f"recommended at the last {row} looks of the {LOOKS} needed, by {voters} voters of the {VOTERS} needed"
    return Condition("steady", row >= LOOKS, found)


def _served(model: str, answered: str) -> Condition:
    if answered == model:
        return Condition("served", True, f"the arena's answer carries the name {model}")
    who = f"the arena's answer carries the name {answered}" if answered else "nobody answers at the arena"
    return Condition("served", False, f"{who}: start the run, or `autoresearch-tui arena`, so that {model} is served")


def _on_record(champion: Experiment, test: PromotionTest | None) -> Condition:
    lift = test.win_rate if test else None
    lacks = [
        name for name, there in (("hypothesis", champion.proposal.hypothesis.strip()), ("lift", lift)) if not there
    ]
    if lacks:
        return Condition("record", False, f"the record of {champion.model} lacks {' and '.join(lacks)}")
    assert lift is not None
    won = f"{100 * lift.estimate:.1f} % [{100 * lift.low:.1f}, {100 * lift.high:.1f}] on fresh votes"
    return Condition("record", True, f"“{champion.proposal.hypothesis}”, {won}")


def name_of(number: int | None) -> str:
    """Name of the model that a test is against."""
    return REFERENCE if number is None else model_name(number)
