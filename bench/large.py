"""The dashboard of 10,000 experiments and 1,000,000 metric rows: how soon it is there, how soon it answers a key.

    python -m bench.large

A process of its own commits twice a second meanwhile. A key is answered when the first bytes have come that change the
screen where nothing changes by itself. About three minutes, and some seconds more the first time, when the run is made.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from itertools import chain
from pathlib import Path

from bench.parts import large_run
from bench.parts.presses import Presses, p99
from bench.parts.terminal import COLUMNS, Terminal, ours, terminal
from bench.parts.writer import writer

OPENINGS = 5
SETTLE_SECONDS = 4.0

TRAINING = large_run.EXPERIMENTS + 1
"""Number of the experiment in training; the one before it stands before the voters."""


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        large_run.lay_down(folder)
        with writer(folder, "large") as writing:
            openings = [opening(folder) for _ in range(OPENINGS + 1)][1:]
            times, processor = zip(*openings, strict=True)
            print(f"process start to champion, table and plots: median {statistics.median(times):.2f} s,", end=" ")
            print(f"slowest {max(times):.2f} s of {OPENINGS} (must: ≤ 1.5 s);", end=" ")
            print(f"{statistics.median(processor):.2f} s of processor time", flush=True)
            with terminal(ours(folder)) as shown:
                open_(shown)
                writing.tell("go")
                shown.read(SETTLE_SECONDS)
                cost = shown.cost(10.0)
                print(f"live: {cost.bytes_a_second:.0f} B/s, {100 * cost.share:.1f} % of a core", flush=True)
                pressed = Presses(shown, live_cells(shown))
                press(pressed)
                print(f"memory: {shown.memory():.0f} MB")
    print(*pressed.table(), sep="\n")
    everything = [*chain.from_iterable(pressed.first.values())]
    print(f"all keys: p99 {1000 * p99(everything):.0f} ms (must: ≤ 100 ms) of {len(everything)}", end="; ")
    print(f"less what the program waited for a processor that others had: {1000 * p99(pressed.own):.0f} ms")
    print(f"without an answer: {pressed.unanswered or 'none'}; changes that no key asked for: {pressed.strays}")


def opening(folder: Path) -> tuple[float, float]:
    """Seconds from the start of the process until everything is on the screen, and of processor time until then."""
    began = time.monotonic()
    with terminal(ours(folder)) as shown:
        return open_(shown) - began, shown.processor()


def open_(shown: Terminal) -> float:
    """Wait until everything is on the screen; returns when that was."""
    return shown.until(f"champion #{large_run.champion()}", f"▸{TRAINING}", f"candidate #{TRAINING}", "●●")


def live_cells(shown: Terminal) -> frozenset[tuple[int, int]]:
    """What changes by itself on the main screen: header, lanes, the loss and the events."""
    for _ in shown.draw():
        pass
    lines = shown.screen.display
    lanes_end = next(y for y, line in enumerate(lines) if y > 1 and line.startswith("╰"))
    plots = next(y for y, line in enumerate(lines) if "Win rate" in line)
    table = next(y for y, line in enumerate(lines) if "Experiments" in line and y > plots)
    events = next(y for y, line in enumerate(lines) if "Events" in line and y > table)
    loss = lines[plots].index("╭", 5)
    cells = {(y, x) for y in (*range(lanes_end + 1), *range(events, len(lines) - 2)) for x in range(COLUMNS)}
    return frozenset(cells | {(y, x) for y in range(plots, table) for x in range(loss, COLUMNS)})


def press(keys: Presses) -> None:
    """What a person does in two minutes, over and over, beginning and ending at the newest experiment."""
    down, escape, enter = "\x1b[6~", "\x1b", "\r"
    for _ in range(4):
        keys.press("j, k", *"jjjjjkkjjj")
        keys.press("PgDn, PgUp", down, down, down, "\x1b[5~")
        keys.press("G, g", "G", "g")
        keys.press("1 to 5", *"1423513")
        keys.press("s", *"sssss")
        keys.press("j, k", *"jjjkj", "g")
        keys.press("/ opens", "/")
        keys.press("letter of a filter", *"beta")
        keys.press("⏎ closes a filter", enter)
        keys.press("j, k", *"jjk")
        keys.press("/ opens", "/")
        keys.press("Esc shows all", escape)
        keys.press("j, k", "g", *"jjj")
        keys.press("⏎ detail", enter)
        keys.press("PgDn in a page", down, down)
        keys.press("Esc back", escape)
        keys.press("m", "m", "m")
        keys.press("d", "1", "d", "d", "3")
        keys.press("?", "?")
        keys.press("Esc back", escape)
        keys.press("j, k", "g", *"jjjjjjjjjj", *"jjjjjjjjjjj")
        keys.press("v asks", "v")
        keys.press("Esc back", escape)
        keys.press("j, k", "g")


if __name__ == "__main__":
    main()
