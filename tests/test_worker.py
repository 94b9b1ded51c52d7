"""A worker process outlives its parent, is found again, and ends when it must."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from scripted import Scripted, lines, lives, order, pid_file, until, zombies_of_ours

from lanes.launch import AccelerateLaunch, LocalProcess
from lanes.order import LOCK
from lanes.process import boot_id
from lanes.worker import Worker, WorkerError


@pytest_asyncio.fixture
async def worker(tmp_path: Path) -> AsyncIterator[Worker]:
    worker = Worker(tmp_path / "w")
    worker.folder.mkdir()
    yield worker
    await Worker(worker.folder).kill(grace=0)


async def start(worker: Worker, **script: object) -> int:
    """Start it on a script; returns its pid once it has introduced itself."""
    await worker.put_order(order(worker.folder, **script))
    await worker.start("scripted", Scripted(), worker.folder / "owner.lock")
    await until(worker.identity)
    identity = worker.identity()
    assert identity
    return identity.pid


async def started_by_a_parent_that_is_killed_at_once(worker: Worker) -> None:
    parent = f"""
import asyncio, os, sys
sys.path[:0] = {[str(Path(__file__).parent)]!r}
from pathlib import Path
from scripted import Scripted
from lanes.worker import Worker
asyncio.run(Worker(Path({str(worker.folder)!r})).start("scripted", Scripted(), Path("owner.lock")))
os.kill(os.getpid(), 9)
"""
    done = await asyncio.to_thread(subprocess.run, [sys.executable, "-c", parent], timeout=30, check=False)
    assert done.returncode == -signal.SIGKILL


def open_file(pid: int, number: int) -> Path:
    return Path(f"/proc/{pid}/fd/{number}").readlink()


def sleeper() -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)


async def test_a_worker_works_to_its_result_and_leaves_no_zombie(worker: Worker) -> None:
    await start(worker, steps=3)
    seen: list[dict[str, object]] = []

    async def look() -> None:
        seen.extend(worker.new_metrics())

    await asyncio.wait_for(worker.wait(look), 10)

    result = worker.result()
    assert result and result["status"] == "done"
    assert [line["step"] for line in seen if line["phase"] == "train"] == [1, 2, 3]
    assert await worker.ended(5)
    assert not worker.alive and not zombies_of_ours()


async def test_the_parent_keeps_no_hold_on_the_lock(worker: Worker) -> None:
    pid = await start(worker, steps=1000)
    assert worker.alive
    os.kill(pid, signal.SIGKILL)
    assert await worker.ended(2)


async def test_a_worker_is_its_own_session_reads_nothing_and_speaks_into_its_log(worker: Worker) -> None:
    pid = await start(worker, steps=1000, die_at=1)
    assert os.getsid(pid) == pid
    assert open_file(pid, 0) == Path("/dev/null")
    assert open_file(pid, 1) == open_file(pid, 2) == worker.folder / "log.txt"
    await asyncio.wait_for(worker.wait(), 10)
    assert worker.last_words() == "RuntimeError: the sky fell]0;title"
    assert worker.how_it_ended() == " (exit status 1)"


async def test_a_spawn_whose_parent_was_killed_at_once_is_still_found(worker: Worker) -> None:
    await worker.put_order(order(worker.folder, steps=1000))
    await started_by_a_parent_that_is_killed_at_once(worker)

    assert worker.alive, "held before the worker's first line"
    with pytest.raises(WorkerError, match="at work in"):
        await worker.start("scripted", Scripted(), worker.folder / "owner.lock")
    await worker.kill()
    assert not worker.alive


async def test_who_only_looks_whether_it_lives_keeps_none_from_starting(tmp_path: Path) -> None:
    for number in range(24):
        worker, started = Worker(tmp_path / f"w{number}"), threading.Event()
        worker.folder.mkdir()
        (worker.folder / LOCK).touch()
        await worker.put_order(order(worker.folder, steps=1))
        looking = [asyncio.create_task(asyncio.to_thread(look_until, started, worker.folder)) for _ in range(3)]
        try:
            await worker.start("scripted", Scripted(), tmp_path / "owner.lock")
        finally:
            started.set()
            await asyncio.gather(*looking)
        await worker.kill(grace=0)


def look_until(over: threading.Event, folder: Path) -> None:
    looks = 0
    while not over.is_set():
        looks += Worker(folder).alive


@pytest.mark.parametrize("taken_up", [False, True])
async def test_a_death_is_noticed_within_half_a_second(worker: Worker, taken_up: bool) -> None:
    if taken_up:
        await worker.put_order(order(worker.folder, steps=1000, seconds=5))
        await started_by_a_parent_that_is_killed_at_once(worker)
    else:
        await start(worker, steps=1000, seconds=5)
    await until(worker.identity)
    identity = worker.identity()
    assert identity
    watching = asyncio.create_task(worker.wait())
    await asyncio.sleep(0.3)
    began = time.monotonic()
    os.kill(identity.pid, signal.SIGKILL)
    await asyncio.wait_for(watching, 5)
    assert time.monotonic() - began < 0.5


async def test_news_in_the_folder_are_told_much_sooner_than_the_next_look(worker: Worker) -> None:
    await start(worker, steps=1000, seconds=600)
    told = asyncio.Event()

    async def look() -> None:
        told.set()

    watching = asyncio.create_task(worker.wait(look))
    await asyncio.sleep(0.2)
    delays: list[float] = []
    for n in range(3):
        told.clear()
        began = time.monotonic()
        with (worker.folder / "metrics.jsonl").open("a") as file:
            file.write(f'{{"n": {n}}}\n')
        await asyncio.wait_for(told.wait(), 5)
        delays.append(time.monotonic() - began)
        await asyncio.sleep(0.3)
    watching.cancel()
    assert sorted(delays)[1] < 0.3


async def test_looking_does_not_wake_itself(worker: Worker) -> None:
    await start(worker, steps=1000, seconds=600)
    looks = 0

    async def look() -> None:
        nonlocal looks
        looks += 1
        worker.new_metrics()

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(worker.wait(look), 2.5)
    assert looks <= 8


async def test_cancelling_the_wait_leaves_the_worker_alive(worker: Worker) -> None:
    pid = await start(worker, steps=1000)
    watching = asyncio.create_task(worker.wait())
    await asyncio.sleep(0.2)
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    assert worker.alive and lives(pid)


async def test_kill_ends_a_deaf_worker_with_its_children(worker: Worker) -> None:
    pid = await start(worker, steps=1000, deaf=True, child=True)
    await until((worker.folder / "steps").exists)
    child = pid_file(worker.folder / "child")
    await worker.kill(grace=0.3)
    assert not worker.alive and not lives(pid) and not lives(child)


async def test_kill_ends_children_whose_parent_is_dead(worker: Worker) -> None:
    pid = await start(worker, steps=1000, child=True)
    await until((worker.folder / "steps").exists)
    child = pid_file(worker.folder / "child")
    os.kill(pid, signal.SIGKILL)
    assert await worker.ended(2)
    assert lives(child)
    await Worker(worker.folder).kill()
    await until(lambda: not lives(child), 2)


async def test_a_process_that_has_the_pid_by_chance_is_not_killed(worker: Worker) -> None:
    stranger = sleeper()
    try:
        who = {"pid": stranger.pid, "start_time": 1, "boot_id": boot_id(), "host": "h", "program": "p"}
        (worker.folder / "worker.json").write_text(json.dumps(who))
        await worker.kill(grace=0.1)
        assert stranger.poll() is None

        with (worker.folder / "worker.lock").open("w") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            with pytest.raises(WorkerError, match="not known to be it"):
                await worker.kill(grace=0.1)
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_metrics_are_read_through_the_last_newline(tmp_path: Path) -> None:
    worker, path = Worker(tmp_path), tmp_path / "metrics.jsonl"
    assert worker.new_metrics() == []
    path.write_text('{"step": 1}\n{"st')
    assert worker.new_metrics() == [{"step": 1}]
    assert worker.new_metrics() == []
    with path.open("a") as file:
        file.write('ep": 2}\n')
    assert worker.new_metrics() == [{"step": 2}]


def test_garbage_among_the_metrics_is_passed_over_and_counted(tmp_path: Path) -> None:
    worker = Worker(tmp_path)
    (tmp_path / "metrics.jsonl").write_bytes(b'{"a": 1}\n\xff\xfe\n[1]\n{"b\n\n{"c": 3}\n')
    assert worker.new_metrics() == [{"a": 1}, {"c": 3}]
    assert worker.garbage == 3


def test_metrics_that_were_replaced_or_cut_are_read_anew(tmp_path: Path) -> None:
    worker, path = Worker(tmp_path), tmp_path / "metrics.jsonl"
    path.write_text('{"a": 1}\n{"a": 2}\n')
    assert len(worker.new_metrics()) == 2
    (tmp_path / "other").write_text('{"b": 1}\n{"b": 2}\n{"b": 3}\n')
    (tmp_path / "other").rename(path)
    assert worker.new_metrics() == [{"b": 1}, {"b": 2}, {"b": 3}]
    path.write_text('{"c": 1}\n')
    assert worker.new_metrics() == [{"c": 1}]


def test_many_metrics_come_in_pieces_without_loss(tmp_path: Path) -> None:
    worker = Worker(tmp_path)
    (tmp_path / "metrics.jsonl").write_text("".join(f'{{"n": {n}, "text": "{"x" * 50}"}}\n' for n in range(20_000)))
    found: list[int] = []
    while new := worker.new_metrics():
        found += [line["n"] for line in new]
    assert found == list(range(20_000))


async def test_steps_are_not_repeated_by_looking_on(worker: Worker) -> None:
    await start(worker, steps=6, seconds=0.1)
    second = Worker(worker.folder)
    await asyncio.wait_for(second.wait(), 10)
    assert lines(worker.folder / "steps") == [1, 2, 3, 4, 5, 6]


def test_a_worker_has_the_users_environment_and_what_it_needs_on_top(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "secret")
    monkeypatch.setenv("PYTHONPATH", "/mine")
    environment = LocalProcess(threads=3, gpu="1").environment()
    assert environment["HF_TOKEN"] == "secret"
    assert environment["OMP_NUM_THREADS"] == environment["MKL_NUM_THREADS"] == "3"
    assert environment["CUDA_VISIBLE_DEVICES"] == "1"
    ours, mine = environment["PYTHONPATH"].split(os.pathsep)
    assert (Path(ours) / "lanes" / "worker.py").exists() and mine == "/mine"


def test_several_gpus_are_one_accelerate_launch() -> None:
    command = AccelerateLaunch(2).command("lanes.workers.train", Path("/run/order.json"))
    assert command[1:3] == ["-m", "accelerate.commands.launch"]
    assert command[command.index("--num_processes") + 1] == "2"
    assert command[-3:] == ["-m", "lanes.workers.train", "/run/order.json"]
