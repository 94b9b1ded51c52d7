"""The study of a run's votes: the ranking with its intervals, and every metric held against the people."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkpoints import writes
from checkpoints.records import REFERENCE, Choice, Interval, Metric, Outcome, Proposal, Verdict, Vote, model_name
from checkpoints.store import Store
from lanes.analyze.findings import Agreement, Position, Strength
from lanes.analyze.study import NAME, Study, as_insight, of_insight
from runner.studies import Studies

MODELS = (*(model_name(number) for number in range(3)), REFERENCE)


async def vote(store: Store, better: str, worse: str, wins: int, losses: int, voter: str = "person") -> None:
    votes = [
        Vote(1, f"{better}/{worse}/{voter}/{n}", f"{voter}-{n % 20}", f"p{n}", *((better, worse)[:: (-1) ** n]),
             Choice.A if (n < wins) == (n % 2 == 0) else Choice.B, False, float(n))
        for n in range(wins + losses)
    ]  # fmt: skip
    await store.do(writes.add_votes, votes)


@pytest.fixture
async def store(tmp_path: Path):
    with Store(tmp_path) as opened:
        await opened.do(writes.create_run, "run", "better", 9, 7)
        for number in range(3):
            await opened.do(writes.propose, Proposal(f"belief {number}", "data", None, "program"))
        yield opened


async def test_a_study_ranks_the_models_and_holds_each_metric_against_the_people(store: Store) -> None:
    for better, worse in ((2, 1), (2, 0), (1, 0)):
        await vote(store, model_name(better), model_name(worse), 60, 30)
    for number in range(3):
        await vote(store, model_name(number), REFERENCE, 50 + 10 * number, 30)
        loss = [Metric(number, "eval", step, {"loss": 0.5 + number / 10 - step / 100}) for step in (1, 5)]
        await store.do(writes.add_metrics, loss)
    await Studies(store).study()
    found = store.read.insight(NAME)
    assert found is not None
    study = of_insight(found)
    assert [one.model for one in study.strengths] == ["exp-0002", "exp-0001", "exp-0000", REFERENCE]
    assert (study.votes, study.left_out, study.voters) == (3 * 90 + 80 + 90 + 100, 0, 20)
    (loss,) = study.trusts
    assert loss.metric == "eval loss" and not loss.higher_is_better
    assert loss.spearman is not None and loss.spearman.interval.estimate == -1
    assert [point.value for point in loss.points] == [pytest.approx(0.65), pytest.approx(0.55), pytest.approx(0.45)]
    assert len(loss.disagreements) == 3, "the more people like it, the higher its loss"


async def test_excluded_voters_and_judges_are_no_part_of_it(store: Store) -> None:
    await vote(store, model_name(1), REFERENCE, 30, 10)
    await vote(store, REFERENCE, model_name(1), 40, 0, voter="judge:a model")
    await vote(store, REFERENCE, model_name(1), 40, 0, voter="bot")
    for place in range(20):
        await store.do(writes.exclude, f"bot-{place}", "always the left")
    await Studies(store).study()
    study = of_insight(store.read.insight(NAME) or {})
    assert study.votes == 40 and study.strengths[0].model == "exp-0001"


@pytest.mark.slow
async def test_the_votes_of_a_promotion_test_are_studied_when_it_has_ended(store: Store) -> None:
    studies, seen = Studies(store), list[int]()

    async def votes_studied() -> int:
        await studies.catch_up()
        return of_insight(store.read.insight(NAME) or {}).votes

    await vote(store, model_name(1), REFERENCE, 12, 3)
    await store.do(writes.exclude, "somebody", "a bot")
    seen.append(await votes_studied())
    test = await store.do(writes.begin_test, 1, 0, {})
    await vote(store, model_name(1), model_name(0), 20, 5)
    seen.append(await votes_studied())
    rate = Interval(0.8, 0.6, 0.9)
    await store.do(writes.end_test, test, Verdict(1, Outcome.KEEP, 20, 5, 0, rate, rate, 0.6, None, "it won", 9.0, 25))
    seen.append(await votes_studied())
    assert seen == [15, 15, 40]


async def test_before_the_first_vote_there_is_nothing_to_study_and_nothing_to_complain_of(store: Store) -> None:
    await Studies(store).study()
    assert store.read.insight(NAME) is None
    assert not [event for event in store.read.events() if event.kind == "votes"]


numbers = st.floats(-3000, 3000)
ends = st.one_of(numbers, st.sampled_from([-math.inf, math.inf]))


@given(st.tuples(numbers, numbers, numbers), st.booleans(), st.booleans())
def test_a_study_is_the_same_after_the_store_open_ends_included(
    values: tuple[float, float, float], low_open: bool, high_open: bool
) -> None:
    low, middle, high = sorted(values)
    elo = Interval(middle, -math.inf if low_open else low, math.inf if high_open else high)
    share = Interval(0.5, 0.0 if low_open else 0.4, math.inf if high_open else 0.6)
    ranked = Strength("exp-0001", 12, elo, share, None, None)
    study = Study(
        12, 0, 3, 0, 200, (ranked,), ("exp-0002",), Position(None, 0.0, False, "unknown"),
        Agreement(None, 0, None, 0, "unknown"), (),
    )  # fmt: skip
    assert of_insight(json.loads(json.dumps(as_insight(study), allow_nan=False))) == study
