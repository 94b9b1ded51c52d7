"""Laws of champions: one at a time, by a keep or a person's word, never one that was given up; lineage after vetoes."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from checkpoints.reader import Reader
from checkpoints.records import BASELINE, ENDS, Lane, Outcome, State, Step, Verdict
from runner.checkup.facts import Facts
from runner.checkup.law import Breach, Law


def breaches_of_champions(read: Reader, facts: Facts) -> Iterator[Breach]:
    """What is wrong with reigns and with what is built on them."""
    yield from _one_at_a_time(read, facts)
    yield from _rightful(read, facts)
    yield from _lineage(facts)


def never_crowned(facts: Facts) -> list[Verdict]:
    """Keeps that were to reign and never did, in the order in which they fell."""
    crowned = {reign.experiment for reign in facts.reigns}
    kept = (verdict for verdict in facts.verdicts if verdict.outcome is Outcome.KEEP)
    return [one for one in kept if one.experiment not in crowned and not _fell_while_pinned(facts, one)]


def _one_at_a_time(read: Reader, facts: Facts) -> Iterator[Breach]:
    reigns = facts.reigns
    if not reigns and read.done_stage(BASELINE, Lane.TRAIN) is None:
        return  # the baseline is the first, when it has been trained
    if sum(reign.until is None for reign in reigns) != 1:
        yield Breach(Law.CHAMPION, "not exactly one champion")
    for before, after in pairwise(reigns):
        if before.until is None or before.until > after.since:
            yield Breach(Law.CHAMPION, f"reigns overlap at {after.since}")
        opponent = facts.experiments[after.experiment].opponent
        if after.reason.startswith("it beat") and opponent != before.experiment:
            what = f"experiment {after.experiment} beat {opponent}, but {before.experiment} reigned"
            yield Breach(Law.CHAMPION, what)


def _rightful(read: Reader, facts: Facts) -> Iterator[Breach]:
    reigns = facts.reigns
    if reigns and facts.experiments[reigns[-1].experiment].state in (State.VETOED, State.CANCELLED, State.CRASHED):
        yield Breach(Law.CHAMPION, f"experiment {reigns[-1].experiment} reigns, but was given up")
    by_a_person = {
        step.experiment
        for step in read.interventions()
        if step.step in (Step.KEEP, Step.PIN) and step.acknowledged_at is not None and not step.refused
    }
    kept = {verdict.experiment for verdict in facts.verdicts if verdict.outcome is Outcome.KEEP}
    for number in {reign.experiment for reign in reigns} - {BASELINE} - kept - by_a_person:
        yield Breach(Law.CHAMPION, f"experiment {number} reigned, but nobody kept it")
    for verdict in never_crowned(facts):
        yield Breach(Law.CHAMPION, f"experiment {verdict.experiment} was kept, but never reigned")


def _lineage(facts: Facts) -> Iterator[Breach]:
    """Parents are champions, or the experiments that a search branches from; none under way has one that was vetoed."""
    crowned = {reign.experiment for reign in facts.reigns}
    for one in facts.experiments.values():
        if one.parent is None:
            continue
        if one.parent not in crowned and one.parent != one.proposal.base:
            yield Breach(Law.CHAMPION, f"experiment {one.number} is built on {one.parent}, which never reigned")
        if one.state not in ENDS and facts.experiments[one.parent].state is State.VETOED:
            yield Breach(Law.CHAMPION, f"experiment {one.number} goes on, built on {one.parent}, which is vetoed")


def _fell_while_pinned(facts: Facts, verdict: Verdict) -> bool:
    opponent = facts.experiments[verdict.experiment].opponent
    return any(
        reign.pinned and reign.experiment == opponent and (reign.until is None or reign.until > verdict.decided_at)
        for reign in facts.reigns
    )
