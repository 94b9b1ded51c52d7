"""What decides on votes is decided before they come: the rule of the order, and the counts that the evaluation left."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from test_analyst import trained

from checkpoints import writes
from checkpoints.records import Choice, Lane, Outcome, Tally, Verdict, Vote, VoterMeans
from checkpoints.store import Store
from lanes.analyze.analyst import AnalyzeLane
from lanes.analyze.verdict import Rule, reason
from lanes.evaluate import EvaluateLane, EvaluateSettings

ORDERED = Rule(alpha=0.1, beta=0.1, lift=0.04, min_votes=30, max_votes=400)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "run") as store:
        yield store


async def evaluated(store: Store, wins: int, losses: int) -> None:
    """Experiment 1 against the baseline, by a vote of as many voters, under the order of the evaluate lane."""
    for _ in range(2):
        await trained(store)
    lane = EvaluateLane(store, EvaluateSettings(model="m", prompts=None, rule=ORDERED))
    order = lane.order(replace(store.read.experiment(1), opponent=0))
    await store.do(writes.start_stage, 1, Lane.EVALUATE, order, opponent=0)
    choices = [Choice.A] * wins + [Choice.B] * losses
    cast = [Vote(1, f"k{i}", f"v{i}", f"p{i}", "exp-0001", "exp-0000", choice, False, 0.0)
            for i, choice in enumerate(choices)]  # fmt: skip
    await store.do(writes.add_votes, cast)
    await store.do(writes.close_sessions, 1, 0, 0.0, 1)
    counts = store.read.voter_means(1, "exp-0001", "exp-0000").counts
    result = {"judge": "votes", "tally": {"wins": wins, "losses": losses, "ties": 0}, "means": counts}
    await store.do(writes.finish_stage, 1, Lane.EVALUATE, 1, result, 1.0)


async def judged(store: Store, rule: Rule) -> Verdict:
    return (await AnalyzeLane(store.read, rule, pytest.fail).judge(store.read.experiment(1)))[0]


async def test_an_edit_of_the_program_after_the_votes_came_changes_no_verdict(store: Store) -> None:
    await evaluated(store, 40, 10)
    edits = (Rule(), Rule(alpha=0.0001), Rule(min_votes=100), Rule(lift=0.001, beta=0.01), Rule(max_votes=20))
    as_ordered = replace(await judged(store, ORDERED), decided_at=0.0)
    assert as_ordered.outcome is Outcome.KEEP
    assert all([replace(await judged(store, rule), decided_at=0.0) == as_ordered for rule in edits])


def test_a_rule_comes_back_out_of_its_order_and_an_older_order_leaves_it_as_it_is() -> None:
    assert Rule().as_ordered({"arms": 2, "rule": ORDERED.ordered()}) == replace(ORDERED, arms=2)
    assert ORDERED.as_ordered({}) == ORDERED


async def test_votes_and_voters_of_a_verdict_are_of_one_moment_whoever_is_excluded_since(store: Store) -> None:
    await evaluated(store, 40, 10)
    await store.do(writes.exclude, "v0", "a bot")
    verdict = await judged(store, ORDERED)
    assert (verdict.wins, verdict.losses, verdict.voters) == (40, 10, 50)
    assert "counted as one each" not in verdict.reason


def test_too_few_voters_are_said_to_be_too_few() -> None:
    said = reason(Rule(), Tally(17, 0, 0), VoterMeans.each(17, 0), Outcome.INCONCLUSIVE, "exp-0001", "exp-0000")
    assert "17 of the 20 voters needed at the end of the votes, so exp-0001 is inconclusive" in said
    assert "e-value" not in said
