"""What bad input gets: one line that says what, where and what to do; nothing is lost, and never a traceback."""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from scripted import until
from small_disk import SmallDisk, mounted
from test_command_line import ROOT, ask, one_line

from checkpoints import writes
from checkpoints.artifacts import is_whole, seal
from checkpoints.reader import DATABASE, Reader
from checkpoints.records import FailureKind, Json, Lane, Level, Proposal, Stage, StageState
from checkpoints.store import Store, StoreError
from lanes import room
from lanes.evaluate import EvaluateLane
from lanes.lane import StageFailed, StagePaused
from lanes.launch import LocalProcess
from lanes.train import TrainLane
from lanes.upload import UploadLane
from runner.doctor import examine, healthy
from runner.init import init
from runner.lane_settings import evaluate_settings, train_settings
from runner.program import Program

SMALLER = {
    "max_steps: 30": "max_steps: 3",
    "{min: 15, max: 45}": "{min: 2, max: 45}",
    "checkpoint_steps: 10": "checkpoint_steps: 1",
    "standby: true": "standby: false",
}
"""The demo, as small as it can be."""


@pytest.fixture
def demo(tmp_path: Path) -> Path:
    """A folder with a small demo in it."""
    init("demo", tmp_path)
    change(tmp_path, {old: new for old, new in SMALLER.items() if old in (tmp_path / "program.md").read_text()})
    return tmp_path


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    yield from mounted(tmp_path / "disk", megabytes=40)


def change(folder: Path, edits: dict[str, str]) -> None:
    text = (folder / "program.md").read_text()
    for old, new in edits.items():
        assert old in text, old
        text = text.replace(old, new)
    (folder / "program.md").write_text(text)


# What is refused at the start: before the run folder is touched, or without harm to what is in it.


def not_utf8(folder: Path) -> None:
    (folder / "program.md").write_bytes(b"---\ngoal: caf\xe9\n---\n")


def a_folder_for_a_program(folder: Path) -> None:
    (folder / "program.md").unlink()
    (folder / "program.md").mkdir()


def out_of_range(folder: Path) -> None:
    change(folder, {"beta: 0.1\n": "beta: -1\n"})


def no_prompts(folder: Path) -> None:
    (folder / "sample_data/heldout/prompts.jsonl").unlink()


def empty_prompts(folder: Path) -> None:
    (folder / "sample_data/heldout/prompts.jsonl").write_text("\n")


def broken_prompts(folder: Path) -> None:
    (folder / "sample_data/heldout/prompts.jsonl").write_text('{"question": "hello?"}\n' * 3)


def prompts_that_are_a_folder(folder: Path) -> None:
    (folder / "sample_data/heldout/prompts.jsonl").unlink()
    (folder / "sample_data/heldout/prompts.jsonl").mkdir()


def a_file_for_a_run(folder: Path) -> None:
    (folder / "run").touch()


def a_newer_run(folder: Path) -> None:
    Store(folder / "run").close()
    with closing(sqlite3.connect(folder / "run" / DATABASE)) as newer, newer:
        newer.execute("INSERT INTO _sqlite_migrations VALUES (99, 'autoresearch-tui', 'm999', '')")


def a_damaged_run(folder: Path) -> None:
    (folder / "run").mkdir()
    (folder / "run" / DATABASE).write_bytes(b"once this was a database" * 500)


@pytest.mark.parametrize(
    ("spoil", "line"),
    [
        (not_utf8, "program.md: byte 14 is not UTF-8; save the file as UTF-8"),
        (a_folder_for_a_program, "program.md: cannot be read: Is a directory"),
        (out_of_range, "training.beta: -1 is out of range; allowed: above 0"),
        (no_prompts, "data.heldout.prompts: '"),
        (
            empty_prompts,
            "prompts.jsonl' has no row that can be used (it is empty); allowed: rows with a field 'prompt'",
        ),
        (broken_prompts, "has no row that can be used (prompts.jsonl:1 has no field 'prompt'); allowed: rows with"),
        (prompts_that_are_a_folder, "data.heldout.prompts: '"),
        (a_file_for_a_run, "run cannot be written (File exists): change its permissions, or start in another folder"),
        (a_newer_run, "newer autoresearch-tui (it has m999); upgrade with: pip install -U autoresearch-tui"),
        (a_damaged_run, "the store is damaged (file is not a database); put back a copy, or start in another folder"),
    ],
)
def test_what_cannot_begin_is_refused_with_one_line(demo: Path, spoil: Callable[[Path], None], line: str) -> None:
    spoil(demo)
    done = ask("run", "--headless", demo)
    assert done.returncode == 1
    assert line in one_line(done)
    assert done.stdout == "", "nothing was begun"


