"""What the dashboard costs: first paint beside an empty Textual app; bytes, processor and memory, live and idle.

    python -m bench.dashboard

Everything runs in pseudo-terminals of 120×40. First paint: process start until the terminal has got a screenful (one
byte a cell), the two programs taking turns. Live: another process commits twice a second, as a training beside voters
does. The last line is the real command, which shows the dashboard and drives the loop, while it trains the demo. About
three minutes.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bench.parts.terminal import COLUMNS, ROWS, Cost, Terminal, ours, python, terminal
from bench.parts.writer import writer

PAINTS = 9
LIVE_SECONDS, IDLE_SECONDS, SETTLE_SECONDS = 30.0, 10.0, 4.0
DEMO_SECONDS = 75.0
"""Until the demo trains and votes at the same time."""

EMPTY = "from textual.app import App; App().run(mouse=False)"


def main() -> None:
    """Measure, and print a table as it comes."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with writer(folder, "small") as writing:
            paints(folder)
            with terminal(ours(folder)) as shown:
                writing.tell("go")
                shown.read(SETTLE_SECONDS)
                report("live", shown.cost(LIVE_SECONDS), "≤ 2253 B/s, ≤ 5 %")
                writing.tell("pause")
                shown.read(SETTLE_SECONDS)
                report("idle", shown.cost(IDLE_SECONDS), "0 B/s, ≤ 0.5 %")
                memory("a dashboard that watches", shown)
        with terminal([sys.executable, "-m", "tui.main", str(demo(folder))]) as shown:
            shown.read(DEMO_SECONDS)
            memory("one that drives the demo, too", shown)


def paints(folder: Path) -> None:
    """First paints of both programs in turn; the first of each warms the disk and does not count."""
    empty: list[float] = []
    dashboard: list[float] = []
    for _ in range(PAINTS + 1):
        empty.append(first_paint(python(EMPTY)))
        dashboard.append(first_paint(ours(folder)))
    least, took = statistics.median(empty[1:]), statistics.median(dashboard[1:])
    print(f"first paint, empty Textual app   {least:6.3f} s")
    print(f"first paint, dashboard           {took:6.3f} s  {took / least:.2f} × (must: ≤ 0.8 s, ≤ 1.5 ×)", flush=True)


def first_paint(command: Sequence[str]) -> float:
    """Seconds from the start of the process to a screenful."""
    began = time.monotonic()
    with terminal(command) as shown:
        while shown.sent < COLUMNS * ROWS:
            shown.read(0.005)
        return time.monotonic() - began


def report(what: str, cost: Cost, must: str) -> None:
    """One line of the table."""
    share = 100 * cost.share
    print(f"{what:<10} {cost.bytes_a_second:8.0f} B/s  {share:5.1f} % of a core  (must: {must})", flush=True)


def demo(folder: Path) -> Path:
    """A folder with the demo's program."""
    from runner.init import init

    init("demo", folder / "demo")
    return folder / "demo"


def memory(what: str, shown: Terminal) -> None:
    """Resident memory, of the process that has the screen alone."""
    print(f"memory of {what:<30} {shown.memory():4.0f} MB  (must: ≤ 120 MB)", flush=True)


if __name__ == "__main__":
    main()
