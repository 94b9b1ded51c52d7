"""How long the demo takes: six experiments and the baseline through all four lanes, headless.

Run: ``python -m bench.demo``. Must: under 300 s on two cores. Real trainings, a real server, simulated voters.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from checkpoints.reader import Reader
from checkpoints.records import Lane

ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copy(ROOT / "program.md", folder)
        shutil.copytree(ROOT / "sample_data", folder / "sample_data")
        began = time.monotonic()
        command = [sys.executable, "-m", "tui.main", "run", "--headless", name]
        done = subprocess.run(command, stdout=subprocess.DEVNULL, cwd=ROOT)
        wall, used = time.monotonic() - began, os.times()
        if done.returncode:
            raise SystemExit(f"the demo ended with exit status {done.returncode}")
        stages, verdicts = Reader(folder / "run").stages(), Reader(folder / "run").verdicts()
    for lane in Lane:
        print(f"{lane:10} {sum(stage.seconds or 0 for stage in stages if stage.lane is lane):6.1f} s in all")
    outcomes = ", ".join(f"{verdict.outcome}" for verdict in verdicts)
    print(f"verdicts   {outcomes}")
    print(f"processor  {used.children_user + used.children_system:6.1f} s")
    print(f"wall       {wall:6.1f} s from the command to its end (must: under 300 s)")


if __name__ == "__main__":
    main()