@pytest.mark.parametrize("spoil", [no_prompts, empty_prompts, broken_prompts])
def test_the_doctor_finds_held_out_prompts_that_are_none(demo: Path, spoil: Callable[[Path], None]) -> None:
    spoil(demo)
    findings = examine(demo)
    assert not healthy(findings)
    found = next(each for each in findings if each.name == "held-out prompts")
    assert found.status == "missing" and "prompts.jsonl" in found.what


def test_a_program_without_front_matter_is_shown_what_to_write(demo: Path) -> None:
    (demo / "program.md").write_text("Make it better.\n")
    done = ask("run", "--headless", demo)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "program.md:1: there is no front matter; begin the file with these lines:\n---\ngoal:" in done.stderr


def test_a_run_folder_that_may_not_be_written_is_one_line(small_disk: SmallDisk) -> None:
    Store(small_disk.folder / "run").close()
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk.folder)], check=True)
    with pytest.raises(StoreError, match=r"run cannot be written \(Read-only file system\): change its permissions"):
        Store(small_disk.folder / "run")


# What only a worker can find: the run pauses with the reason, as without a baseline there is nothing to go on from.


def a_folder_for_a_source(folder: Path) -> None:
    (folder / "sample_data/pairs/noisy.jsonl").unlink()
    (folder / "sample_data/pairs/noisy.jsonl").mkdir()


def an_empty_source(folder: Path) -> None:
    (folder / "sample_data/pairs/noisy.jsonl").write_text("")


def eleven_broken_rows(folder: Path) -> None:
    path = folder / "sample_data/pairs/noisy.jsonl"
    path.write_text("{no\n" * 11 + path.read_text())


def a_model_without_weights(folder: Path) -> None:
    (folder / "sample_data/model/model.safetensors").unlink()


@pytest.mark.parametrize(
    ("spoil", "line"),
    [
        (a_folder_for_a_source, "noisy.jsonl cannot be loaded (The directory at"),
        (an_empty_source, "Source 'noisy' has no row"),
        (eleven_broken_rows, "noisy.jsonl:11 is no JSON"),
        pytest.param(a_model_without_weights, "is it whole, with safetensors weights?", marks=pytest.mark.slow),
    ],
)
def test_a_baseline_that_cannot_be_trained_pauses_the_run_with_the_reason(
    demo: Path, spoil: Callable[[Path], None], line: str
) -> None:
    spoil(demo)
    done = ask("run", "--headless", demo)
    assert done.returncode == 4
    assert "Traceback" not in done.stdout + done.stderr
    last = done.stdout.splitlines()[-1]
    assert "paused: the baseline failed in the train lane (input): " in last and "; mend it, then resume" in last
    assert line in last
    with closing(Reader(demo / "run")) as read:
        run = read.run()
        assert run and run.reason in last
        assert any(line in event.text and event.level is Level.WARNING for event in read.events())


# The train lane with the real worker.


class Limited(LocalProcess):
    """A local process that may not have more than some memory, in bytes."""

    def command(self, program: str, order: Path) -> list[str]:
        return ["prlimit", f"--as={4 << 30}", *super().command(program, order)]


