"""What the dashboard costs: first paint beside an empty Textual app; bytes, processor and memory, live and idle.

    python -m bench.dashboard

Everything runs in pseudo-terminals of 120×40. First paint: process start until the terminal has got a screenful (one
byte a cell), the two programs taking turns. Live: another process commits twice a second, as a training beside voters
does.
"""

from __future__ import annotations

import fcntl
import os
import pty
import select
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from runs import Story

from checkpoints import writes
from checkpoints.records import Lane, RunState
from checkpoints.store import Store

COLUMNS, ROWS = 120, 40
PAINTS = 9
LIVE_SECONDS, IDLE_SECONDS, SETTLE_SECONDS = 30.0, 10.0, 4.0
COMMITS_PER_SECOND = 2

EMPTY = "from textual.app import App; App().run(mouse=False)"
OURS = """
import sys
from pathlib import Path
from tui.app import Dashboard
async def intervene(step, experiment, reason, detail): return 0
Dashboard(Path(sys.argv[1]), intervene, owned=False).run(mouse=False)
"""


@dataclass
class Terminal:
    """A program in a pseudo-terminal, and what it has sent."""

    process: subprocess.Popen[bytes]
    master: int
    sent: int = 0

    def read(self, seconds: float) -> None:
        """Take what comes for so long."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if select.select([self.master], [], [], left)[0]:
                self.sent += len(os.read(self.master, 65536))


@contextmanager
def terminal(code: str, *arguments: str) -> Iterator[Terminal]:
    """Run a piece of Python in a pseudo-terminal of its own."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    environment = {
        **os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor", "PYTHONPATH": str(ROOT),
        # Compiled modules are kept, as those of an installed package are.
        "PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(Path(tempfile.gettempdir()) / "bench-dashboard"),
    }  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-c", code, *arguments], stdin=slave, stdout=slave, stderr=slave, env=environment, cwd=ROOT,
        start_new_session=True,
    )  # fmt: skip
    os.close(slave)
    try:
        yield Terminal(process, master)
    finally:
        process.kill()
        process.wait()
        os.close(master)


def first_paint(code: str, *arguments: str) -> float:
    """Seconds from the start of the process to a screenful."""
    started = time.monotonic()
    with terminal(code, *arguments) as shown:
        while shown.sent < COLUMNS * ROWS:
            shown.sent += len(os.read(shown.master, 65536))
        return time.monotonic() - started


def cost(shown: Terminal, seconds: float) -> tuple[float, float]:
    """Bytes a second, and the share of one core."""
    process = psutil.Process(shown.process.pid)
    sent, before = shown.sent, sum(process.cpu_times()[:2])
    shown.read(seconds)
    return (shown.sent - sent) / seconds, (sum(process.cpu_times()[:2]) - before) / seconds


def live(store: Store, story: Story, number: int, shown: Terminal, seconds: float) -> tuple[float, float]:
    """Commit twice a second, as a training and its neighbour's voters do; what that costs the dashboard."""
    process = psutil.Process(shown.process.pid)
    sent, before, started = shown.sent, sum(process.cpu_times()[:2]), time.monotonic()
    step = story.logged
    while time.monotonic() - started < seconds:
        step += 1
        store.submit(story.train_on, number, step - 1, step).result()
        store.submit(
            story.progress, Lane.EVALUATE, number - 1, "votes", 148 + step % 200, 400,
            f"{52 + step % 30 / 10:.1f} % ±8.5", max(0, 380 - step),
        ).result()  # fmt: skip
        shown.read(1 / COMMITS_PER_SECOND)
    story.logged = step
    took = time.monotonic() - started
    return (shown.sent - sent) / took, (sum(process.cpu_times()[:2]) - before) / took


def main() -> None:
    """Measure and print a table."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with Store(folder) as store:
            story = Story(steps=600)
            number = begin(store, story)
            empty, ours = paints(folder)
            print(f"first paint, empty Textual app   {statistics.median(empty):6.3f} s")
            print(f"first paint, dashboard           {statistics.median(ours):6.3f} s", end="")
            print(f"  {statistics.median(ours) / statistics.median(empty):.2f} × (must: ≤ 1.5 ×)")
            with terminal(OURS, str(folder)) as shown:
                live(store, story, number, shown, SETTLE_SECONDS)
                report("live", *live(store, story, number, shown, LIVE_SECONDS), "≤ 3072 B/s, ≤ 5 %")
                store.submit(writes.set_run, RunState.PAUSED, "by a person").result()
                shown.read(SETTLE_SECONDS)
                report("idle", *cost(shown, IDLE_SECONDS), "0 B/s")
                rss = psutil.Process(shown.process.pid).memory_info().rss / 2**20
                print(f"memory                           {rss:6.0f} MB  (must: ≤ 150 MB)")


def begin(store: Store, story: Story) -> int:
    """A run of twelve experiments with one before the voters and one in training; returns the number of the latter."""
    store.submit(story.begin, 12).result()
    for number in range(13):
        store.submit(story.finished, number).result()
    store.submit(story.evaluating).result()
    store.submit(story.training, 20).result()
    return 14


def paints(folder: Path) -> tuple[list[float], list[float]]:
    """First paints of both programs in turn; the first of each warms the disk and does not count."""
    empty: list[float] = []
    ours: list[float] = []
    for _ in range(PAINTS + 1):
        empty.append(first_paint(EMPTY))
        ours.append(first_paint(OURS, str(folder)))
    return empty[1:], ours[1:]


def report(what: str, bytes_a_second: float, share: float, must: str) -> None:
    """One line of the table."""
    print(f"{what:<10} {bytes_a_second:8.0f} B/s  {100 * share:5.1f} % of a core  (must: {must})")


if __name__ == "__main__":
    main()
