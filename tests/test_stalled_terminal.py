"""A terminal that has stopped reading, as one behind a dead connection does for hours: nothing waits for it."""

from __future__ import annotations

import os
import re
import signal
import time
from pathlib import Path

import pytest
from terminal import Terminal
from test_leaving import ended, folder, held_by, many, python, start, wait_for

__all__ = ["folder", "python"]


def stalled(python: Path, folder: Path) -> Terminal:
    """A dashboard that has more to say than any buffer takes, to a terminal that reads none of it."""
    many(folder)
    screen = start(python, folder, SLEEPING_SECONDS="0.2")
    screen.until("champion #")
    for _ in range(80):
        screen.child.send("m")
        time.sleep(0.03)
    return screen


def newest_after_reading(screen: Terminal) -> int:
    """The highest number in the table of experiments; -1 while none is there."""
    screen.read(0.1)
    return max((int(number) for number in re.findall(r"┃[▸ ]\s*(\d+)  ", screen.text)), default=-1)


@pytest.mark.slow
def test_a_run_goes_on_while_its_terminal_reads_nothing_and_the_screen_is_whole_when_it_reads_again(
    python: Path, folder: Path
) -> None:
    screen = stalled(python, folder)
    before = ended(folder)
    wait_for(lambda: ended(folder) > before + 5)
    so_far = ended(folder)
    wait_for(lambda: newest_after_reading(screen) >= so_far)
    screen.until("Lanes", "Win rate", "Memory", "q Quit…")


@pytest.mark.slow
def test_a_run_drains_though_its_terminal_reads_nothing(python: Path, folder: Path) -> None:
    screen = stalled(python, folder)
    os.kill(screen.child.pid, signal.SIGTERM)
    wait_for(lambda: not held_by(folder))
    assert screen.ended() == 0
