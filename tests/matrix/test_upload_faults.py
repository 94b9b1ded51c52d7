"""An upload that is cut off at any byte, damaged on its way or afterwards, and manifests that are none.

Each kind of place: a folder of this machine, and one that is none (as an object store is seen: a file appears when it
is closed, also where it was cut off). Elsewhere: a transfer that is stopped, a place that is full, may not be written
or is of no known kind (``test_upload``, ``test_bad_input``); kills around each rename (``test_kill_points``).
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from test_upload import stage

from checkpoints.artifacts import MANIFEST, is_whole, seal
from checkpoints.records import FailureKind
from checkpoints.store import Store
from lanes import places, upload
from lanes.lane import StageFailed
from lanes.places import PlaceError, SourceError, Transfer, fetch, publish
from lanes.upload import UploadLane

URL = "faulty://bucket/published/exp-0000"
FILES = {"adapter_model.safetensors": bytes(range(256)) * 8, "inner/adapter_config.json": b'{"r": 8}'}
SIZE = sum(map(len, FILES.values()))


class Faulty(MemoryFileSystem):
    """A place whose connection breaks after so many bytes, in either direction, or that changes one of them."""

    protocol = ("faulty",)
    store: dict[str, Any] = {}
    pseudo_dirs = [""]
    breaks_after: int | None = None
    flips: int | None = None

    def open(self, path: str, mode: str = "rb", **options: Any) -> Any:
        file = super().open(path, mode, **options)
        if "w" in mode:
            write = file.write
            file.write = lambda data: self._through(bytes(data), write)
        elif self.breaks_after is not None:
            read = file.read
            file.read = lambda size=-1: self._through(read(size), bytes)
        return file

    def pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **options: Any) -> None:
        with self.open(path, "wb") as file:
            file.write(value)

    def _through(self, data: bytes, use: Any) -> Any:
        cls, flips = type(self), self.flips
        if flips is not None:
            cls.flips = flips - len(data)
            if 0 <= flips < len(data):
                data = data[:flips] + bytes([data[flips] ^ 1]) + data[flips + 1 :]
        if cls.breaks_after is not None:
            passes, cls.breaks_after = cls.breaks_after, max(0, cls.breaks_after - len(data))
            if passes < len(data):
                use(data[:passes])
                raise ConnectionResetError("connection reset by peer")
        return use(data)

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return MemoryFileSystem._strip_protocol(path.replace("faulty://", "memory://"))


fsspec.register_implementation("faulty", Faulty, clobber=True)


@pytest.fixture(autouse=True)
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Faulty]]:
    Faulty.store.clear()
    monkeypatch.setattr(Faulty, "breaks_after", None)
    monkeypatch.setattr(Faulty, "flips", None)
    monkeypatch.setattr(places, "CHUNK", 100)
    yield Faulty
    Faulty.store.clear()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "trained"
    for name, content in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    seal(folder)
    return folder


@pytest.mark.slow
def test_an_upload_that_breaks_off_at_any_byte_is_not_there_and_the_next_one_is_whole(
    source: Path, tmp_path: Path, place: type[Faulty]
) -> None:
    manifest = len((source / MANIFEST).read_bytes())
    written = [*range(0, SIZE, 37), *range(SIZE - 8, SIZE)]
    sealed = [2 * SIZE + byte for byte in range(manifest)]  # written, read back, then the manifest is
    for byte in [*written, *(SIZE + byte for byte in written), *sealed]:
        place.breaks_after = byte
        with pytest.raises(ConnectionResetError):
            publish(source, URL, Transfer())
        place.breaks_after = None
        with pytest.raises(SourceError, match=f"has no {MANIFEST} that can be read: it was not published whole"):
            fetch(URL, tmp_path / "cache", Transfer())
    assert publish(source, URL, Transfer())[1] is False
    assert is_whole(fetch(URL, tmp_path / "cache", Transfer()))


@pytest.mark.slow
def test_one_that_is_whole_and_is_replaced_by_another_is_not_there_from_the_first_byte_on(
    source: Path, tmp_path: Path, place: type[Faulty]
) -> None:
    publish(source, URL, Transfer())
    (source / "inner/adapter_config.json").write_bytes(b'{"r": 9}')
    seal(source)
    for byte in range(0, 2 * SIZE, 53):
        place.breaks_after = byte
        with pytest.raises(ConnectionResetError):
            publish(source, URL, Transfer())
        place.breaks_after = None
        with pytest.raises(SourceError, match="not published whole"):
            fetch(URL, tmp_path / "cache", Transfer())


@pytest.mark.slow
def test_a_local_upload_whose_process_is_gone_at_any_byte_leaves_what_was_there_and_nothing_after_the_next(
    source: Path, tmp_path: Path
) -> None:
    there = tmp_path / "published" / "exp-0000"
    publish(source, f"file://{there}", Transfer())
    (source / "inner/adapter_config.json").write_bytes(b'{"r": 9}')
    seal(source)
    for byte in range(1, 2 * SIZE, 300):
        child = os.fork()
        if not child:
            publish(
                source, f"file://{there}", Transfer(lambda done, _, last=byte: os._exit(9) if done >= last else None)
            )
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
        assert is_whole(there) and (there / "inner/adapter_config.json").read_bytes() == b'{"r": 8}'
    publish(source, f"file://{there}", Transfer())
    assert is_whole(there) and (there / "inner/adapter_config.json").read_bytes() == b'{"r": 9}'
    assert [path.name for path in there.parent.iterdir()] == ["exp-0000"]


@pytest.mark.slow
def test_a_byte_that_is_changed_on_its_way_is_refused_by_the_name_of_its_file(
    source: Path, tmp_path: Path, place: type[Faulty]
) -> None:
    for byte in [*range(0, SIZE, 211), SIZE - 1]:
        place.flips = byte
        name = next(iter(FILES)) if byte < len(next(iter(FILES.values()))) else "inner/adapter_config.json"
        with pytest.raises(PlaceError, match=f"did not arrive whole: {name} has another SHA-256 sum"):
            publish(source, URL, Transfer())
        with pytest.raises(SourceError, match="not published whole"):
            fetch(URL, tmp_path / "cache", Transfer())


@pytest.mark.slow
def test_a_manifest_that_is_changed_on_its_way_is_taken_away_again(
    source: Path, tmp_path: Path, place: type[Faulty]
) -> None:
    manifest = json.dumps(json.loads((source / MANIFEST).read_text()), ensure_ascii=False)
    for byte in range(0, len(manifest), 7):
        place.flips = SIZE + byte
        with pytest.raises(PlaceError, match=f"did not arrive whole: {MANIFEST} reads differently there"):
            publish(source, URL, Transfer())
        with pytest.raises(SourceError, match="not published whole"):
            fetch(URL, tmp_path / "cache", Transfer())


@pytest.mark.slow
async def test_the_lane_says_what_broke_where_and_its_next_attempt_publishes(
    tmp_path: Path, source: Path, place: type[Faulty], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload, "RETRY_SECONDS", 0.0)
    with Store(tmp_path / "run") as store:
        lane, place.breaks_after = UploadLane(store), 1000
        with pytest.raises(StageFailed) as failed:
            await lane.run(stage(source, URL))
        assert failed.value.kind is FailureKind.CRASH
        said = (
            "cannot be written (ConnectionResetError: connection reset by peer): check upload.url and its permissions"
        )
        assert str(failed.value) == f"{URL} {said}"
        assert lane.revise(stage(source, URL), failed.value) is not None
        place.breaks_after = None
        assert (await lane.run(stage(source, URL, attempt=2)))["kept"] is False
    assert is_whole(fetch(URL, tmp_path / "cache", Transfer()))


@pytest.mark.slow
def test_a_download_that_breaks_off_at_any_byte_leaves_no_model_and_the_next_one_is_whole(
    source: Path, tmp_path: Path, place: type[Faulty]
) -> None:
    publish(source, URL, Transfer())
    for byte in range(0, SIZE, 97):
        place.breaks_after = byte
        with pytest.raises(ConnectionResetError):
            fetch(URL, tmp_path / "cache", Transfer())
        place.breaks_after = None
        assert list((tmp_path / "cache").iterdir()) == []
    assert is_whole(fetch(URL, tmp_path / "cache", Transfer()))
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["exp-0000"]


@pytest.mark.slow
def test_a_byte_that_changes_at_the_place_is_noticed_wherever_it_is(source: Path, tmp_path: Path) -> None:
    publish(source, URL, Transfer())
    fs, root = fsspec.core.url_to_fs(URL)
    for name in [*FILES, MANIFEST]:
        whole = fs.cat_file(f"{root}/{name}")
        for byte in range(0, len(whole), 1 if name == MANIFEST else 41):
            fs.pipe_file(f"{root}/{name}", whole[:byte] + bytes([whole[byte] ^ 1]) + whole[byte + 1 :])
            with pytest.raises(SourceError, match="exp-0000 (is damaged|has no manifest)"):
                fetch(URL, tmp_path / "cache", Transfer())
        fs.pipe_file(f"{root}/{name}", whole)
    assert is_whole(fetch(URL, tmp_path / "cache", Transfer()))


NO_MANIFESTS = (
    "", "null", "[]", "{}", '{"files": 3}', '{"files": {"a": 1}}', '{"files": {"a": {"size": 1}}}',
    '{"files": {"a": {"size": "1", "sha256": "0"}}}', '{"files": {"a": {"size": 1, "sha256": 0}}}',
    '{"files": {"../outside": {"size": 0, "sha256": "0"}}}', '{"files": {"/tmp/outside": {"size": 0, "sha256": "0"}}}',
    '{"files": {"a/../../outside": {"size": 0, "sha256": "0"}}}', '{"files": {"": {"size": 0, "sha256": "0"}}}',
    '{"files": {"a\\u0000b": {"size": 0, "sha256": "0"}}}',
)  # fmt: skip


def test_a_manifest_that_is_none_is_no_publication_and_writes_nothing_outside(source: Path, tmp_path: Path) -> None:
    fs, root = fsspec.core.url_to_fs(URL)
    for name in ("outside", "a", "../outside"):
        fs.pipe_file(f"{root}/{name}", b"from elsewhere")
    before = sorted(tmp_path.rglob("*"))
    for said in NO_MANIFESTS:
        fs.pipe_file(f"{root}/{MANIFEST}", said.encode())
        with pytest.raises(SourceError, match="not published whole"):
            fetch(URL, tmp_path / "cache", Transfer())
        assert sorted(tmp_path.rglob("*")) == before
    assert publish(source, URL, Transfer())[1] is False


@pytest.mark.slow
def test_a_published_model_that_lost_a_file_at_its_place_is_damaged_and_not_only_unreadable(
    source: Path, tmp_path: Path
) -> None:
    publish(source, URL, Transfer())
    fs, root = fsspec.core.url_to_fs(URL)
    fs.rm_file(f"{root}/inner/adapter_config.json")
    with pytest.raises(SourceError, match=r"exp-0000 is damaged: inner/adapter_config\.json is missing"):
        fetch(URL, tmp_path / "cache", Transfer())
    assert publish(source, URL, Transfer())[1] is False
    assert is_whole(fetch(URL, tmp_path / "cache", Transfer()))
