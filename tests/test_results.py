"""The table of a run: the columns of karpathy/autoresearch, then ours; one line each, whatever its texts say."""

from __future__ import annotations

import csv
import fcntl
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from checkpoints import writes
from checkpoints.records import REFERENCE, Change, Choice, Interval, Lane, Outcome, Proposal, Verdict, Vote
from checkpoints.store import Store
from runner.results import results_tsv, status, status_line

THEIRS = ["commit", "win_rate", "memory_gb", "status", "description"]
OURS = [
    "experiment", "category", "field", "old", "new", "low", "high", "wins", "losses", "ties", "final_loss",
    "train_seconds", "parent", "opponent", "reason", "judge",
    "proposer", "expected", "effect", "effect_low", "effect_high", "value", "value_low", "value_high", "locked",
    "trainings", "refusals", "agent_tokens", "agent_usd",
]  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path) as store:
        yield store


def table(store: Store) -> list[dict[str, str]]:
    return list(csv.DictReader(results_tsv(store.read).splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE))


async def ended(
    store: Store, proposal: Proposal, outcome: Outcome, rate: Interval | None = None, judge: str = "votes"
) -> int:
    number = await store.do(writes.propose, proposal)
    opponent = 0 if number else None
    for lane in (Lane.TRAIN, Lane.UPLOAD, Lane.EVALUATE):
        bound = {"recipe": {}, "parent": opponent} if lane is Lane.TRAIN else {}
        if lane is Lane.EVALUATE:
            bound = {"opponent": opponent}
        await store.do(lambda db, lane=lane, bound=bound: writes.start_stage(db, number, lane, {}, **bound))
        result = {"peak_memory": 3 * 2**30, "final_loss": 0.6931471} if lane is Lane.TRAIN else {"judge": judge}
        crown = "baseline" if lane is Lane.TRAIN and not number else ""
        await store.do(writes.finish_stage, number, lane, 1, result, 12.34, crown)
    await store.do(writes.start_stage, number, Lane.ANALYZE, {})
    verdict = Verdict(number, outcome, 30, 20, 5, None, None, None, rate, "30 wins to 20 losses", time.time())
    await store.do(writes.conclude, verdict, [], number > 0, 1, 0.1)
    return number


BASELINE = Proposal("the program's own recipe", "baseline", None, "program")


def test_before_anything_ended_there_is_the_header_alone(store: Store) -> None:
    assert results_tsv(store.read) == "\t".join(THEIRS + OURS) + "\n"


async def test_a_line_has_their_columns_first_and_then_ours(store: Store) -> None:
    await ended(store, BASELINE, Outcome.KEEP, Interval(0.5, 0.4, 0.6))
    change = Change("training.beta", 0.1, 0.2)
    await ended(
        store, Proposal("hold on less", "loss", change, "playbook"), Outcome.KEEP, Interval(0.61234567, 0.5, 0.7)
    )
    first, second = table(store)
    assert list(second) == THEIRS + OURS
    assert [first[name] for name in THEIRS] == ["exp-0000", "0.500000", "3.0", "keep", "baseline"]
    assert [second[name] for name in THEIRS] == [
        "exp-0001", "0.612346", "3.0", "keep", "training.beta 0.1 → 0.2: hold on less",
    ]  # fmt: skip
    assert [second[name] for name in OURS] == [
        "1", "loss", "training.beta", "0.1", "0.2", "0.5000", "0.7000", "30", "20", "5", "0.6931", "12.3", "0", "0",
        "30 wins to 20 losses", "", "playbook", "", "", "", "", "", "", "", "", "", "0", "", "",
    ]  # fmt: skip


async def test_every_end_has_its_status_and_what_is_under_way_has_no_line(store: Store) -> None:
    await ended(store, BASELINE, Outcome.KEEP)
    change = Change("f", 1, 2)
    for outcome in (Outcome.DISCARD, Outcome.INCONCLUSIVE, Outcome.KEEP):
        await ended(store, Proposal("", "data", change, "playbook"), outcome)
    await store.do(writes.veto, 3, "no")
    crashed = await store.do(writes.propose, Proposal("", "data", change, "playbook"))
    await store.do(writes.crash, crashed, "train: oom: out of memory")
    cancelled = await store.do(writes.propose, Proposal("", "data", change, "playbook"))
    await store.do(writes.cancel, cancelled, "skipped")
    await store.do(writes.propose, Proposal("", "data", change, "playbook"))
    rows = table(store)
    assert [row["status"] for row in rows] == ["keep", "discard", "inconclusive", "vetoed", "crash", "cancelled"]
    assert (rows[4]["win_rate"], rows[4]["memory_gb"], rows[4]["reason"]) == ("", "0.0", "train: oom: out of memory")
    assert rows[5]["reason"] == "skipped"


