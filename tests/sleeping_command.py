"""The real command, with lanes that sleep: ``sleeping_command.py -m tui.main ARGUMENTS``, in the place of Python.

``SLEEPING_PYTHON`` names a program that runs this file with its arguments, for the processes that the command starts;
``SLEEPING_SECONDS`` says how long a lane sleeps; with ``SLEEPING_FAULT`` the key for help breaks the screen, and
into the file that ``SLEEPING_MODULES`` names go all modules that were imported until the end.
"""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Callable
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

from sleeping import SleepingAnalyst, SleepingLane

import runner.assembly
import tui.app
from checkpoints.records import Lane
from checkpoints.store import Store
from tui.main import main

SECONDS = float(os.environ.get("SLEEPING_SECONDS", "0.6"))


def lane(name: Lane) -> Callable[[Store, object], SleepingLane]:
    return lambda store, _: SleepingLane(store, name, SECONDS)


def broken(app: tui.app.Dashboard) -> None:
    raise RuntimeError("the screen broke")


def keep_the_names(path: str) -> None:
    Path(path).write_text("\n".join(sorted(sys.modules)), encoding="utf-8")


if __name__ == "__main__":
    lanes = vars(runner.assembly)
    lanes["TrainLane"], lanes["UploadLane"] = lane(Lane.TRAIN), lane(Lane.UPLOAD)
    lanes["EvaluateLane"] = lane(Lane.EVALUATE)
    lanes["AnalyzeLane"] = lambda *_: SleepingAnalyst(SECONDS, frozenset({1, 3}))
    if "SLEEPING_FAULT" in os.environ:
        tui.app.Dashboard.action_show_help = broken  # type: ignore[method-assign]
    if "SLEEPING_MODULES" in os.environ:
        atexit.register(keep_the_names, os.environ["SLEEPING_MODULES"])
    sys.executable = os.environ["SLEEPING_PYTHON"]
    assert sys.argv[1:3] == ["-m", "tui.main"]
    sys.exit(main(sys.argv[3:]))
