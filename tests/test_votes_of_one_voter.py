"""A verdict's interval where voters vote five times: as wide as so many voters make it, not so many votes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from test_analyst import RULE, trained

from checkpoints import writes
from checkpoints.records import REFERENCE, Choice, Interval, Lane, Standing, Verdict, Vote
from checkpoints.store import Store
from lanes.analyze import asking
from lanes.analyze.analyst import AnalyzeLane, rank

VOTERS, VOTES = 30, 5


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "run") as store:
        yield store


async def judged(store: Store, complaints: list[str]) -> tuple[Verdict, list[Standing]]:
    """The verdict on a baseline that two voters in three like, each of them all five times."""
    number = await trained(store)
    await store.do(writes.start_stage, number, Lane.EVALUATE, {}, opponent=None)
    cast = [
        Vote(number, f"{who}:{turn}", f"v{who}", f"p{who}-{turn}", "exp-0000", REFERENCE,
             Choice.B if who % 3 == 0 else Choice.A, False, 0.0)
        for who in range(VOTERS) for turn in range(VOTES)
    ]  # fmt: skip
    await store.do(writes.add_votes, cast)
    await store.do(writes.finish_stage, number, Lane.EVALUATE, 1, {"judge": "votes"}, 1.0)
    return await AnalyzeLane(store.read, RULE, complaints.append).judge(store.read.experiment(number))


def independent(store: Store) -> Interval:
    """The interval as if every vote came from another voter."""
    return rank(store.read.pair_counts()).standings[0].reference


def width(interval: Interval | None) -> float:
    assert interval is not None
    return interval.high - interval.low


async def test_five_votes_of_a_voter_widen_the_interval_as_those_of_one_voter_do(store: Store) -> None:
    complaints: list[str] = []
    verdict, standings = await judged(store, complaints)
    alone = independent(store)
    assert verdict.reference == standings[0].reference and not complaints
    places = [(one.model, one.experiment, one.votes) for one in standings]
    assert places == [("exp-0000", 0, 150), (REFERENCE, None, 150)]
    assert verdict.reference is not None and verdict.reference.estimate == pytest.approx(alone.estimate, abs=1e-3)
    assert width(verdict.reference) > 1.8 * width(alone), "√5 times, as all five say the same"


async def test_where_the_votes_cannot_be_studied_the_verdict_falls_and_somebody_is_told(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "PROGRAM", "lanes.analyze.not_there")
    complaints: list[str] = []
    verdict, _ = await judged(store, complaints)
    assert verdict.reference == independent(store)
    (said,) = complaints
    assert "not_there" in said and "too narrow" in said
