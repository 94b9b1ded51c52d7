"""The upload lane: what is published is whole and verified, or not there; a transfer can be stopped and begun again."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest
import pytest_asyncio
from fsspec.implementations.memory import MemoryFileSystem

from checkpoints import writes
from checkpoints.artifacts import MANIFEST, is_whole, seal
from checkpoints.records import FailureKind, Json, Lane, Proposal, Stage, StageState
from checkpoints.store import Store
from lanes import places
from lanes.lane import StageFailed, StagePaused
from lanes.places import SourceError, Transfer, fetch
from lanes.upload import UploadLane


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "run") as store:
        yield store


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "artifacts" / "exp-0000"
    (folder / "inner").mkdir(parents=True)
    (folder / "adapter_model.safetensors").write_bytes(bytes(range(256)) * 2000)
    (folder / "inner" / "adapter_config.json").write_text('{"r": 8}')
    seal(folder)
    return folder


@pytest_asyncio.fixture
async def place() -> AsyncIterator[str]:
    """A place that is not this machine's file system, empty before and after."""
    MemoryFileSystem.store.clear()
    yield "memory://bucket/published"
    MemoryFileSystem.store.clear()


def stage(source: Path, url: str, attempt: int = 1) -> Stage:
    order: Json = {"source": str(source), "url": url}
    return Stage(0, Lane.UPLOAD, attempt, StageState.STARTED, order, {}, None, "", time.time(), None, None)


class Leaky(MemoryFileSystem):
    """A place that loses the last byte of every weight file while it is told to."""

    protocol = ("leaky",)
    store: dict[str, Any] = {}
    pseudo_dirs = [""]
    loses = True

    def open(self, path: str, mode: str = "rb", **options: Any) -> Any:
        file = super().open(path, mode, **options)
        if self.loses and "w" in mode and path.endswith(".safetensors"):
            write = file.write
            file.write = lambda data: write(bytes(data[:-1]))
        return file

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return MemoryFileSystem._strip_protocol(path.replace("leaky://", "memory://"))


fsspec.register_implementation("leaky", Leaky, clobber=True)


async def test_the_order_names_what_was_trained_and_where_it_goes(store: Store, source: Path) -> None:
    number = await store.do(writes.propose, Proposal("baseline", "data", None, "program"))
    attempt = await store.do(writes.start_stage, number, Lane.TRAIN, {}, recipe={"method": "dpo"})
    await store.do(writes.finish_stage, number, Lane.TRAIN, attempt, {"artifact": str(source)}, 1.0)
    order = UploadLane(store, "memory://bucket").order(store.read.experiment(number))
    assert order == {"source": str(source), "url": "memory://bucket/exp-0000"}
    default = UploadLane(store).order(store.read.experiment(number))
    assert default["url"] == f"file://{store.folder}/published/exp-0000"


@pytest.mark.parametrize("where", ["file", "memory"])
async def test_a_folder_is_published_whole_with_its_manifest(
    store: Store, source: Path, tmp_path: Path, place: str, where: str
) -> None:
    url = f"file://{tmp_path}/published/exp-0000" if where == "file" else f"{place}/exp-0000"
    result = await UploadLane(store).run(stage(source, url))
    manifest = json.loads((source / MANIFEST).read_text())
    assert result["manifest"] == manifest
    assert result["bytes"] == 512_000 + 8
    fetched = fetch(url, tmp_path / "cache", Transfer())
    assert is_whole(fetched)
    assert (fetched / "adapter_model.safetensors").read_bytes() == (source / "adapter_model.safetensors").read_bytes()
    await store.do(lambda _: None)  # done when all before it are
    progress = store.read.progress()[Lane.UPLOAD]
    assert progress.done == progress.total > 0
    assert "MB/s" in progress.detail