async def begin(store: Store, lane: TrainLane, **training: object) -> Stage:
    """The demo's baseline enters the train lane, with some fields of its training changed."""
    recipe: Json = Program.read(ROOT).recipe.model_dump(mode="json")
    recipe["training"] |= {"max_steps": 6} | training
    number = await store.do(writes.propose, Proposal("it helps", "data", None, "program"), "")
    order = lane.order(replace(store.read.experiment(number), recipe=recipe))
    await store.do(writes.start_stage, number, Lane.TRAIN, order, recipe=recipe)
    stage = store.read.open_stage(Lane.TRAIN)
    assert stage
    return stage


def real_lane(store: Store, launcher: LocalProcess | None = None) -> TrainLane:
    settings = train_settings(Program.read(ROOT))
    return TrainLane(store, replace(settings, standby=False, checkpoint_steps=1, eval_rows=4), launcher)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("prlimit") is None, reason="prlimit is not installed")
async def test_a_real_out_of_memory_is_known_as_one_and_gets_half_the_batch(tmp_path: Path) -> None:
    with Store(tmp_path / "run") as store:
        lane = real_lane(store, Limited())
        stage = await begin(store, lane, per_device_train_batch_size=400, max_length=4096)
        with pytest.raises(StageFailed, match=r"Out of memory \(.*\): use a smaller batch or max_length") as failed:
            await asyncio.wait_for(lane.run(stage), 90)
        await lane.close(keep_workers=False)
        assert failed.value.kind is FailureKind.OOM
        again = lane.revise(stage, failed.value)
        assert again and again["train"]["recipe"]["training"]["per_device_train_batch_size"] == 200
        assert again["train"]["recipe"]["training"]["gradient_accumulation_steps"] == 2


@pytest.mark.slow
async def test_a_disk_that_fills_in_the_middle_of_a_training_costs_no_attempt_and_no_step_that_was_kept(
    small_disk: SmallDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "MIN_FREE_BYTES", 2**20)
    with Store(small_disk.folder / "run") as store:
        lane = real_lane(store)
        stage = await begin(store, lane)
        running = asyncio.create_task(lane.run(stage))
        log = Path(stage.order["folder"]) / "metrics.jsonl"
        await until(lambda: log.exists() and '"step": 2,' in log.read_text(), 60)
        small_disk.fill()
        worker = Path(stage.order["folder"])
        await until(lambda: store.trouble or "No space left" in (worker / "log.txt").read_text(), 30)
        await asyncio.sleep(1)
        assert not running.done(), "it waits"
        small_disk.make_room()
        result = await asyncio.wait_for(running, 60)
        await lane.close(keep_workers=False)
        assert (result["status"], result["steps"]) == ("done", 6)
        assert is_whole(Path(result["artifact"]))
        assert [metric.step for metric in store.read.metrics(0)] == [1, 2, 3, 4, 5, 6]
        told = [event.text for event in store.read.events() if event.level is Level.WARNING]
        ways = ("waits for room on the disk: 0 MB are free in", "goes on from its last checkpoint")
        assert any(way in text for text in told for way in ways), told
        assert [stage.attempt for stage in store.read.stages(0)] == [1]


async def test_no_training_starts_on_a_full_disk_and_the_wait_can_be_paused(
    small_disk: SmallDisk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "MIN_FREE_BYTES", 2**20)
    with Store(small_disk.folder / "run") as store:
        lane = real_lane(store)
        stage = await begin(store, lane)
        small_disk.fill()
        running = asyncio.create_task(lane.run(stage))
        await asyncio.sleep(0.5)
        assert not running.done()
        await lane.pause()
        with pytest.raises(StagePaused):
            await asyncio.wait_for(running, 10)
        small_disk.make_room()
        await lane.close(keep_workers=False)


# The upload lane.


def trained(folder: Path, megabytes: int = 4) -> Path:
    folder.mkdir(parents=True)
    (folder / "adapter_model.safetensors").write_bytes(bytes(megabytes << 20))
    (folder / "adapter_config.json").write_text(json.dumps({"r": 8}))
    seal(folder)
    return folder


def upload(source: Path, url: str) -> Stage:
    order = {"source": str(source), "url": url}
    return Stage(0, Lane.UPLOAD, 1, StageState.STARTED, order, {}, None, "", 0.0, None, None)


