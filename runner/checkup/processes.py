"""The processes of a run: who has it, and workers of ours that go on without anybody."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil

from checkpoints.ownership import holder
from checkpoints.reader import Reader
from checkpoints.records import Lane
from lanes.standby import PREFIX
from lanes.worker import MARK
from runner.findings import Finding


def workers(run: Path) -> dict[Path, set[int]]:
    """Pids of the living workers of a run and of their children, by the worker's folder."""
    found: dict[Path, set[int]] = {}
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            folder = Path(process.environ().get(MARK, ""))
            if folder.is_relative_to(run.absolute()) and process.status() != psutil.STATUS_ZOMBIE:
                found.setdefault(folder, set()).add(process.pid)
    return found


def process_findings(run: Path, read: Reader) -> Iterator[Finding]:
    """Who has the run, and who works for it."""
    who, alive = holder(run), workers(run)
    if who:
        yield Finding("owner", "ok", f"held by {who}, with {len(alive)} workers")
        return
    yield Finding("owner", "ok", "no process has the run")
    training = [stage.order.get("folder") for stage in read.open_stages(Lane.TRAIN)]
    for folder, pids in sorted(alive.items()):
        listed = " ".join(map(str, sorted(pids)))
        if str(folder) in training:
            remedy = f"start the run: it takes the training up; or end it: kill {listed}"
            yield Finding("worker", "warn", f"{folder} goes on training without a runner", remedy)
        else:
            what = f"{folder} outlives the run"
            soon = "; it goes by itself within half a minute" if folder.name.startswith(PREFIX) else ""
            yield Finding("worker", "warn" if soon else "missing", what + soon, f"end it: kill {listed}")
