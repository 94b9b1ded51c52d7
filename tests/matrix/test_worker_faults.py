"""What works for a run is signalled, stopped, hangs or has no memory left: trainers, and scripts with their worker.

Elsewhere: SIGKILL of a trainer, a hang and what is tried again (``test_train_lane``), a real shortage of memory that
the trainer reports (``test_bad_input``), a loss that is not finite (``test_train_worker``, ``test_metric_lane``), a
script that uses up too much (``test_exhausting``), whose time is up or whose worker is killed (``test_script_run``).
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import psutil
import pytest
import small_demo
from laws import broken_laws
from script_runs import repository, session_of
from scripted import lines, script, until
from small_demo import kill_group, kill_workers, wait_until
from test_script_run import Bench, alive, bench
from test_train_lane import MakeLane, begin, folder_of, go, leader, living_workers, make_lane, store

from checkpoints import writes
from checkpoints.reader import Reader
from checkpoints.records import FailureKind, State, Step
from checkpoints.store import Store
from lanes import oom
from lanes.lane import StageFailed
from lanes.launch import LocalProcess
from lanes.process import still_runs
from lanes.script import runs
from lanes.worker import Worker

__all__ = ["bench", "make_lane", "store"]

TESTS = Path(__file__).parents[1]
CGROUPS = Path("/sys/fs/cgroup/memory")


def state_of(pid: int) -> str:
    """``T`` where it is stopped."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
async def test_a_trainer_that_is_told_to_end_goes_on_from_its_checkpoint_and_the_signal_is_named(
    store: Store, make_lane: MakeLane, number: signal.Signals
) -> None:
    lane = make_lane(checkpoint_steps=5)
    stage = await begin(store, lane, script(steps=20, seconds=0.05))
    running = asyncio.create_task(lane.run(stage))
    steps = folder_of(stage) / "steps"
    await until(lambda: len(lines(steps)) >= 8)
    os.kill(leader(stage), number)
    result = await asyncio.wait_for(running, 20)
    assert result["status"] == "done" and len(lines(steps)) <= 20 + 5
    assert [metric.step for metric in store.read.metrics(0)] == list(range(1, 21))
    assert any(f"the trainer died ({number.name})" in event.text for event in store.read.events())


@pytest.mark.slow
async def test_a_trainer_that_is_stopped_and_continued_does_no_step_again(store: Store, make_lane: MakeLane) -> None:
    lane = make_lane(hang_seconds=60.0)
    stage = await begin(store, lane, script(steps=20, seconds=0.05))
    running = asyncio.create_task(lane.run(stage))
    steps = folder_of(stage) / "steps"
    await until(lambda: len(lines(steps)) >= 5)
    os.kill(pid := leader(stage), signal.SIGSTOP)
    await until(lambda: state_of(pid) == "T")
    os.kill(pid, signal.SIGCONT)
    await asyncio.wait_for(running, 20)
    assert lines(steps) == list(range(1, 21))
    assert len(lines(folder_of(stage) / "lives")) == 1


@pytest.mark.slow
async def test_a_trainer_that_stays_stopped_is_a_hang_and_is_ended_all_the_same(
    store: Store, make_lane: MakeLane
) -> None:
    lane = make_lane(hang_seconds=1.0)
    stage = await begin(store, lane, script(steps=1000, seconds=0.05))
    running = asyncio.create_task(lane.run(stage))
    await until(lambda: len(lines(folder_of(stage) / "steps")) >= 2)
    os.kill(leader(stage), signal.SIGSTOP)
    with pytest.raises(StageFailed, match=r"no sign of life for 1 s at step \d+ of 1000") as failed:
        await asyncio.wait_for(running, 20)
    assert failed.value.kind is FailureKind.HANG
    assert not living_workers(store)


