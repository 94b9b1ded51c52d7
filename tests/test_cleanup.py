"""What is removed when a verdict has fallen, and what never is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from checkpoints import writes
from checkpoints.records import Json, Lane, Proposal
from checkpoints.store import Store
from lanes.cleanup import clean_up


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "run") as store:
        yield store


def filled(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "adapter_model.safetensors").write_bytes(b"x" * 1000)
    return folder


async def experiment(store: Store, published: bool = True, url: str = "") -> tuple[int, Path]:
    """One that was trained, with its local output, and published."""
    number = await store.do(writes.propose, Proposal("", "data", None, "program"))
    output = filled(store.folder / "artifacts" / f"exp-{number:04d}")
    await store.do(writes.start_stage, number, Lane.TRAIN, {}, recipe={})
    await store.do(writes.finish_stage, number, Lane.TRAIN, 1, {"artifact": str(output)}, 1.0)
    if published:
        place = url or f"file://{filled(store.folder / 'published' / output.name)}"
        await store.do(writes.start_stage, number, Lane.UPLOAD, {})
        await store.do(writes.finish_stage, number, Lane.UPLOAD, 1, {"url": place}, 1.0)
    return number, output


def worker(store: Store, name: str, order: Json) -> Path:
    """A trainer's folder, with everything that it leaves."""
    checkpoints = filled(store.folder / "work" / name / "checkpoints" / "checkpoint-10").parent
    for file in ("result.json", "log.txt", "metrics.jsonl"):
        (checkpoints.parent / file).write_text("{}")
    (checkpoints.parent / "order.json").write_text(json.dumps(order))
    return checkpoints


async def test_the_local_output_of_what_was_not_kept_goes_and_what_is_published_stays(store: Store) -> None:
    number, output = await experiment(store)
    await store.do(writes.crash, number, "told to")
    assert await clean_up(store) == 1000
    assert not output.exists()
    assert (store.folder / "published" / "exp-0000" / "adapter_model.safetensors").exists()
    told = [event.text for event in store.read.events() if "given back" in event.text]
    assert told == ["0.0 MB given back: local files of exp-0000; what is published stays"]
    assert await clean_up(store) == 0
    assert len([event for event in store.read.events() if "given back" in event.text]) == 1


async def test_what_is_under_way_or_kept_or_published_nowhere_else_stays(store: Store) -> None:
    _, flying = await experiment(store)
    kept, champion = await experiment(store)
    await store.do(lambda db: db.execute("UPDATE experiments SET state = 'kept' WHERE number = ?", [kept]))
    skipped, only_copy = await experiment(store, published=False)
    here, itself = await experiment(store, url=f"file://{store.folder / 'artifacts' / 'exp-0003'}")
    for number in (skipped, here):
        await store.do(writes.cancel, number, "skipped")
    strange = [filled(store.folder / "artifacts" / name) for name in ("exp-9999", "mine", "exp-")]
    assert await clean_up(store) == 0
    assert all(folder.exists() for folder in (flying, champion, only_copy, itself, *strange))


async def test_fetched_copies_of_what_was_not_kept_go(store: Store) -> None:
    number, _ = await experiment(store, url="s3://bucket/exp-0000")
    fetched = filled(store.folder / "work" / "fetched" / "exp-0000")
    await store.do(writes.cancel, number, "skipped")
    assert await clean_up(store) == 2000
    assert not fetched.exists()


async def test_checkpoints_of_ended_experiments_go_and_orders_results_and_logs_stay(store: Store) -> None:
    ended, _ = await experiment(store, published=False)
    await store.do(writes.crash, ended, "train: nan")
    going, _ = await experiment(store, published=False)
    failed = worker(store, "exp-0000-train-1", {"experiment": ended})
    alive = worker(store, "standby-0007", {"experiment": going})
    server = worker(store, "server", {"model": "m"})
    assert await clean_up(store) == 1000
    assert not failed.exists() and alive.exists() and server.exists()
    assert {file.name for file in failed.parent.iterdir()} == {"order.json", "result.json", "log.txt", "metrics.jsonl"}
