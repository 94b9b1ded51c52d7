"""A loop of sleeping lanes, to be killed: ``python loop_process.py FOLDER EXPERIMENTS [KILL_AT_COMMIT]``."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

from sleeping import drive

from checkpoints.records import Lane
from checkpoints.store import Store

SECONDS = {Lane.TRAIN: 0.02, Lane.UPLOAD: 0.004, Lane.EVALUATE: 0.01, Lane.ANALYZE: 0.004}


def main() -> None:
    folder, experiments = Path(sys.argv[1]), int(sys.argv[2])
    fatal = int(sys.argv[3]) if len(sys.argv) > 3 else 0

    def die_at(commit: int) -> None:
        if commit == fatal:
            os.kill(os.getpid(), signal.SIGKILL)

    with Store(folder, on_commit=die_at) as store:
        asyncio.run(drive(store, experiments, SECONDS, keeps=frozenset(range(3, experiments, 4))))


if __name__ == "__main__":
    main()