class Counting:
    """A run of counting trainers in a process of its own, whose trainers hang when they say nothing for 5 s."""

    def __init__(self, folder: Path) -> None:
        self.run = folder / "run"
        path = os.pathsep.join((str(TESTS.parent), str(TESTS)))
        with (folder / "said.txt").open("ab") as said:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "chaos.loop", str(self.run), "2"], stdin=subprocess.DEVNULL, stdout=said,
                stderr=said, start_new_session=True, env=os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
            )  # fmt: skip

    def stopped_trainer(self) -> int:
        """A trainer that is stopped in the middle of its steps."""
        wait_until(lambda: small_demo.has_begun(self.run), self.process)
        while True:
            wait_until(lambda: small_demo.trainers(self.run), self.process)
            for pid in small_demo.trainers(self.run):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGSTOP)
                if pid in small_demo.trainers(self.run):
                    return pid
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    def ended_well(self) -> list[str]:
        """What its events say, when it has ended and broken no law."""
        assert self.process.wait(60) == 0
        with closing(Reader(self.run)) as read:
            assert broken_laws(read, 2) == []
            return [event.text for event in read.events()]


@pytest.fixture
def counting(tmp_path: Path) -> Iterator[Counting]:
    counting = Counting(tmp_path)
    yield counting
    kill_group(counting.process)
    kill_workers(counting.run)


@pytest.mark.slow
def test_a_trainer_that_hangs_costs_the_run_one_attempt_and_no_experiment(counting: Counting) -> None:
    counting.stopped_trainer()
    said = counting.ended_well()
    assert any("no sign of life for 5 s" in text for text in said)
    with closing(Reader(counting.run)) as read:
        assert not read.experiments(State.CRASHED)


@pytest.mark.slow
def test_runner_and_trainer_that_stood_still_together_are_no_hang(counting: Counting) -> None:
    """A container that is paused, the lid of a laptop: the runner looked as little as the trainer worked."""
    pid = counting.stopped_trainer()
    os.kill(counting.process.pid, signal.SIGSTOP)
    time.sleep(7)
    os.kill(counting.process.pid, signal.SIGCONT)
    wait_until(lambda: state_of(counting.process.pid) != "T", counting.process)
    time.sleep(0.5)  # for a look, which finds nothing new
    os.kill(pid, signal.SIGCONT)
    assert not [text for text in counting.ended_well() if "no sign of life" in text]


