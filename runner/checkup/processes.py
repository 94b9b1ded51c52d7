"""The processes of a run: who has it, and workers of ours that go on without anybody."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil

from checkpoints.ownership import holder
from checkpoints.reader import Reader
from checkpoints.records import Lane
from lanes.standby import PREFIX
from lanes.worker import MARK, Worker, WorkerError
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


def left_over(run: Path, read: Reader) -> dict[Path, set[int]]:
    """Workers of a run that nobody has, those aside that train what the run takes up again when it goes on."""
    training = {str(stage.order.get("folder")) for stage in read.open_stages(Lane.TRAIN)}
    return {folder: pids for folder, pids in sorted(workers(run).items()) if str(folder) not in training}


def process_findings(run: Path, read: Reader) -> Iterator[Finding]:
    """Who has the run, and who works for it."""
    who, alive = holder(run), workers(run)
    if who:
        yield Finding("owner", "ok", f"held by {who}, with {len(alive)} workers")
        return
    yield Finding("owner", "ok", "no process has the run")
    outlives = left_over(run, read)
    for folder, pids in sorted(alive.items()):
        listed = " ".join(map(str, sorted(pids)))
        if folder not in outlives:
            remedy = f"start the run: it takes the training up; or end it: kill {listed}"
            yield Finding("worker", "warn", f"{folder} goes on training without a runner", remedy)
        else:
            what = f"{folder} outlives the run"
            soon = "; it goes by itself within half a minute" if folder.name.startswith(PREFIX) else ""
            remedy = f"autoresearch-tui doctor --repair {run} ends it, or: kill {listed}"
            yield Finding("worker", "warn" if soon else "missing", what + soon, remedy)


def end(folder: Path) -> str:
    """End a worker with all that it has started; says so in a line.

    Only what is known to be it is signalled: by the mark that its family inherits, or by pid, start and boot.
    """
    try:
        asyncio.run(Worker(folder).kill())
    except WorkerError as stuck:
        return f"not ended: {stuck}"
    return f"ended the worker in {folder}, which outlived the run"
