"""One run of a script in its worker: under a budget, confined, read and judged; nothing of it is left afterwards."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from checkpoints.records import FailureKind
from lanes.launch import LocalProcess
from lanes.order import PAUSE
from lanes.script.order import OUTPUT, Confined, ScriptOrder, ScriptResult
from lanes.script.protected import SETTLED_SECONDS, remember, remembered
from lanes.script.sandbox import Confinement, available
from lanes.script.surroundings import environment
from lanes.worker import Worker

SAMPLE = Path(__file__).with_name("sample_script")
PROGRAM = "lanes.workers.script"
CAN: Confinement = asyncio.run(available())

confined = pytest.mark.skipif(not (CAN.network and CAN.files), reason=f"this machine cannot confine: {CAN.why}")


class Bench:
    """A worktree with the sample script, and runs in it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.top = folder, folder / "tree"
        shutil.copytree(SAMPLE, self.top, ignore=shutil.ignore_patterns("__pycache__"))
        (folder / "owner.lock").touch()
        self.worker = Worker(folder / "work")

    async def start(self, command: str, **more: Any) -> None:
        env = environment((), self.folder / "scratch", self.folder / "cache", {"SAMPLE_SECONDS": "0.6"}, True)
        told: dict[str, Any] = {
            "experiment": 1, "command": command, "place": self.top, "top": self.top, "seconds": 60.0,
            "env": env | {"PATH": f"{Path(sys.executable).parent}:{env['PATH']}"},
            "scratch": self.folder / "scratch", "cache": self.folder / "cache", "confined": None,
            "protected": ("prepare.py", "program.md"), "metric": "val_bpb",
        }  # fmt: skip
        self.worker.folder.mkdir(exist_ok=True)
        await self.worker.put_order(ScriptOrder(**(told | more)).model_dump(mode="json"))
        await self.worker.start(PROGRAM, LocalProcess(), self.folder / "owner.lock")

    async def run(self, command: str, **more: Any) -> ScriptResult:
        await self.start(command, **more)
        await self.worker.wait()
        return ScriptResult.model_validate(self.worker.result())

    @property
    def log(self) -> str:
        return (self.worker.folder / OUTPUT).read_text()


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def alive(*names: str) -> list[str]:
    """Processes with one of these words in their command line."""
    lines = [" ".join(one.info["cmdline"] or []) for one in psutil.process_iter(["cmdline"])]
    return [line for line in lines if any(name in line for name in names) and "pytest" not in line]


@confined
async def test_a_real_training_is_run_confined_and_its_numbers_are_read(bench: Bench) -> None:
    await bench.start("python train.py > run.log 2>&1", confined=Confined())
    heard: list[str] = []

    async def listen() -> None:
        heard.extend(str(line["doing"]) for line in bench.worker.new_metrics())

    await bench.worker.wait(listen)
    found = ScriptResult.model_validate(bench.worker.result())
    assert found.status == "done", found.error
    assert found.value is not None and 1.0 < found.value < 4.5
    assert found.numbers["num_steps"] > 10
    assert found.peak_memory == pytest.approx(found.numbers["peak_vram_mb"] * 2**20, abs=1)
    assert bench.log.count("step ") == 1 and "\r" not in bench.log
    assert any("step " in words or "Data loaded" in words for words in heard)


async def test_a_crash_hands_on_its_last_lines_and_says_how_it_ended(bench: Bench) -> None:
    found = await bench.run("seq 100; python -c 'import nothing_like_it'")
    assert (found.status, found.failure, found.exit_status) == ("failed", FailureKind.CRASH, 1)
    assert found.error == "exit status 1: ModuleNotFoundError: No module named 'nothing_like_it'"
    assert len(found.tail.splitlines()) == 50


