"""A script that uses up memory, processes, the disk, its time or the log is ended, and the rest goes on."""

from __future__ import annotations

import asyncio
import shutil
import sys
from pathlib import Path

import psutil
import pytest
from test_script_run import Bench

from checkpoints.records import FailureKind
from lanes.script.bounds import Bounds
from lanes.script.order import OUTPUT, Confined
from lanes.script.sandbox import Confinement, available

CAN: Confinement = asyncio.run(available())
MUCH = 1 << 40
pytestmark = pytest.mark.skipif(not (CAN.network and CAN.files), reason=f"this machine cannot confine: {CAN.why}")

MEMORY = "held = [bytes(b'x' * (8 << 20)) for _ in iter(int, 1)]"
PROCESSES = """
import os, time
for _ in range(400):
    if not os.fork():
        os.setsid()
        time.sleep(60)
time.sleep(60)
"""
DISK = """
import os, time
for number in range(64):
    os.posix_fallocate(os.open(f"block-{number}", os.O_CREAT | os.O_WRONLY), 0, 64 << 20)
    time.sleep(0.05)
time.sleep(60)
"""
FLOOD = """
import os
line = b"a line of no use at all\\n" * 4000
for _ in range(2500):
    os.write(1, line)
os.write(1, b"x" * (64 << 20))
print("\\nval_bpb: 0.5")
"""
HUGE = """
with open("sparse", "wb") as file:
    file.truncate(200 << 30)
try:
    os.truncate("sparse", 300 << 30)
except OSError as error:
    print("larger than may be:", error)
"""


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def command(bench: Bench, code: str) -> str:
    """What runs a text as the script."""
    (bench.top / "train.py").write_text(code)
    return f"{sys.executable} train.py"


def family() -> int:
    """How many processes there are of those that this test has started."""
    return len(psutil.Process().children(recursive=True))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("code", "bounds", "kind", "why"),
    [
        (MEMORY, Bounds(memory=300 << 20), FailureKind.OOM, "out of memory: it had"),
        (PROCESSES, Bounds(MUCH, processes=100), FailureKind.CRASH, "processes, and may have 100"),
    ],
    ids=["memory", "processes"],
)
async def test_what_uses_up_too_much_is_ended_with_all_that_it_started(
    bench: Bench, code: str, bounds: Bounds, kind: FailureKind, why: str
) -> None:
    before = family()
    found = await bench.run(command(bench, code), confined=Confined(), bounds=bounds)
    assert (found.status, found.failure) == ("failed", kind)
    assert why in found.error and found.seconds < 30
    await bench.worker.kill(grace=0)
    assert family() <= before


@pytest.mark.slow
async def test_a_disk_that_is_being_filled_has_room_left(bench: Bench) -> None:
    must_stay = shutil.disk_usage(bench.folder).free - (256 << 20)
    found = await bench.run(command(bench, DISK), confined=Confined(), bounds=Bounds(MUCH, free=must_stay))
    assert found.failure is FailureKind.CRASH and "it filled the disk" in found.error


@pytest.mark.slow
async def test_a_flood_of_words_costs_little_room_and_is_said(bench: Bench) -> None:
    found = await bench.run(command(bench, FLOOD), confined=Confined())
    assert found.value == 0.5 and "it said more than is kept of it in run.log" in found.notes
    assert (bench.worker.folder / OUTPUT).stat().st_size < 9 << 20


async def test_a_file_larger_than_may_be_is_refused_by_the_kernel_and_named(bench: Bench) -> None:
    found = await bench.run(command(bench, f"import os{HUGE}print('val_bpb: 0.5')"), confined=Confined())
    assert found.status == "done"
    assert found.notes == ("it was refused: larger than may be: [Errno 27] File too large: 'sparse'",)


@pytest.mark.slow
async def test_a_log_in_a_folder_that_is_swapped_for_a_link_is_not_followed(bench: Bench) -> None:
    secret, place = bench.folder / "secret", bench.top / "sub"
    secret.mkdir()
    place.mkdir()
    (secret / OUTPUT).write_text("canary-words\n")
    heard: list[str] = []

    async def listen() -> None:
        heard.extend(str(line["doing"]) for line in bench.worker.new_metrics())

    await bench.start(f"mv ../sub ../bus; ln -s {secret} ../sub; sleep 1.5", place=place, confined=Confined())
    await bench.worker.wait(listen)
    assert heard and not any("canary" in words for words in heard)
    assert "canary" not in bench.log