async def test_a_training_that_outlived_its_runner_took_as_long_as_it_says_itself(store: Store) -> None:
    await store.do(writes.propose, BASELINE)
    await store.do(writes.start_stage, 0, Lane.TRAIN, {}, recipe={})
    await store.do(writes.finish_stage, 0, Lane.TRAIN, 1, {"seconds": 40.0}, 0.01)
    await store.do(writes.cancel, 0, "enough")
    assert table(store)[0]["train_seconds"] == "40.0"


async def test_the_status_counts_what_used_the_budget_and_names_what_a_rate_is_of(store: Store) -> None:
    await ended(store, BASELINE, Outcome.KEEP, Interval(0.75, 0.7, 0.8), judge="val_pref_acc")
    change = Change("f", 1, 2)
    await ended(store, Proposal("", "data", change, "playbook"), Outcome.DISCARD)
    cancelled = await store.do(writes.propose, Proposal("", "data", change, "playbook"))
    await store.do(writes.cancel, cancelled, "an idea of a person's comes first")
    await store.do(writes.create_run, "mine", "better", 1, 7)
    now = status(store.folder, store.read)
    assert now["experiments"] == {"budget": 1, "ended": 1, "kept": 0} and now["judge"] == "val_pref_acc"
    assert "champion exp-0000, 75.0% [70.0%, 80.0%] of held-out pairs in the right order\n" in status_line(now)
    assert "1 of 1 experiments ended after the baseline, 0 kept" in status_line(now)


async def test_the_status_names_what_is_promoted_the_last_test_and_who_was_excluded(store: Store) -> None:
    await ended(store, BASELINE, Outcome.KEEP)
    await ended(store, Proposal("", "data", Change("f", 1, 2), "playbook"), Outcome.KEEP)
    await store.do(writes.create_run, "mine", "better", 1, 7)
    before = status(store.folder, store.read)
    assert (before["promoted"], before["promotion_test"], before["arena"]) == (None, None, None)
    test = await store.do(writes.begin_test, 1, 0, {})
    assert "promotion test 1, exp-0001 against exp-0000: goes on" in status_line(status(store.folder, store.read))
    rate = Interval(0.8, 0.6, 0.9)
    await store.do(writes.end_test, test, Verdict(1, Outcome.KEEP, 20, 5, 0, rate, rate, 0.6, None, "it won", 9.0, 25))
    await store.do(writes.promote, 1, None, "belief", rate, "by hand")
    await store.do(writes.exclude, "bot", "always the left")
    (store.folder / "arena").mkdir()
    with (store.folder / "arena" / "worker.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        place = {"status": "ready", "host": "127.0.0.1", "port": 8123}
        (store.folder / "arena" / "result.json").write_text(json.dumps(place))
        now = json.loads(json.dumps(status(store.folder, store.read)))
    assert (now["promoted"], now["excluded_voters"], now["arena"]) == ("exp-0001", ["bot"], "http://127.0.0.1:8123")
    assert now["promotion_test"] == {
        "number": 1, "model": "exp-0001", "against": "exp-0000", "open": False, "outcome": "keep", "voters": 25,
        "win_rate": {"estimate": 0.8, "low": 0.6, "high": 0.9}, "reason": "it won",
    }  # fmt: skip
    assert status(store.folder, store.read)["arena"] is None, "who listens no longer is not named"


@pytest.mark.parametrize(
    ("voters", "judge"),
    [([True], "simulated votes"), ([False], "votes"), ([True, False], "partly simulated votes"), ([], "val_pref_acc")],
)
async def test_the_table_says_who_judged(store: Store, voters: list[bool], judge: str) -> None:
    votes = [
        Vote(0, f"{simulated}", f"voter-{simulated}", "p", "exp-0000", REFERENCE, Choice.A, simulated, 0.0)
        for simulated in voters
    ]
    await ended(store, BASELINE, Outcome.KEEP, judge="votes" if votes else "val_pref_acc")
    await store.do(writes.add_votes, votes)
    assert table(store)[0]["judge"] == judge


async def test_tabs_and_line_breaks_in_texts_break_no_line(store: Store) -> None:
    await store.do(writes.propose, Proposal("one\ttwo\nthree", "data", Change("f", "a\tb", "c\r\nd"), "model"))
    await store.do(writes.cancel, 0, "no\tgood\n")
    (row,) = table(store)
    assert row["description"] == "f a b → c d: one two three" and row["reason"] == "no good"
    assert None not in row