@pytest.mark.parametrize(
    ("command", "kind", "words"),
    [
        ("echo 'val_bpb: nan'", FailureKind.NAN, "val_bpb is nan"),
        ("echo 'val_bpb is fine'", FailureKind.CRASH, "val_bpb: number is nowhere"),
        ("echo 'torch.OutOfMemoryError: CUDA out of memory.'; exit 1", FailureKind.OOM, "exit status 1"),
        ("kill -SEGV $$", FailureKind.CRASH, "ended by SIGSEGV"),
        ("echo 'val_bpb: 0.5'; echo >> prepare.py", FailureKind.CRASH, "tampering: .* prepare.py"),
        (
            "echo 'val_bpb: 0.5'; rm program.md; ln -s prepare.py program.md",
            FailureKind.CRASH,
            "tampering: .* program.md",
        ),
    ],
)
async def test_what_is_no_measurement_is_a_crash_with_its_name(
    bench: Bench, command: str, kind: FailureKind, words: str
) -> None:
    found = await bench.run(command)
    assert (found.status, found.failure) == ("failed", kind)
    with pytest.raises(ValueError, match=words):
        raise ValueError(found.error)


async def test_when_its_time_is_up_all_that_it_started_ends_also_what_hides(bench: Bench) -> None:
    hiding = "(setsid sh -c 'trap \"\" TERM HUP; sleep 4711')&"
    found = await bench.run(f"{hiding} sleep 4712", seconds=1.0)
    assert (found.failure, found.seconds < 20) == (FailureKind.TIMEOUT, True)
    assert not alive("sleep 4711", "sleep 4712")


async def test_what_a_command_leaves_behind_is_ended_and_named(bench: Bench) -> None:
    found = await bench.run("echo 'val_bpb: 0.5'; (setsid sleep 4713)& until pgrep -f 'sleep 471[3]' > own; do :; done")
    assert found.status == "done" and found.value == 0.5
    assert found.notes == ("sleep went on after the command and was ended",)
    assert not alive("sleep 4713")


async def test_a_pause_ends_it_and_a_death_of_its_worker_does_too(bench: Bench) -> None:
    await bench.start("sleep 4714")
    await _until(lambda: alive("sleep 4714"))
    (bench.worker.folder / PAUSE).touch()
    await bench.worker.wait()
    assert (bench.worker.result() or {})["status"] == "paused"
    assert not alive("sleep 4714")
    await bench.worker.kill(grace=0)
    await bench.start("sleep 4715 & sleep 4715")
    await _until(lambda: alive("sleep 4715"))
    identity = bench.worker.identity()
    assert identity is not None
    os.kill(identity.pid, signal.SIGKILL)
    await bench.worker.wait()  # it notices that only children hold the lock, and ends them
    assert bench.worker.result() is None
    await _until(lambda: not alive("sleep 4715"))


@pytest.mark.slow
async def test_a_flood_of_output_is_kept_to_its_ends(bench: Bench) -> None:
    found = await bench.run("echo first; yes 'a line of no use at all' | head -c 12000000; echo; echo 'val_bpb: 0.5'")
    assert found.value == 0.5
    assert len(bench.log) < 9 << 20
    assert bench.log.startswith("first\n") and "lines left out" in bench.log and bench.log.endswith("val_bpb: 0.5\n")


async def test_the_environment_has_no_secret_but_what_the_program_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "canary")
    monkeypatch.setenv("WANDB_API_KEY", "canary-2")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    found = environment(("WANDB_API_KEY",), tmp_path, tmp_path, {"SEED": "7"}, True)
    assert "canary" not in found.values() and found["WANDB_API_KEY"] == "canary-2"
    assert (found["CUDA_VISIBLE_DEVICES"], found["SEED"]) == ("3", "7")


