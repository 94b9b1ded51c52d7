"""A loop of sleeping lanes, to be killed: ``python loop_process.py FOLDER EXPERIMENTS [KILL_AT_COMMIT [SLOTS]]``."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

from sleeping import drive

from checkpoints.records import Lane
from checkpoints.store import Held, Store

SECONDS = {Lane.TRAIN: 0.02, Lane.UPLOAD: 0.004, Lane.EVALUATE: 0.01, Lane.ANALYZE: 0.004}
"""A passage through each lane."""

HELD = 3
"""Exit status when another process owns the run, as the command line's own."""


def main() -> int:
    folder, experiments = Path(sys.argv[1]), int(sys.argv[2])
    try:
        fatal, slots = (*map(int, sys.argv[3:]), *(0, 1)[len(sys.argv) - 3 :])
        loop(folder, experiments, fatal, slots=slots)
    except Held as held:
        print(held, file=sys.stderr)
        return HELD
    return 0


def loop(
    folder: Path,
    experiments: int,
    fatal: int = 0,
    slower: float = 1.0,
    tell: Callable[[int], object] | None = None,
    slots: int = 1,
) -> None:
    """Drive a run to its end, or to its death before (odd) or after (even) a commit of this process.

    Args:
        folder: Of the run.
        experiments: Of its budget.
        fatal: Which commit's beginning or end is the last; 0 is none.
        slower: Factor of ``SECONDS``.
        tell: Called with each commit's number, in the writer's thread.
        slots: Candidates that are judged side by side; then each takes as much longer.
    """

    def die_at(commit: int) -> None:
        if tell:
            tell(commit)
        if commit == fatal:
            os.kill(os.getpid(), signal.SIGKILL)

    seconds = {lane: slower * each for lane, each in SECONDS.items()}
    seconds[Lane.EVALUATE] *= slots
    with Store(folder, on_commit=die_at) as store:
        asyncio.run(drive(store, experiments, seconds, keeps=frozenset(range(2, experiments + 1, 4)), slots=slots))


if __name__ == "__main__":
    sys.exit(main())
