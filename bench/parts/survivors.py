"""Who does the small job: how each is started, and what its own database says of it afterwards."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from bench.parts.small_job import STAGES, Step
from bench.peers import PLACE, installed, version
from checkpoints.reader import DATABASE

ROOT = Path(__file__).parents[2]

PYTHON = str(PLACE / "bin" / "python")
"""Of the environment that the others are installed into."""


@dataclass(frozen=True, slots=True)
class Survivor:
    """A program that does the small job and goes on with it when it is started again."""

    name: str
    python: str
    module: str
    argument: tuple[str, ...]
    recorded: Callable[[Path], set[Step]]
    """Stages that its database says are done; of Optuna's only those of whole trials, as it knows no others."""

    hanging: Callable[[Path], int]
    """What its database says is still going on."""

    def start(self, folder: Path, experiments: int) -> subprocess.Popen[bytes]:
        """Start it, or start it again; what it says goes into a file."""
        folder.mkdir(exist_ok=True)
        command = [self.python, "-m", f"bench.parts.{self.module}", str(folder), str(experiments), *self.argument]
        with (folder / "said").open("ab") as said:
            return subprocess.Popen(command, cwd=ROOT, stdout=said, stderr=said)


def survivors() -> list[Survivor]:
    """Ours, and those of the others that can be installed here."""
    found = [
        Survivor("ours, stages in workers", sys.executable, "survivor_ours", ("workers",), _of_ours, _hang_ours),
        Survivor("ours, stages in process", sys.executable, "survivor_ours", (), _of_ours, _hang_ours),
    ]
    there = peers()
    if name := there.get("dbos"):
        found.append(Survivor(name, PYTHON, "survivor_dbos", (), _of_dbos, _hang_dbos))
    if name := there.get("optuna"):
        for more, argument in (("", ()), (", heartbeat", ("heartbeat",))):
            found.append(Survivor(name + more, PYTHON, "survivor_optuna", argument, _of_optuna, _hang_optuna))
    return found


def peers() -> dict[str, str]:
    """Name and version of each of the others, by its package; one that cannot be installed is left out with a line."""
    found: dict[str, str] = {}
    for package, name in (("dbos", "DBOS"), ("optuna", "Optuna")):
        try:
            installed(package)
            found[package] = f"{name} {version(package)}"
        except (OSError, subprocess.SubprocessError) as error:
            print(f"{name} is left out: {str(error).splitlines()[0]}")
    return found


def _asked(path: Path, query: str) -> list[tuple[str, ...]]:
    """Rows of a database that nobody has open; none where it, or the table, is not there yet."""
    if not path.exists():
        return []
    with closing(sqlite3.connect(path, timeout=10)) as connection:
        try:
            return connection.execute(query).fetchall()
        except sqlite3.OperationalError as error:
            if "no such table" in str(error):
                return []
            raise


def _of_ours(folder: Path) -> set[Step]:
    rows = _asked(folder / DATABASE, "SELECT experiment, lane FROM stages WHERE state = 'done'")
    return {(int(number), lane) for number, lane in rows}


def _hang_ours(folder: Path) -> int:
    return len(_asked(folder / DATABASE, "SELECT 1 FROM experiments WHERE ended_at IS NULL"))


def _of_dbos(folder: Path) -> set[Step]:
    rows = _asked(folder / "dbos.sqlite", "SELECT workflow_uuid, function_id FROM operation_outputs")
    return {(int(name.rpartition("-")[2]), list(STAGES)[int(step) - 1]) for name, step in rows}


def _hang_dbos(folder: Path) -> int:
    unfinished = "SELECT 1 FROM workflow_status WHERE status IN ('PENDING', 'ENQUEUED')"
    return len(_asked(folder / "dbos.sqlite", unfinished))


def _of_optuna(folder: Path) -> set[Step]:
    query = """
        SELECT value_json FROM trial_system_attributes JOIN trials USING (trial_id)
        WHERE key = 'fixed_params' AND state = 'COMPLETE'
    """
    numbers = [json.loads(text)["experiment"] for (text,) in _asked(folder / "optuna.sqlite", query)]
    return {(number, name) for number in numbers for name in STAGES}


def _hang_optuna(folder: Path) -> int:
    return len(_asked(folder / "optuna.sqlite", "SELECT 1 FROM trials WHERE state = 'RUNNING'"))


def last_words(folder: Path) -> str:
    """The last line that it said."""
    text = (folder / "said").read_text(errors="replace").strip()
    return text.splitlines()[-1][:160] if text else ""
