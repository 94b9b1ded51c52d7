"""How soon the command itself is refused by a run that another process drives, and what it says then.

    python -m bench.refusal

From the start of the process to its end, by the clock on the wall. About half a minute.
"""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from checkpoints.ownership import RUN
from checkpoints.store import holder
from runner.init import init

ROOT = Path(__file__).parents[1]
TIMES = 20


def main() -> None:
    """Have one process drive the demo's run, and start the command beside it again and again."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        init("demo", folder)
        loop = [sys.executable, str(ROOT / "tests" / "loop_process.py"), str(folder / RUN), "100000"]
        with subprocess.Popen(loop) as owner:
            while not holder(folder / RUN):
                if owner.poll() is not None:
                    raise SystemExit(f"the loop ended with status {owner.returncode}")
                time.sleep(0.02)
            times = sorted(refused(folder, owner.pid) for _ in range(TIMES))
            owner.kill()
    print(f"refused in {statistics.median(times):.2f} s (median), slowest of {TIMES} {times[-1]:.2f} s (must: < 1 s)")


def refused(folder: Path, owner: int) -> float:
    """Seconds that a second instance took to be refused and told who has the run."""
    command = [sys.executable, "-m", "tui.main", "run", "--headless", str(folder)]
    began = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)})
    seconds = time.monotonic() - began
    if done.returncode != 3 or not re.fullmatch(rf".*held by process {owner} on .*\n", done.stderr):
        raise SystemExit(f"it was not refused as it must be: status {done.returncode}, {done.stderr!r}")
    return seconds


if __name__ == "__main__":
    main()
