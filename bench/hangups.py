"""What a lost terminal breaks: dashboards whose terminal is dropped at random moments while their loop works.

Run: ``python -m bench.hangups --times 100`` (sleeping lanes, about six minutes). Each run has a pseudo-terminal of its
own, which is closed at a random moment: before the first paint, over the work, in a dialogue or on a page, while the
person leaves, after the end. Then the loop must come to its end by itself, or to where the person who left had asked
it to stop, with the laws of the store kept and no process left. The exit status is 1 when it did not.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import pty
import random
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from laws import broken_laws
from sleeping import VOTES

from checkpoints.reader import DATABASE, Reader
from checkpoints.records import ENDS, RunState
from checkpoints.store import holder
from runner.init import init

EXPERIMENTS = 16
SLEEP = "0.1"
"""Seconds of a passage through a lane."""

STARTS = 2.0
"""Seconds after the start within which one terminal in six is dropped; the others are when so much has ended."""

ENDS_WITHIN = 90.0
"""Seconds in which a loop that nobody looks at comes to its end."""

DOINGS = {
    "over the main screen": (),
    "over the dialogue that leaves": ("q",),
    "over another dialogue": ("p",),
    "over a page": ("?",),
    "on the way to headless": ("q", "\r"),
    "in a drain": ("q", "j", "\r"),
}
"""What the person does until then."""

DRAIN = "in a drain"


@dataclass
class Drop:
    """One lost terminal and what came of it."""

    doing: str
    ended_before: int = 0
    """Experiments that had ended when the terminal went."""

    ended: int = 0
    begun: bool = True
    finished: bool = False
    handed_over: bool = False
    wrong: list[str] = field(default_factory=list)


def main() -> int:
    asked = _asked()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        python = _python(place)
        init("demo", place / "template")
        program = place / "template" / "program.md"
        program.write_text(program.read_text().replace("  experiments: 6 ", f"  experiments: {EXPERIMENTS} "))
        chances = [random.Random(f"{asked.seed}:{number}") for number in range(asked.times)]
        with ThreadPoolExecutor(2) as pairs:
            drops = list(pairs.map(lambda item: drop(place, python, *item), enumerate(chances)))
    tell(drops, time.monotonic() - began)
    return 1 if any(one.wrong for one in drops) else 0


def drop(place: Path, python: Path, number: int, chance: random.Random) -> Drop:
    """Start a dashboard, drop its terminal at a random moment, and hold what is left against what must be."""
    folder = place / f"run-{number}"
    shutil.copytree(place / "template", folder)
    doing = chance.choice(list(DOINGS))
    one = Drop(doing)
    with _seated(python, folder) as (process, terminal):
        _wait_for_the_moment(terminal, folder, chance)
        _act(terminal, doing, chance)
        one.ended_before = _ended(folder)
    status = _wait(process)
    one.begun = (folder / "run" / DATABASE).exists()
    if status not in (0, -signal.SIGHUP) or (status and one.begun):
        one.wrong.append(f"the dashboard's process ended with {status}")
    one.handed_over = holder(folder / "run") is not None
    _wait_until_nobody_drives(folder, one)
    if one.begun:
        _judge(python, folder, one)
    one.wrong += [f"process {pid} was left" for pid in _processes(folder)]
    shutil.rmtree(folder)
    return one


def _judge(python: Path, folder: Path, one: Drop) -> None:
    """Whether it came to its end by itself, or had been told not to and does so now; and by the laws."""
    if one.doing == DRAIN and not _is_finished(folder):
        subprocess.run(
            [str(python), "-m", "tui.main", "run", "--headless", str(folder)], capture_output=True, env=_env()
        )
    with closing(Reader(folder / "run")) as read:
        one.ended, one.finished = read.count(*ENDS), _is_finished(folder)
        if not one.finished:
            one.wrong.append(f"the loop did not come to its end: {one.ended} experiments")
        one.wrong += broken_laws(read, EXPERIMENTS, VOTES)


@contextmanager
def _seated(python: Path, folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """The command with a terminal that is its own, as a person's is; the terminal goes at the end of this."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    command = ["setsid", "--ctty", str(python), "-m", "tui.main", str(folder)]
    process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, cwd=ROOT, env=_env())
    os.close(slave)
    try:
        yield process, master
    finally:
        os.close(master)