@confined
async def test_a_confined_script_reaches_nothing_outside(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    outside, home = bench.folder / "outside", bench.folder / "home"
    (home / ".ssh").mkdir(parents=True)
    (home / ".ssh/id").write_text("canary-key")
    (home / "data.txt").write_text("readable\n")
    outside.mkdir()
    (outside / "votes.db").write_text("canary-votes")
    monkeypatch.setenv("HOME", str(home))
    memory = Path("/dev/shm") / f"canary-{os.getpid()}"
    memory.write_text("canary-memory")
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as local:
        port = server.getsockname()[1]
        local.bind(str(home / "tmux"))
        local.listen()
        attempts = {
            "write": f"echo x > {outside}/new",
            "append": f"echo x >> {outside}/votes.db",
            "delete": f"rm -f {outside}/votes.db && test ! -e {outside}/votes.db",
            "rename": f"mv {outside}/votes.db .",
            "link": f"ln {outside}/votes.db here && echo x > here",
            "write through a link": f"ln -s {outside} way && echo x > way/new",
            "secret": f"grep canary {home}/.ssh/id",
            "hidden": f"grep canary {outside}/votes.db",
            "hidden through a link": f"ln -s {outside}/votes.db v && grep canary v",
            "memory of others": f"grep canary {memory}",
            "environment of others": f"tr '\\0' '\\n' < /proc/{os.getpid()}/environ | grep PATH",
            "signal": f"kill -0 {os.getpid()}",
            "network": f"python -c 'import socket; socket.create_connection((\"127.0.0.1\", {port}), 2)'",
            "a socket in a folder": f"python -c 'import socket as s; s.socket(s.AF_UNIX).connect(\"{home}/tmux\")'",
            "more rights": "unshare -r true && unshare -rm mount -t tmpfs none /tmp",
        }
        lines = "\n".join(
            f"if ({attempt}) 2>/dev/null; then echo 'ESCAPED {name}'; fi" for name, attempt in attempts.items()
        )
        may = (
            f"cat {home}/data.txt; echo own > own.txt; cat own.txt; echo t > $TMPDIR/t; cat $TMPDIR/t; echo > /dev/null"
            "; echo > /dev/shm/left"
            '; python -c \'import socket; s = socket.create_server(("127.0.0.1", 0));'
            ' socket.create_connection(s.getsockname()); print("loopback")\'; echo "val_bpb: 0.5"'
        )
        found = await bench.run(f"{lines}\n{may}", confined=Confined(hidden=(outside,)))
    memory.unlink()
    assert "ESCAPED" not in bench.log and not Path("/dev/shm/left").exists()
    assert bench.log == "readable\nown\nt\nloopback\nval_bpb: 0.5\n"
    assert found.value == 0.5
    assert (outside / "votes.db").read_text() == "canary-votes" and not (outside / "new").exists()


@confined
async def test_protected_data_is_read_once_and_a_change_between_two_runs_is_seen(bench: Bench) -> None:
    data = bench.folder / "data"
    data.mkdir()
    (data / "shard").write_bytes(b"1" * 1000)
    (data / "other").write_bytes(b"2")
    old = time.time()
    await _until(lambda: time.time() > old + SETTLED_SECONDS + 0.1)
    guarded = {"protected": ("prepare.py", str(data)), "confined": Confined()}
    first = await bench.run("echo 'val_bpb: 0.5'", **guarded)
    table = bench.folder / "protected.json"
    known = remembered(table)
    assert first.status == "done" and set(known) == {data / "shard", data / "other"}
    remember(table, {**known, data / "other": replace(known[data / "other"], content="as it was remembered")})
    (data / "shard").write_bytes(b"3" * 1000)
    bench.worker = Worker(bench.folder / "second")
    second = await bench.run("echo 'val_bpb: 0.5'", **guarded)
    assert second.status == "done"  # what a person does between two runs is no tampering
    seen = remembered(table)
    assert seen[data / "other"].content == "as it was remembered"
    assert seen[data / "shard"].content != known[data / "shard"].content


async def test_the_same_attempts_succeed_unconfined_so_that_they_prove_something(bench: Bench) -> None:
    outside = bench.folder / "outside"
    outside.mkdir()
    mine = f"/proc/{os.getpid()}/environ"
    attempts = f"echo x > {outside}/new; kill -0 {os.getpid()} && echo signalled; grep -q PATH {mine} && echo read"
    await bench.run(f"{attempts}; echo 'val_bpb: 0.5'")
    assert (outside / "new").exists()
    assert bench.log == "signalled\nread\nval_bpb: 0.5\n"


async def _until(true: Any) -> None:
    until = time.monotonic() + 20
    while not true():
        assert time.monotonic() < until
        await asyncio.sleep(0.02)
