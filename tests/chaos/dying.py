"""A program that dies at a stroke: ``python -m chaos.dying MOMENT MODULE ARGUMENTS`` is MODULE up to that moment.

Odd moments are just before a commit, a rename or a removal of the product, even ones just after it. Which one it was
is added to the file that ``CHAOS_DEATHS`` names.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path

from checkpoints import strokes

DEATHS = "CHAOS_DEATHS"
"""Environment variable: file that each death adds a line to."""


def die_at(moment: int) -> Callable[[str], None]:
    """An observer of strokes that kills its process at the so-many-th moment; 0 is none."""
    moments = count(1)

    def look(what: str) -> None:
        if next(moments) == moment:
            with Path(os.environ.get(DEATHS, os.devnull)).open("a") as deaths:
                deaths.write(f"{what}\n")
            os.kill(os.getpid(), signal.SIGKILL)

    return look


def main() -> None:
    """Run the module as its own command line would."""
    moment, module, *_ = sys.argv[1:]
    strokes.observers.append(die_at(int(moment)))
    sys.argv = sys.argv[2:]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
