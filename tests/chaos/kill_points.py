"""Deaths at the strokes of a process: before and after each commit, rename and removal that it makes, in its order."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from chaos.dying import DEATHS

HERE = Path(__file__).parents[1]

SECONDS = 100


def dies(moment: int, module: str, *arguments: object, deaths: Path) -> bool:
    """Run a module to its end or to a moment of it; returns whether it died there.

    Args:
        moment: Which beginning or end of a stroke; 0 is none.
        module: With a command line of its own.
        arguments: Of that command line.
        deaths: File that says at what it died, a line each.

    Raises:
        AssertionError: It ended in another way than well.
    """
    path = os.pathsep.join((str(HERE.parent), str(HERE)))
    done = subprocess.run(
        [sys.executable, "-m", "chaos.dying", str(moment), module, *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1", DEATHS: str(deaths)},
        stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS, check=False,
    )  # fmt: skip
    said = done.stderr.decode(errors="replace")
    assert done.returncode in (0, -signal.SIGKILL), f"{module} at moment {moment}: status {done.returncode}: {said}"
    return done.returncode != 0


def dies_ever_later(moments: Iterable[int], module: str, *arguments: object, deaths: Path) -> int:
    """Have process after process die, each at its own moment, until one ends by itself; returns how many died."""
    died = 0
    for moment in moments:
        if not dies(moment, module, *arguments, deaths=deaths):
            return died
        died += 1
    raise AssertionError("it never ended")


def strokes_in(deaths: Path) -> Sequence[str]:
    """At what processes died."""
    return deaths.read_text(encoding="utf-8").splitlines() if deaths.exists() else []