@pytest.mark.parametrize("where", ["file", "memory"])
async def test_published_again_it_is_verified_and_kept(
    store: Store, source: Path, tmp_path: Path, place: str, where: str
) -> None:
    url = f"file://{tmp_path}/published/exp-0000" if where == "file" else f"{place}/exp-0000"
    first = await UploadLane(store).run(stage(source, url))
    again = await UploadLane(store).run(stage(source, url))
    assert (first["kept"], again["kept"]) == (False, True)
    fs, root = fsspec.core.url_to_fs(url)
    fs.pipe_file(f"{root}/adapter_model.safetensors", b"overwritten by somebody")
    mended = await UploadLane(store).run(stage(source, url))
    assert not mended["kept"]
    assert is_whole(fetch(url, tmp_path / "cache", Transfer()))


@pytest.mark.parametrize("where", ["file", "memory"])
async def test_stopped_in_the_middle_nothing_whole_is_there_and_the_next_run_finishes_it(
    store: Store, source: Path, tmp_path: Path, place: str, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"file://{tmp_path}/published/exp-0000" if where == "file" else f"{place}/exp-0000"
    monkeypatch.setattr(places, "CHUNK", 4096)
    lane = UploadLane(store)
    moved = Transfer.add

    def slowly(transfer: Transfer, count: int) -> None:
        moved(transfer, count)
        time.sleep(0.01)

    monkeypatch.setattr(Transfer, "add", slowly)
    work = asyncio.create_task(lane.run(stage(source, url)))
    await asyncio.sleep(0.2)
    await lane.pause()
    with pytest.raises(StagePaused):
        await work
    with pytest.raises(SourceError):
        fetch(url, tmp_path / "cache", Transfer())
    monkeypatch.setattr(Transfer, "add", moved)
    await UploadLane(store).run(stage(source, url))
    assert is_whole(fetch(url, tmp_path / "cache", Transfer()))
    assert not list(tmp_path.glob("published/.*")), "what the stopped transfer left is gone"


async def test_abort_fails_the_stage_and_leaves_nobody_writing(
    store: Store, source: Path, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "CHUNK", 512)
    (source / "large.safetensors").write_bytes(bytes(32 * 2**20))
    seal(source)
    lane = UploadLane(store)
    work = asyncio.create_task(lane.run(stage(source, f"{place}/exp-0000")))
    await asyncio.sleep(0.01)
    await lane.abort()
    with pytest.raises(StageFailed):
        await work
    assert not any(MANIFEST in name for name in MemoryFileSystem.store)


async def test_a_transfer_that_damages_the_file_is_noticed_and_tried_again(store: Store, source: Path) -> None:
    Leaky.loses = True
    lane, url = UploadLane(store), "leaky://bucket/exp-0000"
    with pytest.raises(StageFailed, match=r"adapter_model\.safetensors has 511999 bytes") as failed:
        await lane.run(stage(source, url))
    assert failed.value.kind is FailureKind.CRASH
    assert fsspec.filesystem("leaky").glob("/bucket/exp-0000/manifest.json") == []
    assert [lane.revise(stage(source, url, attempt), failed.value) is not None for attempt in (1, 2, 3, 4)] == [
        True, True, True, False,
    ]  # fmt: skip
    Leaky.loses = False
    assert (await lane.run(stage(source, url)))["bytes"] == 512_008


async def test_a_damaged_source_is_an_input_failure_that_names_the_file(store: Store, source: Path, place: str) -> None:
    weights = source / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    lane = UploadLane(store)
    with pytest.raises(StageFailed, match=r"adapter_model\.safetensors") as failed:
        await lane.run(stage(source, f"{place}/exp-0000"))
    assert failed.value.kind is FailureKind.INPUT
    assert lane.revise(stage(source, place), failed.value) is None


async def test_a_place_of_no_known_kind_is_an_input_failure(store: Store, source: Path) -> None:
    with pytest.raises(StageFailed, match="nonsense://") as failed:
        await UploadLane(store).run(stage(source, "nonsense://bucket/exp-0000"))
    assert failed.value.kind is FailureKind.INPUT


def test_a_published_folder_that_was_damaged_later_is_noticed_when_it_is_fetched(source: Path, tmp_path: Path) -> None:
    (source / "inner" / "adapter_config.json").write_text('{"r": 9}')
    with pytest.raises(SourceError, match="adapter_config"):
        fetch(f"file://{source}", tmp_path / "cache", Transfer())
