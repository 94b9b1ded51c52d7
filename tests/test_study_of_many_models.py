"""A study of a run with many models: it looks at those that matter, and a verdict waits for the strengths alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from checkpoints import writes
from checkpoints.records import JUDGE, REFERENCE, Choice, Lane, Metric, Proposal, Vote, model_name
from checkpoints.store import Store
from lanes.analyze import asking
from lanes.analyze.analyst import AnalyzeLane, rank
from lanes.analyze.asking import strengths, studied
from lanes.analyze.study import as_insight, of_insight
from lanes.analyze.verdict import Rule

MODELS, REIGNED, PROMOTED = 130, 3, 5


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """So many models, each better than the one before it, which its loss says is worse; and a judge's votes."""
    with Store(tmp_path) as store:
        store.submit(writes.create_run, "run", "better", MODELS, 7).result()
        votes = [
            Vote(number, f"{number}/{n}", f"v{n}", f"p{n}", model_name(number), REFERENCE,
                 Choice.A if n < 20 + number // 3 else Choice.B, False, 0.0)
            for number in range(MODELS) for n in range(70)
        ]  # fmt: skip
        judged = Vote(1, "judged", f"{JUDGE}llm", "p0", model_name(1), REFERENCE, Choice.A, False, 0.0)
        store.submit(lambda db: [writes.propose(db, Proposal("", "data", None, "program")) for _ in range(MODELS)])
        store.submit(writes.add_votes, [*votes, judged])
        losses = [Metric(number, "eval", 1, {"loss": number / 100}) for number in range(MODELS)]
        store.submit(writes.add_metrics, losses)
        store.submit(writes.change_champion, REIGNED, "it was better once").result()
        store.submit(writes.change_champion, MODELS - 1, "it is better").result()
        store.submit(writes.promote, PROMOTED, None, "", None, "once").result()
        yield store


@pytest.mark.slow
async def test_of_many_models_those_that_matter_are_studied_and_the_others_are_counted(store: Store) -> None:
    study = await studied(store.folder)
    assert study is not None
    looked_at = {one.model for one in study.strengths}
    newest = {model_name(number) for number in range(MODELS - 97, MODELS)}
    assert looked_at == {REFERENCE, model_name(REIGNED), model_name(PROMOTED)} | newest
    assert study.models_left_out == MODELS + 1 - len(looked_at) == 31
    (loss,) = (trust for trust in study.trusts if trust.metric == "eval loss")
    assert loss.spearman is not None and loss.spearman.interval.high < -0.9
    assert len(loss.disagreements) == 20 and 4000 < loss.more < 100 * 99 / 2
    assert of_insight(as_insight(study)) == study
    alone = await strengths(store.folder)
    assert [(one.model, one.reference) for one in alone] == [(one.model, one.reference) for one in study.strengths]


@pytest.mark.slow
async def test_a_verdict_waits_for_the_strengths_alone_and_not_for_long(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for lane in (Lane.TRAIN, Lane.UPLOAD, Lane.EVALUATE):
        await store.do(writes.start_stage, 0, lane, {})
        await store.do(writes.finish_stage, 0, lane, 1, {"judge": "votes"}, 1.0)
    said: list[str] = []
    lane = AnalyzeLane(store.read, Rule(), said.append)
    plain = {one.model: one for one in rank(store.read.pair_counts()).standings}
    monkeypatch.setattr(asking, "MOST_SECONDS_OF_A_VERDICT", 60.0)
    found = {one.model: one for one in (await lane.judge(store.read.experiment(0)))[1]}
    changed = {model for model in plain if found[model].reference != plain[model].reference}
    assert found.keys() == plain.keys() and not said
    assert model_name(MODELS - 1) in changed and model_name(0) not in changed, "who is not looked at stays"
    monkeypatch.setattr(asking, "MOST_SECONDS_OF_A_VERDICT", 0.01)
    _, standings = await lane.judge(store.read.experiment(0))
    assert {one.model: one for one in standings} == plain
    assert len(said) == 1 and "longer than 0 s" in said[0]


def test_the_votes_of_judges_are_found_without_those_of_people(store: Store) -> None:
    assert [vote.key for vote in store.read.judges_votes()] == ["judged"]
