"""What goes on with less, waits or tries again says so in the run's log: the table of it, and where each is provoked.

A row of ``degraded.TABLE`` is proven by a test, by name, that provokes it. Here stands that the table is whole: no
module warns that is not in it, each row's words are the product's, and each test is there.
"""

from __future__ import annotations

import ast
import asyncio
import os
import re
import signal
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TypeAlias

import pytest
from degraded import ELSEWHERE, TABLE, Row
from test_evaluate import settings
from test_metric_lane import make_lane as lane_with_metric
from test_metric_lane import trained as seeds_trained
from test_train_lane import MakeLane, go, make_lane, store

from checkpoints import writes
from checkpoints.records import FailureKind, Lane, Level, Proposal, Stage
from checkpoints.store import Store
from lanes import saying
from lanes.analyze.asking import StudyError
from lanes.arena_desk import ARENA
from lanes.lane import StageFailed
from lanes.launch import LocalProcess
from lanes.model_client import ServerGone
from lanes.order import Standby
from lanes.published import Published
from lanes.pull import Pull
from lanes.pull_votes import Puller
from lanes.saying import Saying
from lanes.sharing import SharedServer
from lanes.standby import StandbyKeeper
from lanes.train import TrainLane
from lanes.venue import Venue
from lanes.vote_file import VOTES, FileVoters
from lanes.worker import Worker
from runner import studies
from runner.failing import try_again

__all__ = ["lane_with_metric", "make_lane", "store"]

Seeds: TypeAlias = Callable[..., TrainLane]

ROOT = Path(__file__).parents[1]
FLOORS = ("checkpoints", "lanes", "runner", "tui")


def test_no_module_warns_of_what_is_not_in_the_table() -> None:
    warns = re.compile(r"Level\.(?:WARNING|ERROR)")
    files = [path for floor in FLOORS for path in (ROOT / floor).rglob("*.py")]
    found = {str(path.relative_to(ROOT)) for path in files if warns.search(path.read_text())}
    assert found - {row.where for row in TABLE} == ELSEWHERE.keys()


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.what)
def test_each_row_has_the_words_of_the_product_and_a_test_that_is_there(row: Row) -> None:
    assert row.words in (ROOT / row.where).read_text()
    file, _, name = row.test.partition("::")
    assert "assert" in bodies(ROOT / "tests" / file)[name]


async def test_what_is_tried_again_is_said_with_what_is_different(tmp_path: Path) -> None:
    def order(batch: int) -> dict[str, object]:
        return {"train": {"recipe": {"training": {"per_device_train_batch_size": batch, "seed": 42}}}}

    with Store(tmp_path) as store:
        await store.do(writes.propose, Proposal("", "data", None, "program"))
        await store.do(writes.start_stage, 0, Lane.TRAIN, order(8), recipe={})
        stage = store.read.open_stage(Lane.TRAIN)
        assert isinstance(stage, Stage)
        failure = StageFailed(FailureKind.OOM, "out of memory at step 3")
        await store.do(try_again, stage, failure, 1.0, order(4))
        told = [(event.level, event.text) for event in store.read.events()][-2:]
    assert told == [
        (Level.WARNING, "oom: out of memory at step 3"),
        (Level.WARNING, "tried again, attempt 2, with per_device_train_batch_size 4"),
    ]


@pytest.mark.slow
async def test_what_a_training_did_without_is_said_once(store: Store, make_lane: MakeLane) -> None:
    lane = make_lane()
    for _ in range(2):
        await go(store, lane, notes=["source 'a' has 5 of the 20 rows of its share"])
    told = [event.text for event in store.read.events() if event.level is Level.WARNING]
    assert told == ["trained all the same: source 'a' has 5 of the 20 rows of its share"]


@pytest.mark.slow
async def test_a_training_among_seeds_that_is_tried_once_more_is_said(store: Store, lane_with_metric: Seeds) -> None:
    with pytest.raises(StageFailed, match="the sky fell"):
        await seeds_trained(store, lane_with_metric(fail=["crash", "the sky fell"]))
    told = [event.text for event in store.read.events() if "tried once more" in event.text]
    assert told == ["its own training: crash: the sky fell; tried once more"]


