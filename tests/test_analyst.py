"""The analyze lane: what stands in a verdict by votes, and who is in the ranking."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from checkpoints import writes
from checkpoints.records import REFERENCE, Choice, Lane, Proposal, Standing, Verdict, Vote
from checkpoints.store import Store
from lanes.analyze.analyst import AnalyzeLane
from lanes.analyze.verdict import Rule
from lanes.lane import StageFailed

RULE = Rule(min_votes=20, max_votes=1000)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "run") as store:
        yield store


async def trained(store: Store) -> int:
    """An experiment that is trained and uploaded."""
    number = await store.do(writes.propose, Proposal("", "data", None, "program"))
    await store.do(writes.start_stage, number, Lane.TRAIN, {}, recipe={})
    await store.do(writes.finish_stage, number, Lane.TRAIN, 1, {}, 1.0)
    await store.do(writes.start_stage, number, Lane.UPLOAD, {})
    await store.do(writes.finish_stage, number, Lane.UPLOAD, 1, {"url": "file:///nowhere"}, 1.0)
    return number


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