def _env() -> dict[str, str]:
    return {**os.environ, "TERM": "xterm-256color", "PYTHONPATH": str(ROOT), "SLEEPING_SECONDS": SLEEP}


def _wait_for_the_moment(terminal: int, folder: Path, chance: random.Random) -> None:
    """Read the screen until some time after the start, or until some experiments have ended and a little longer."""
    if chance.random() < 1 / 6:
        _read(terminal, chance.uniform(0, STARTS))
        return
    ended, latest = chance.randint(0, EXPERIMENTS + 1), time.monotonic() + ENDS_WITHIN
    while _ended(folder) < ended and time.monotonic() < latest:
        _read(terminal, 0.05)
    _read(terminal, chance.uniform(0, 0.4))


def _act(terminal: int, doing: str, chance: random.Random) -> None:
    for key in DOINGS[doing]:
        with suppress(OSError):
            os.write(terminal, key.encode())
        _read(terminal, 0.15)
    if len(DOINGS[doing]) > 1:  # a farewell takes a while, and is met at any moment of it
        _read(terminal, chance.uniform(0, 1.5))


def _read(terminal: int, seconds: float) -> None:
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        if select.select([terminal], [], [], left)[0]:
            try:
                os.read(terminal, 65536)
            except OSError:  # whoever wrote has ended
                time.sleep(left)


def _wait(process: subprocess.Popen[bytes]) -> int:
    """Exit status of a process; one that does not end is killed."""
    try:
        return process.wait(ENDS_WITHIN)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def _wait_until_nobody_drives(folder: Path, one: Drop) -> None:
    end = time.monotonic() + ENDS_WITHIN
    while holder(folder / "run") or _processes(folder):
        if time.monotonic() > end:
            one.wrong.append(f"it still goes on: {holder(folder / 'run')}")
            return
        time.sleep(0.1)


def _processes(folder: Path) -> list[int]:
    """Pids of processes whose command line names the folder."""
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with suppress(OSError):
                if str(folder).encode() in (entry / "cmdline").read_bytes().split(b"\0"):
                    found.append(int(entry.name))
    return found


def _ended(folder: Path) -> int:
    with suppress(Exception), closing(Reader(folder / "run")) as read:
        return read.count(*ENDS)
    return 0


def _is_finished(folder: Path) -> bool:
    with closing(Reader(folder / "run")) as read:
        run = read.run()
    return run is not None and run.state is RunState.FINISHED


def _python(place: Path) -> Path:
    """What stands for Python, so that a process that is handed the run sleeps, too."""
    path = place / "python"
    command = f'exec "{sys.executable}" "{ROOT}/tests/sleeping_command.py" "$@"'
    path.write_text(f'#!/bin/sh\nSLEEPING_PYTHON="{path}"\nexport SLEEPING_PYTHON\n{command}\n')
    path.chmod(0o755)
    return path


def tell(drops: list[Drop], seconds: float) -> None:
    """Print it."""
    print(f"{len(drops)} terminals dropped, {seconds:.0f} s")
    begun = [one for one in drops if one.begun]
    rows: list[tuple[str, int]] = [
        *sorted(Counter(one.doing for one in drops).items()),
        ("before there was a run", len(drops) - len(begun)),
        ("before the first verdict", sum(one.ended_before == 0 for one in begun)),
        ("between the first verdict and the last", sum(0 < one.ended_before <= EXPERIMENTS for one in begun)),
        ("after the last verdict", sum(one.ended_before > EXPERIMENTS for one in begun)),
        ("loops handed over to a process without a screen", sum(one.handed_over for one in drops)),
        ("loops that came to their end", sum(one.finished for one in begun)),
        ("experiments ended", sum(one.ended for one in begun)),
        ("loops harmed", sum(bool(one.wrong) for one in drops)),
    ]
    for name, number in rows:
        print(f"  {name:50} {number:6}")
    for one in drops:
        for line in one.wrong:
            print(f"  ! {one.doing}, {one.ended_before} experiments ended: {line}")


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=100, help="terminals to drop")
    parser.add_argument("--seed", type=int, default=1, help="of the moments and of what the person does")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