async def test_a_trainer_that_the_kernel_ended_for_want_of_memory_was_out_of_memory(
    store: Store, make_lane: MakeLane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counters = tmp_path / "vmstat"
    counters.write_text("nr_free_pages 3169850\noom_kill 3\n")
    monkeypatch.setattr(oom, "COUNTERS", counters)
    lane = make_lane()
    stage = await begin(store, lane, script(steps=1000, seconds=0.05))
    running = asyncio.create_task(lane.run(stage))
    await until(lambda: len(lines(folder_of(stage) / "steps")) >= 2)
    counters.write_text("nr_free_pages 3169850\noom_kill 4\n")
    os.kill(leader(stage), signal.SIGKILL)
    with pytest.raises(StageFailed, match=r"^Out of memory \(.*\): use a smaller batch or max_length$") as failed:
        await asyncio.wait_for(running, 20)
    assert failed.value.kind is FailureKind.OOM
    assert len(lines(folder_of(stage) / "lives")) == 1, "the same again would end the same way"


GLUTTON = """
import sys; sys.path[:0] = [{root!r}, {tests!r}]
from pathlib import Path
from lanes.workers.presence import introduce, take_lock
folder = Path(sys.argv[1]).parent
assert take_lock(folder / "worker.lock")
introduce(folder / "worker.json", "glutton")
Path({procs!r}).write_text("0")
eaten = []
while True:
    eaten.append(b"x" * 2**20)
"""


class Glutton:
    """Starts a trainer that wants more memory than its group may have."""

    def __init__(self, group: Path) -> None:
        self._group = group

    def command(self, program: str, order: Path) -> list[str]:
        code = GLUTTON.format(root=str(TESTS.parent), tests=str(TESTS), procs=str(self._group / "cgroup.procs"))
        return [sys.executable, "-c", code, str(order)]

    def environment(self) -> dict[str, str]:
        return LocalProcess().environment()


@pytest.fixture
def group() -> Iterator[Path]:
    """A group of processes that may have 64 MB together."""
    group = CGROUPS / f"autoresearch-test-{os.getpid()}"
    try:
        group.mkdir()
        (group / "memory.limit_in_bytes").write_text(str(64 << 20))
    except OSError as error:
        pytest.skip(f"this machine makes no memory group: {error.strerror}")
    yield group
    group.rmdir()


@pytest.mark.slow
async def test_a_real_trainer_that_the_kernel_ends_is_told_with_what_to_do_and_nothing_else_ends(
    store: Store, make_lane: MakeLane, group: Path
) -> None:
    lane = make_lane()
    lane._launcher = Glutton(group)  # type: ignore[assignment]
    with pytest.raises(StageFailed, match="the kernel ended the trainer before its first step") as failed:
        await go(store, lane)
    assert failed.value.kind is FailureKind.OOM
    await until(lambda: not (group / "cgroup.procs").read_text())


@pytest.mark.slow
async def test_a_script_whose_training_the_kernel_ends_was_out_of_memory(bench: Bench, group: Path) -> None:
    eat = "python -c 'x = [b\"x\" * 2**20 for _ in iter(int, 1)]'"
    found = await bench.run(f"echo begun; (echo 0 > {group}/cgroup.procs; {eat})")
    assert found.failure is FailureKind.OOM
    assert "out of memory: the kernel ended a process of it" in found.error


@pytest.mark.slow
async def test_a_script_that_is_stopped_is_ended_when_its_time_is_up(bench: Bench) -> None:
    await bench.start("sleep 4716", seconds=2.0)
    await until(lambda: alive("sleep 4716"))
    for one in psutil.process_iter(["cmdline"]):
        if one.info["cmdline"] == ["sleep", "4716"]:
            one.suspend()
    await bench.worker.wait()
    found = bench.worker.result() or {}
    assert (found["status"], found["failure"]) == ("failed", FailureKind.TIMEOUT)
    assert not alive("sleep 4716")


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
async def test_a_worker_of_a_script_that_is_told_to_end_leaves_nothing_of_it(
    bench: Bench, number: signal.Signals
) -> None:
    await bench.start("sleep 4717 & sleep 4717")
    await until(lambda: alive("sleep 4717"))
    identity = bench.worker.identity()
    assert identity
    os.kill(identity.pid, number)
    await bench.worker.wait()
    assert bench.worker.result() is None
    await until(lambda: not alive("sleep 4717"))


SLOW = "import time\ntime.sleep({seconds})\nprint('val_bpb: 1.5')\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("numbers", "told"),
    [((signal.SIGTERM,), ""), ((signal.SIGHUP,), ""), ((signal.SIGSTOP, signal.SIGCONT), ""),
     ((signal.SIGSTOP,), "gave no sign of life for 10 s")],
    ids=lambda value: "-".join(one.name for one in value) if isinstance(value, tuple) else "",
)  # fmt: skip
async def test_a_script_whose_worker_is_signalled_is_measured_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, numbers: tuple[signal.Signals, ...], told: str
) -> None:
    monkeypatch.setattr(runs, "SILENT_SECONDS", 10.0)
    folder = repository(tmp_path, SLOW.format(seconds=1.5), model="playbook")
    session, _ = session_of(folder, [], linger=True)
    running = asyncio.create_task(session.run())
    try:
        worker = Worker(await _first_of(folder / "run" / "work", "exp-0000-train-1-*"))
        said = worker.folder / "metrics.jsonl"
        await until(lambda: said.exists() and said.stat().st_size, 40)  # the script is at work
        identity = worker.identity()
        assert identity
        for number in numbers:
            os.kill(identity.pid, number)
        await until(lambda: session.store.read.count(State.KEPT), 60)
        assert still_runs(identity) is False
        assert not told or any(told in event.text for event in session.store.read.events())
    finally:
        await session.store.do(writes.intervene, Step.STOP, None, "", {"how": "now"})
        await asyncio.wait_for(running, 20)
        await session.close(keep_workers=False)


async def _first_of(folder: Path, pattern: str) -> Path:
    found: list[Path] = []

    def look() -> bool:
        found.extend(folder.glob(pattern))
        return bool(found)

    await until(look, 40)
    return found[0]
