"""How long it takes to see a run again: process start of the command until the champion is on the screen.

Run: ``python -m bench.attach``. A loop of sleeping lanes goes on without a screen; dashboards attach to it from
pseudo-terminals of 120×40, one after the other.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from terminal import Terminal

from checkpoints.store import holder
from runner.init import init

TIMES = 10


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "demo"
        init("demo", folder)
        program = folder / "program.md"
        program.write_text(program.read_text().replace("  experiments: 6 ", "  experiments: 900 "))
        sleeping = ROOT / "tests" / "sleeping_command.py"
        loop = subprocess.Popen(
            [sys.executable, str(sleeping), "-m", "tui.main", "run", "--headless", str(folder)],
            stdout=subprocess.DEVNULL, env=os.environ | {"SLEEPING_PYTHON": sys.executable, "SLEEPING_SECONDS": "0.2"},
        )  # fmt: skip
        try:
            while not holder(folder / "run"):
                time.sleep(0.1)
            time.sleep(3)
            seconds = [attach(folder) for _ in range(TIMES + 1)][1:]  # the first one warms the disk
        finally:
            loop.kill()
            loop.wait()
    print(f"attached and the champion on the screen   {statistics.median(seconds):.2f} s", end="")
    print(f"   slowest of {TIMES}: {max(seconds):.2f} s   (must: < 1 s)")


def attach(folder: Path) -> float:
    """Seconds from the start of the process to the champion."""
    # Compiled modules are kept, as those of an installed package are.
    compiled = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(Path(tempfile.gettempdir()) / "bench-attach")}
    began = time.monotonic()
    terminal = Terminal([sys.executable, "-m", "tui.main", str(folder)], **compiled)
    sent = b""
    while b"champion #" not in sent:  # as bytes: to make a screen of them takes the measuring side a while
        sent += terminal.child.read_nonblocking(65536, timeout=30)
    took = time.monotonic() - began
    terminal.press("q", "\r")
    terminal.ended()
    return took


if __name__ == "__main__":
    main()
