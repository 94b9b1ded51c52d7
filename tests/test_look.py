"""What a look at the store reads again, and what stays the same object because nothing of it has changed."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from runs import Story

from checkpoints import writes
from checkpoints.records import FailureKind, Lane, Level, Metric, Step
from checkpoints.store import Store
from tui.snapshot import BELIEFS, Snapshot, look

if TYPE_CHECKING:
    from sqlite_utils import Database


@pytest.fixture
def run(tmp_path: Path) -> Iterator[tuple[Store, Story]]:
    with Store(tmp_path) as store:
        story = Story()
        store.submit(story.begin, 6).result()
        for number in range(5):
            store.submit(story.finished, number).result()
        yield store, story


def test_what_is_made_of_verdicts_stays_until_one_falls(run: tuple[Store, Story]) -> None:
    store, story = run
    first = look(store.read, Snapshot())
    store.submit(story.evaluating).result()
    running = look(store.read, first)
    assert len(running.rows) == 6 and running.judged is first.judged and running.standings is first.standings
    store.submit(writes.finish_stage, 5, Lane.EVALUATE, 1, {"judge": "votes"}, 1.0).result()
    store.submit(story.conclude, 5, "discard", 40, 60, 0).result()
    judged = look(store.read, running)
    assert judged.judged is judged.rows and judged.judged[5].verdict
    assert len(judged.standings) == len(first.standings) + 1


def test_an_experiment_that_is_taken_back_counts_as_judged_anew(run: tuple[Store, Story]) -> None:
    store, story = run
    store.submit(story.finished, 5).result()
    before = look(store.read, Snapshot())
    store.submit(story.veto_the_last_keep_but_one).result()
    after = look(store.read, before)
    assert after.judged is after.rows is not before.judged


def test_rows_have_no_recipes_but_the_store_gives_them_when_asked(run: tuple[Store, Story]) -> None:
    store, _ = run
    before = look(store.read, Snapshot())
    store.submit(touch, 2).result()
    after = look(store.read, before)
    assert after.rows[2] is not before.rows[2]
    assert all(row.experiment.recipe is None for row in (*before.rows, *after.rows))
    assert store.read.recipes(0, 2)[2] == store.read.experiment(2).recipe
    assert store.read.recipes(0, 2).keys() == {0, 2}


def touch(db: Database, number: int) -> None:
    db.execute("UPDATE stages SET seconds = seconds WHERE experiment = ?", [number])


def test_of_many_beliefs_the_newest_are_in_hand(run: tuple[Store, Story]) -> None:
    store, _ = run
    store.submit(believe, BELIEFS + 5).result()
    assert [one.text for one in look(store.read, Snapshot()).hypotheses][-1] == f"belief {BELIEFS + 4}"
    assert len(look(store.read, Snapshot()).hypotheses) == BELIEFS


def believe(db: Database, many: int) -> None:
    db.conn.executemany(
        "INSERT INTO hypotheses (text, category, status, experiments) VALUES (?, 'data', 'open', '[1]')",
        [(f"belief {n}",) for n in range(many)],
    )


def test_the_curve_of_a_training_that_began_again_is_of_that_one_alone(run: tuple[Store, Story]) -> None:
    store, story = run
    store.submit(story.training, 12).result()
    first = look(store.read, Snapshot())
    assert first.candidate and [metric.step for metric in first.candidate.train] == list(range(1, 13))
    store.submit(writes.fail_stage, 5, Lane.TRAIN, 1, FailureKind.OOM, "out of memory", 3.0).result()
    store.submit(story.start_training, 5).result()
    store.submit(writes.add_metrics, again := [Metric(5, "train", step, {"loss": 9.0}) for step in (1, 2)]).result()
    second = look(store.read, first)
    assert second.candidate and second.candidate.train == tuple(again)
    store.submit(
        writes.add_metrics, more := [Metric(5, "train", step, {"loss": 8.0}) for step in range(3, 15)]
    ).result()
    third = look(store.read, second)
    assert third.candidate and third.candidate.train == (*again, *more)
    assert look(store.read, third).candidate is third.candidate


def test_a_step_that_was_done_again_is_read_again(run: tuple[Store, Story]) -> None:
    store, story = run
    store.submit(story.training, 12).result()
    first = look(store.read, Snapshot())
    store.submit(writes.add_metrics, [Metric(5, "train", step, {"loss": 9.0}) for step in range(10, 15)]).result()
    after = look(store.read, first).candidate
    assert after and [metric.step for metric in after.train if metric.values["loss"] == 9.0] == [10, 11, 12, 13, 14]


def test_what_a_person_did_stays_the_same_object_until_it_says_something_else(run: tuple[Store, Story]) -> None:
    store, _ = run
    store.submit(writes.add_zoom_out, "forced", "", "look at the data", ["data"]).result()
    wanted = store.submit(writes.intervene, Step.PAUSE, None, "", {"when": "now"}).result()
    first = look(store.read, Snapshot())
    store.submit(say_something).result()
    second = look(store.read, first)
    assert first.pending and second.events != first.events
    assert second.interventions is first.interventions
    assert second.zoom_outs is first.zoom_outs and second.reigns is first.reigns
    store.submit(writes.acknowledge, wanted, "paused").result()
    assert not look(store.read, second).pending


def say_something(db: Database) -> None:
    writes.event(db, Level.INFO, "run", "something happened")


def test_what_was_read_at_first_is_not_searched_for_garbage(run: tuple[Store, Story]) -> None:
    store, _ = run
    before = gc.get_freeze_count()
    snapshot = look(store.read, Snapshot())
    assert gc.get_freeze_count() > before
    assert not any(row is known for known in gc.get_objects() for row in snapshot.rows)
