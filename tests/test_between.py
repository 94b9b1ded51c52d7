"""Where a command is several, one cannot better what the next, which is protected, finds: it is named, or kept out."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest
from between import BETWEEN, JUDGE, Between
from test_script_run import Bench

from lanes.script.order import Confined
from lanes.script.sandbox import Confinement, available

CAN: Confinement = asyncio.run(available())
pytestmark = pytest.mark.skipif(not (CAN.network and CAN.files), reason=f"this machine cannot confine: {CAN.why}")


GUARDED = ("judge.py", "prepare.py", "lib/inner.py")


def judged(folder: Path) -> Bench:
    """A worktree with a protected command, and what it imports."""
    bench = Bench(folder)
    (bench.top / "judge.py").write_text(JUDGE)
    (bench.top / "lib").mkdir()
    (bench.top / "lib/inner.py").write_text("VALUE = 0.9\n")
    return bench


@pytest.mark.slow
@pytest.mark.parametrize("one", BETWEEN, ids=[one.name for one in BETWEEN])
async def test_what_one_command_does_to_the_next_of_the_same_run_is_no_measurement(
    tmp_path: Path, one: Between
) -> None:
    bench = judged(tmp_path)
    judge = f"{sys.executable} judge.py"
    found = await bench.run(f"{one.first}\n{judge}\n{one.then}", protected=GUARDED, confined=Confined())
    assert "val_bpb: 0.1" not in bench.log if one.kept_out else found.tampering == (one.named,), (found, bench.log)


@pytest.mark.slow
async def test_what_scripts_write_beside_protected_code_without_harm_is_no_tampering(tmp_path: Path) -> None:
    bench = judged(tmp_path)
    mine = "mkdir -p wandb numpy out; echo 1 > wandb/log; echo 1 > numpy/array.npy; echo 'x = 1' > mine.py; : > k.so"
    command = f"{mine}; {sys.executable} -c 'import mine, prepare'; {sys.executable} judge.py; : > json.txt"
    found = await bench.run(command, protected=GUARDED, confined=Confined())
    assert (found.status, found.value, found.tampering) == ("done", 0.9, ()), (found, bench.log)