async def test_a_place_that_is_full_makes_the_upload_wait_and_it_goes_on_by_itself(
    small_disk: SmallDisk, tmp_path: Path
) -> None:
    source = trained(tmp_path / "exp-0000")
    small_disk.fill(but=2 << 20)
    with Store(tmp_path / "run") as store:
        lane, url = UploadLane(store), f"file://{small_disk.folder}/published/exp-0000"
        running = asyncio.create_task(lane.run(upload(source, url)))
        await until(lambda: store.read.events())
        told = store.read.events()[-1]
        assert told.level is Level.WARNING
        assert told.text == f"{url} is full: make room for 4.2 MB; the upload waits and goes on by itself"
        await until(lambda: store.read.progress()[Lane.UPLOAD].doing == "waiting for room")
        assert not list((small_disk.folder / "published").glob("*")), "nothing half is there"
        await asyncio.sleep(0.2)
        assert not running.done()
        small_disk.make_room()
        assert (await asyncio.wait_for(running, 10))["kept"] is False
        assert is_whole(small_disk.folder / "published" / "exp-0000")
        assert len(store.read.events()) == 1


async def test_an_upload_that_waits_for_room_can_be_paused(small_disk: SmallDisk, tmp_path: Path) -> None:
    source = trained(tmp_path / "exp-0000")
    small_disk.fill()
    with Store(tmp_path / "run") as store:
        lane = UploadLane(store)
        running = asyncio.create_task(lane.run(upload(source, f"file://{small_disk.folder}/exp-0000")))
        await until(lambda: store.read.events())
        await asyncio.wait_for(lane.pause(), 5)
        with pytest.raises(StagePaused):
            await running


async def test_a_place_that_cannot_be_written_is_one_line_with_what_to_do(tmp_path: Path) -> None:
    source = trained(tmp_path / "exp-0000", 1)
    (tmp_path / "published").write_text("a file, not a folder")
    with Store(tmp_path / "run") as store:
        with pytest.raises(
            StageFailed, match=r"cannot be written \(.*\): check upload.url and its permissions"
        ) as failed:
            await UploadLane(store).run(upload(source, f"file://{tmp_path}/published/exp-0000"))
    assert failed.value.kind is FailureKind.CRASH and "\n" not in str(failed.value)


# The evaluate lane.


@pytest.mark.slow
async def test_a_published_champion_that_somebody_removed_is_published_again_from_what_was_trained(
    tmp_path: Path,
) -> None:
    with Store(tmp_path / "run") as store:
        for number in (0, 1):
            source = trained(store.folder / "artifacts" / f"exp-000{number}", 1)
            url = f"file://{store.folder}/published/exp-000{number}"
            await store.do(writes.propose, Proposal("it helps", "data", None, "program"), "")
            await store.do(writes.start_stage, number, Lane.TRAIN, {}, recipe={})
            await store.do(writes.finish_stage, number, Lane.TRAIN, 1, {"artifact": str(source)}, 1.0)
            await store.do(writes.start_stage, number, Lane.UPLOAD, {})
            result = await UploadLane(store).run(upload(source, url))
            await store.do(writes.finish_stage, number, Lane.UPLOAD, 1, result, 1.0)
        settings = evaluate_settings(Program.read(ROOT))
        lane = EvaluateLane(store, replace(settings, model=str(tmp_path / "no-model")))
        order = lane.order(replace(store.read.experiment(1), opponent=0))
        await store.do(writes.start_stage, 1, Lane.EVALUATE, order, opponent=0)
        shutil.rmtree(store.folder / "published" / "exp-0000")
        stage = store.read.open_stage(Lane.EVALUATE)
        assert stage
        with pytest.raises(StageFailed, match="no-model"):  # the models are all there: it comes as far as the server
            await lane.run(stage)
        await lane.close(keep_workers=False)
        assert is_whole(store.folder / "published" / "exp-0000")
        assert any(
            event.text.endswith(f"exp-0000 is not there: published again from {store.folder}/artifacts/exp-0000")
            for event in store.read.events()
        )
