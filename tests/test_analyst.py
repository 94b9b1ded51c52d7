"""The analyze lane: what stands in a verdict, by votes and by held-out pairs, and who is in the ranking."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from checkpoints import writes
from checkpoints.records import REFERENCE, Choice, Lane, Outcome, Proposal, Standing, Verdict, Vote
from checkpoints.store import Store
from lanes.analyze.analyst import AnalyzeLane
from lanes.analyze.verdict import Rule
from lanes.analyze.win_rate import wilson
from lanes.evaluate import EvaluateLane, EvaluateSettings
from lanes.lane import StageFailed

RULE = Rule(min_votes=20, max_votes=1000)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "run") as store:
        yield store


async def trained(store: Store, margins: list[float] | None = None) -> int:
    """An experiment that is trained and uploaded, with the margins of its held-out pairs."""
    number = await store.do(writes.propose, Proposal("", "data", None, "program"))
    details = store.folder / f"result-{number}.json"
    pairs = [{"row": f"p{place}", "margin": margin} for place, margin in enumerate(margins or ())]
    details.write_text(json.dumps({"status": "done", "pairs": pairs}))
    await store.do(writes.start_stage, number, Lane.TRAIN, {}, recipe={})
    await store.do(writes.finish_stage, number, Lane.TRAIN, 1, {"details": str(details)}, 1.0)
    await store.do(writes.start_stage, number, Lane.UPLOAD, {})
    await store.do(writes.finish_stage, number, Lane.UPLOAD, 1, {}, 1.0)
    return number


async def by_metric(store: Store, number: int, opponent: int | None) -> tuple[Verdict, list[Standing]]:
    """Through the evaluate lane with the metric as judge, then judged."""
    lane = EvaluateLane(store, EvaluateSettings(model="m", prompts=None, judge="val_pref_acc"))
    order = lane.order(replace(store.read.experiment(number), opponent=opponent))
    await store.do(writes.start_stage, number, Lane.EVALUATE, order, opponent=opponent)
    result = await lane.run(store.read.stages(number)[-1])
    await store.do(writes.finish_stage, number, Lane.EVALUATE, 1, result, 1.0)
    return await AnalyzeLane(store.read, RULE, pytest.fail).judge(store.read.experiment(number))


async def by_votes(
    store: Store, number: int, opponent: int | None, votes: list[tuple[str, str, Choice]], people: int | None = None
) -> tuple[Verdict, list[Standing]]:
    """With these votes in the store, the first so many of them by people and the others simulated, judged."""
    people = len(votes) if people is None else people
    await store.do(writes.start_stage, number, Lane.EVALUATE, {}, opponent=opponent)
    cast = [Vote(number, f"{number}:{i}", f"v{i}", f"p{i}", *vote, i >= people, 0.0) for i, vote in enumerate(votes)]
    await store.do(writes.add_votes, cast)
    await store.do(writes.finish_stage, number, Lane.EVALUATE, 1, {"judge": "votes"}, 1.0)
    return await AnalyzeLane(store.read, RULE, pytest.fail).judge(store.read.experiment(number))


async def test_a_metric_verdict_has_the_accuracy_with_its_interval_where_votes_have_the_reference(store: Store) -> None:
    base = await trained(store, [1.0] * 60 + [-1.0] * 40)
    verdict, standings = await by_metric(store, base, None)
    assert verdict.reference == wilson(60, 40)
    assert verdict.outcome is Outcome.KEEP and standings == []
    assert verdict.reason == (
        "val_pref_acc 0.600 [0.502, 0.691] on 100 held-out pairs, one training run; "
        "the baseline reigns without a contest."
    )


async def test_a_metric_verdict_counts_the_pairs_that_only_one_of_the_two_gets_right(store: Store) -> None:
    base = await trained(store, [1.0] * 50 + [-1.0] * 50)
    await by_metric(store, base, None)
    better = await trained(store, [1.0] * 90 + [-1.0] * 10)
    verdict, _ = await by_metric(store, better, base)
    assert (verdict.outcome, verdict.wins, verdict.losses, verdict.ties) == (Outcome.KEEP, 40, 0, 60)
    assert verdict.reference == wilson(90, 10)
    assert verdict.reason.startswith(
        "val_pref_acc 0.900 [0.826, 0.945] on 100 held-out pairs, one training run: "
        "40 wins to 0 losses (60 about equal) against exp-0000: "
    )
    assert verdict.reason.endswith("so exp-0001 is kept.")


async def test_a_metric_verdict_speaks_of_pairs_and_never_of_votes(store: Store) -> None:
    base = await trained(store, [1.0] * 50 + [-1.0] * 50)
    await by_metric(store, base, None)
    same = await trained(store, [1.0] * 50 + [-1.0] * 50)
    verdict, _ = await by_metric(store, same, base)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert verdict.reason.endswith("no pair tells them apart, so exp-0001 is inconclusive and exp-0000 stays.")
    nearly = await trained(store, [1.0] * 54 + [-1.0] * 46)
    verdict, _ = await by_metric(store, nearly, base)
    assert verdict.outcome is Outcome.INCONCLUSIVE and "at the end of the pairs" in verdict.reason
    assert "vote" not in verdict.reason


@pytest.mark.parametrize(("people", "said"), [(0, "simulated votes"), (10, "partly simulated votes")])
async def test_a_verdict_on_simulated_votes_says_so_in_its_sentence(store: Store, people: int, said: str) -> None:
    base = await trained(store)
    cast = [("exp-0000", REFERENCE, choice) for choice in [Choice.A] * 30 + [Choice.B] * 20]
    verdict, _ = await by_votes(store, base, None, cast, people)
    assert f"(0 about equal) in {said}, 60.0 %" in verdict.reason
    better = await trained(store)
    cast = [("exp-0001", "exp-0000", choice) for choice in [Choice.A] * 12 + [Choice.B] * 10]
    verdict, _ = await by_votes(store, better, base, cast, people)
    assert verdict.reason.startswith(f"12 wins to 10 losses against exp-0000 in {said}: ")
    assert f"at the end of the {said}," in verdict.reason


async def test_the_baseline_by_votes_reigns_without_a_contest(store: Store) -> None:
    base = await trained(store)
    votes = [("exp-0000", REFERENCE, choice) for choice in [Choice.A] * 30 + [Choice.B] * 20 + [Choice.TIE] * 3]
    verdict, standings = await by_votes(store, base, None, votes)
    assert verdict.reason == (
        "The baseline against the reference: 30 wins to 20 losses (3 about equal), 60.0 % [46.2, 72.4]; "
        "it reigns without a contest."
    )
    assert [(one.model, one.experiment) for one in standings] == [("exp-0000", 0), (REFERENCE, None)]
    assert verdict.reference == standings[0].reference


async def test_a_model_that_nothing_links_to_the_reference_is_said_to_be_unranked(store: Store) -> None:
    base = await trained(store)
    await by_votes(store, base, None, [("exp-0000", REFERENCE, Choice.A)])
    alone = await trained(store)
    verdict, standings = await by_votes(store, alone, base, [("exp-0001", "exp-0007", Choice.A)] * 3)
    assert verdict.reference is None
    assert "exp-0001" not in [one.model for one in standings]
    assert verdict.reason.endswith("No chain of votes links exp-0001 to the reference, so it has no rank yet.")


async def test_an_evaluation_without_a_result_is_a_failure_and_no_verdict(store: Store) -> None:
    number = await trained(store)
    with pytest.raises(StageFailed, match="exp-0000 left no result"):
        await AnalyzeLane(store.read, RULE, pytest.fail).judge(store.read.experiment(number))
