"""The small job as DBOS's guide has it: ``python -m bench.parts.survivor_dbos FOLDER EXPERIMENTS``, on SQLite.

An experiment is a workflow under an id of its own, a stage a step; ``launch`` recovers what was pending.
"""

from __future__ import annotations

import sys
from pathlib import Path

from dbos import DBOS, SetWorkflowID

from bench.parts.small_job import STAGES, work

FOLDER = Path(sys.argv[1])


@DBOS.step()
def stage(number: int, name: str) -> None:
    work(FOLDER, number, name)


@DBOS.workflow()
def experiment(number: int) -> None:
    for name in STAGES:
        stage(number, name)


def main() -> None:
    """Do all experiments, one after the other; those that are done already return at once."""
    DBOS(config={"name": "small-job", "system_database_url": f"sqlite:///{FOLDER}/dbos.sqlite", "log_level": "ERROR"})
    DBOS.launch()
    for number in range(int(sys.argv[2])):
        with SetWorkflowID(f"experiment-{number}"):
            experiment(number)
    DBOS.destroy()


if __name__ == "__main__":
    main()