async def test_a_trainer_that_cannot_stand_by_is_said(tmp_path: Path) -> None:
    (tmp_path / "work").write_text("in the way")
    told: list[str] = []
    keeper = StandbyKeeper(tmp_path / "work", "scripted_worker", tmp_path / "owner.lock", told.append)
    wish = Standby(
        model="m", revision=None, trust_remote_code=False, precision="fp32", lora=True, device="cpu", threads=1
    )
    keeper.keep(wish, LocalProcess(1))
    await keeper.close()
    assert len(told) == 1 and told[0].startswith("no trainer stands by, the next training starts cold: ")


async def test_a_source_of_votes_that_is_down_is_said_and_so_is_a_line_that_is_no_vote(tmp_path: Path) -> None:
    told: list[str] = []
    with Store(tmp_path) as store:
        assert await Puller(store, told.append).take(Pull(path=str(tmp_path / "nowhere.jsonl"))) == 0
    (tmp_path / VOTES).write_text("five stars\n")
    async for _ in FileVoters(tmp_path, told.append).cast([], last=False):
        break
    assert told[0].startswith("no votes for now: ") and told[1].startswith(f"{VOTES} line 1 is no vote: ")


async def test_trouble_that_comes_back_after_an_hour_is_said_again_and_not_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Store(tmp_path) as store:
        first = Saying(store, Lane.EVALUATE)
        assert first.say("no votes for now") and not first.say("no votes for now")
        await store.do(lambda _: None)
        assert not Saying(store, Lane.EVALUATE).say("no votes for now"), "after a restart, too"
        monkeypatch.setattr(saying, "AGAIN_SECONDS", 0.0)
        assert first.say("no votes for now")
        await store.do(lambda _: None)
        assert [event.text for event in store.read.events()] == ["no votes for now"] * 2


@pytest.mark.slow
async def test_each_time_that_the_arena_is_started_again_is_another_line(tmp_path: Path) -> None:
    said: list[str] = []
    with Store(tmp_path / "run") as store:
        program, work = settings(voters="arena"), tmp_path / "work"
        published = Published(store, work, lambda line, _: said.append(line))
        place = Venue(store, work, lambda: program, published, said.append)
        try:
            await place.ready()
            place.attend()
            for falls in (1, 2):
                identity = Worker(store.folder / ARENA).identity()
                assert identity
                os.kill(identity.pid, signal.SIGKILL)
                async with asyncio.timeout(30):
                    while len(said) < falls:
                        await asyncio.sleep(0.05)
        finally:
            await place.close(keep_workers=False)
    assert all(line.startswith("the arena had ended, and was started again at ") for line in said)
    assert said[1].endswith("(2 times by now)") and len(said) == 2


class Falling:
    """A deployment that dies at its first model."""

    def __init__(self) -> None:
        self.ups, self.served = 0, list[dict[str, Path]]()

    async def up(self) -> bool:
        self.ups += 1
        return True

    async def serve_only(self, folders: dict[str, Path]) -> None:
        if not self.ups:
            raise ServerGone("it hung up")
        self.served.append(folders)

    def last_words(self) -> str:
        return "Killed"


async def test_a_server_that_dies_while_it_loads_is_started_again_and_said(tmp_path: Path) -> None:
    told: list[str] = []
    falling = Falling()
    await SharedServer(falling, told.append).serve("exp-0001", {"exp-0001": tmp_path})  # type: ignore[arg-type]
    assert falling.served == [{"exp-0001": tmp_path}]
    assert told == ["the model server died while models were loaded, and was started again: Killed"]


async def test_votes_that_cannot_be_studied_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def failing(_: Path) -> None:
        raise StudyError("it took longer than 60 s")

    monkeypatch.setattr(studies, "studied", failing)
    with Store(tmp_path) as store:
        await studies.Studies(store).study()
        await store.do(lambda _: None)
        [event] = store.read.events()
    assert event.text == "the votes could not be studied: it took longer than 60 s; next with a verdict"


@cache
def bodies(path: Path) -> dict[str, str]:
    """The source of each test of a file, by name."""
    text = path.read_text()
    found = (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return {node.name: ast.get_source_segment(text, node) or "" for node in found}
