"""The dashboard beside its peers, in the same terminals on the same machine: W&B's LEET and Harlequin.

    python -m bench.peers

Installs both with pip into an environment of their own in the system's folder for temporary files (400 MB, kept for the
next time); a peer that cannot be installed or does not start is left out with a line. LEET shows an offline run that is
logged to twice a second; Harlequin, which has no live view, a SQLite file: the run that our dashboard shows. No network
but pip's. About three minutes.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.parts.terminal import Cost, Terminal, ours, terminal
from bench.parts.writer import writer
from checkpoints.reader import DATABASE

STARTS = 5
LIVE_SECONDS, IDLE_SECONDS, SETTLE_SECONDS = 20.0, 10.0, 4.0
PLACE = Path(tempfile.gettempdir()) / "autoresearch-tui-peers"

LOG = """
import math, random, select, sys
import wandb
run = wandb.init(project="bench", dir=sys.argv[1], config={"lr": 1e-4, "beta": 0.1})
for step in range(100_000):
    loss = 1.1 + 1.4 * math.exp(-step / 100) + random.gauss(0, 0.05)
    run.log({"loss": loss, "accuracy": random.random(), "grad_norm": random.random(), "learning_rate": 1e-4})
    if step == 300:
        print("ready", flush=True)
    if select.select([sys.stdin], [], [], 0.5 if step > 300 else 0.005)[0]:
        break
run.finish()
print("finished", flush=True)
"""
"""Three hundred steps at once, so that there is something to see, then two a second until its input ends."""

OFFLINE = {"WANDB_MODE": "offline", "WANDB_SILENT": "true", "WANDB_ERROR_REPORTING": "false", "DO_NOT_TRACK": "1"}


@dataclass
class Figures:
    """What was measured of one program."""

    name: str
    paints: list[float] = field(default_factory=list)
    """Seconds from the start of the process until its frame was on the screen."""

    shows: list[float] = field(default_factory=list)
    """Seconds until its data was."""

    live: Cost | None = None
    idle: Cost | None = None
    memory: float = 0.0

    @property
    def line(self) -> str:
        """Of the table."""
        times = "".join(f"{statistics.median(found):8.2f} s" for found in (self.paints, self.shows))
        costs = "".join(
            f"{cost.bytes_a_second:8.0f} B/s {100 * cost.share:5.1f} %" if cost else f"{'–':>12} {'–':>7}"
            for cost in (self.live, self.idle)
        )
        return f"{self.name:<22}{times}{costs}{self.memory:8.0f} MB"


def main() -> None:
    """Measure one after the other, then print the table."""
    found: list[Figures] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for measure in (dashboard, leet, harlequin):
            try:
                found.append(measure(folder))
                print(found[-1].line, flush=True)
            except (OSError, EOFError, TimeoutError, RuntimeError, subprocess.SubprocessError) as error:
                print(f"{measure.__name__} is left out: {str(error).splitlines()[0]}", flush=True)
    print(f"\n{'120×40':<22}{'frame':>10}{'data':>10}{'live: bytes, CPU':>20}{'idle: bytes, CPU':>20}{'memory':>11}")
    print(*(figures.line for figures in found), sep="\n")


def dashboard(folder: Path) -> Figures:
    """The dashboard of a run that another process writes."""
    run, figures = folder / "run", Figures("autoresearch-tui")
    with writer(run, "small") as writing:
        writing.tell("go")
        measured(figures, ours(run), {}, ("Experiments",), ("● champion", "candidate #", "●──"))
        with started(ours(run), {}, "● champion", "candidate #") as shown:
            figures.live = shown.cost(LIVE_SECONDS)
            writing.tell("pause")
            at_rest(figures, shown)
    return figures


def leet(folder: Path) -> Figures:
    """W&B's terminal app on a run that is being logged."""
    environment = {**OFFLINE, "HOME": str(folder), "WANDB_CONFIG_DIR": str(folder), "WANDB_CACHE_DIR": str(folder)}
    program, figures = installed("wandb"), Figures(f"W&B LEET {version('wandb')}")
    logging = subprocess.Popen(
        [str(PLACE / "bin/python"), "-c", LOG, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, text=True, env={**os.environ, **environment}, start_new_session=True,
    )  # fmt: skip
    try:
        assert logging.stdin and logging.stdout
        if logging.stdout.readline().strip() != "ready":
            raise RuntimeError("the offline run could not be logged")
        time.sleep(SETTLE_SECONDS)
        command = [program, "leet", "run", str(next(folder.glob("wandb/offline-run-*/*.wandb")))]
        measured(figures, command, environment, ("h: help",), ("Metrics", "loss", "Summary"))
        with started(command, environment, "Metrics", "loss") as shown:
            figures.live = shown.cost(LIVE_SECONDS)
            logging.stdin.close()
            logging.stdout.readline()
            at_rest(figures, shown)
    finally:
        stop(logging)
    return figures


def harlequin(folder: Path) -> Figures:
    """A SQL client in the terminal, on the file of our run."""
    program, figures = installed("harlequin"), Figures(f"Harlequin {version('harlequin')}")
    database = folder / "harlequin.db"
    shutil.copyfile(folder / "run" / DATABASE, database)
    command, environment = [program, "--adapter", "sqlite", "--read-only", str(database)], {"HOME": str(folder)}
    measured(figures, command, environment, ("Query Editor",), ("Query Editor", "main db"))
    with started(command, environment, "main db") as shown:
        at_rest(figures, shown)
    return figures


def measured(
    figures: Figures, command: Sequence[str], environment: Mapping[str, str], frame: Sequence[str], data: Sequence[str]
) -> None:
    """Start it several times; the first warms the disk and does not count."""
    for _ in range(STARTS + 1):
        began = time.monotonic()
        with terminal(command, environment) as shown:
            figures.paints.append(shown.until(*frame) - began)
            figures.shows.append(shown.until(*data) - began)
    del figures.paints[0], figures.shows[0]


@contextmanager
def started(command: Sequence[str], environment: Mapping[str, str], *words: str) -> Iterator[Terminal]:
    """The program when its data is on the screen, and has been for some seconds."""
    with terminal(command, environment) as shown:
        shown.until(*words)
        shown.read(SETTLE_SECONDS)
        yield shown


def at_rest(figures: Figures, shown: Terminal) -> None:
    """What it costs while nothing happens."""
    shown.read(SETTLE_SECONDS)
    figures.idle = shown.cost(IDLE_SECONDS)
    figures.memory = shown.memory(children=True)


def installed(package: str) -> str:
    """The program of a package, which is installed into the peers' environment if it is not there."""
    program = PLACE / "bin" / package
    if not program.exists():
        print(f"installing {package} into {PLACE}…", flush=True)
        pip = [str(PLACE / "bin/python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", package]
        if not (PLACE / "bin/python").exists():
            subprocess.run([sys.executable, "-m", "venv", str(PLACE)], check=True, timeout=60)
        subprocess.run(pip, check=True, timeout=180, stderr=subprocess.DEVNULL)
    return str(program)


def version(package: str) -> str:
    """Of what is installed there."""
    code = f"from importlib.metadata import version; print(version('{package}'))"
    return subprocess.run(
        [str(PLACE / "bin/python"), "-c", code], check=True, timeout=30, capture_output=True, text=True
    ).stdout.strip()


def stop(process: subprocess.Popen[str]) -> None:
    """End a process and what it started."""
    import psutil

    if process.poll() is None:
        for child in psutil.Process(process.pid).children(recursive=True):
            child.kill()
        process.kill()
        process.wait()


if __name__ == "__main__":
    main()
