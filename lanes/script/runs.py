"""Runs of a script's commands: each in a worker's folder of its own, taken up again where one still works."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from checkpoints import writes
from checkpoints.copies import FOLDER as COPIES
from checkpoints.records import FailureKind, Lane, Level, Progress
from checkpoints.store import Store
from lanes.lane import StageFailed, StagePaused
from lanes.launch import LocalProcess
from lanes.order import PAUSE
from lanes.script.git import GitError
from lanes.script.lane_settings import ScriptLaneSettings
from lanes.script.order import Confined, ScriptOrder, ScriptResult
from lanes.script.protected import protected
from lanes.script.surroundings import environment
from lanes.script.worktree import Worktree
from lanes.train import WORK
from lanes.watched_time import WatchedTime
from lanes.worker import Worker, WorkerError

PROGRAM = "lanes.workers.script"

LIVES = 2
"""How often the worker of a run is started, where it died itself: a script that dies does not end its worker."""

SILENT_SECONDS = 1800.0
"""Longest time without a sign of life of a worker; before and after the script it reads what is protected, and that
may be much."""


@dataclass(frozen=True, slots=True)
class Job:
    """One run of one command on the files of one commit."""

    experiment: int
    """In whose passage it is run."""

    key: str
    """Name of its folder: the same run has the same, also after a kill."""

    commit: str
    command: str
    metric: str = ""
    """Empty where the output is only looked at for whether it passed."""

    seed: int | None = None
    doing: str = "the script"
    trusted: bool = False
    """Whether the files are the person's own: what it leaves in the cache of compilers, all others find."""


class _Silent(Exception):
    """A worker gives no sign of life."""


class Runs:
    """One run at a time in one lane."""

    def __init__(self, store: Store, lane: Lane, settings: Callable[[], ScriptLaneSettings]) -> None:
        self._store, self._lane, self._settings = store, lane, settings
        self._work = store.folder.absolute() / WORK
        self._hand: Worker | None = None
        self._wish: StageFailed | StagePaused | None = None

    async def run(self, job: Job, worktree: Worktree) -> ScriptResult:
        """Run a command, or take its run up; what it found is returned, also where it failed.

        Raises:
            StageFailed: The run cannot be made, or somebody stopped it.
            StagePaused: After ``pause``: what was run is run anew.
        """
        worker, self._wish = Worker(self._work / job.key), None
        self._hand = worker
        try:
            return await self._found(job, worktree, worker)
        except (WorkerError, GitError, OSError) as error:
            raise self._wish or StageFailed(FailureKind.INPUT, str(error)) from error
        finally:
            self._hand = None

    def pause(self) -> None:
        """Have what runs end."""
        if self._hand:
            self._wish = self._wish or StagePaused("paused by a person")
            if self._hand.folder.is_dir():
                (self._hand.folder / PAUSE).touch()

    async def abort(self) -> None:
        """Kill what runs and wait until it is gone.

        Raises:
            WorkerError: It does not end.
        """
        if self._hand:
            self._wish = StageFailed(FailureKind.CRASH, "stopped by a person")
            await self._hand.kill()

    async def end_all_but(self, prefix: str | None) -> None:
        """End what earlier runners have left in this lane's folders.

        Args:
            prefix: How the names of folders begin that are left alone; None leaves none.

        Raises:
            WorkerError: One does not end.
        """
        for folder in self._work.glob(f"exp-*-{self._lane}-*"):
            worker = Worker(folder)
            if worker.alive and not (prefix and folder.name.startswith(prefix)):
                await worker.kill()

    async def _found(self, job: Job, worktree: Worktree, worker: Worker) -> ScriptResult:
        for _ in range(LIVES):
            found = _result(worker)
            if found is None or found.status == "paused":
                if not worker.alive:
                    await self._start(job, worktree, worker)
                found = await self._watch(job, worker)
            if self._wish:
                raise self._wish
            if found and found.status != "paused":
                await worker.kill(grace=0)
                return found
        words = worker.last_words() or "it left no word"
        raise StageFailed(FailureKind.INPUT, f"what runs the script died{worker.how_it_ended()}: {words}")

    async def _watch(self, job: Job, worker: Worker) -> ScriptResult | None:
        """Follow a worker until it has a result, or is dead; one that is silent for too long is ended."""
        watched = WatchedTime()
        heard_at = 0.0

        async def look() -> None:
            nonlocal heard_at
            now = watched.look()
            if await self._tell(job, worker):
                heard_at = now
            if now - heard_at > SILENT_SECONDS:
                raise _Silent

        try:
            await worker.wait(look)
        except _Silent:
            text = f"what runs the script gave no sign of life for {SILENT_SECONDS:g} s and was ended"
            self._store.submit(writes.event, Level.WARNING, self._lane, text, job.experiment)
            await worker.kill(grace=0)
        return _result(worker)

    async def _start(self, job: Job, worktree: Worktree, worker: Worker) -> None:
        await worktree.reset(job.commit)
        if self._wish:
            raise self._wish
        worker.folder.mkdir(parents=True, exist_ok=True)
        await worker.put_order((await self._order(job, worktree)).model_dump(mode="json"))
        await worker.start(PROGRAM, LocalProcess(), self._store.owner.path)

    async def _order(self, job: Job, worktree: Worktree) -> ScriptOrder:
        settings, inside = self._settings(), worktree.repository.inside
        known = await worktree.files(job.commit)
        paths = protected(known, [inside + path for path in settings.editable], worktree.top)
        if not (settings.confined and settings.confined.files):
            paths = (*paths, *worktree.guarded)
        scratch, cached = self._work / "scratch", self._work / "cache"
        cache = cached if job.trusted else scratch / "cache"
        own = {settings.seed_env: str(job.seed)} if settings.seed_env and job.seed is not None else {}
        offline = bool(settings.confined and settings.confined.network)
        return ScriptOrder(
            experiment=job.experiment,
            command=job.command,
            place=worktree.place,
            top=worktree.top,
            seconds=settings.seconds,
            env=environment(settings.env, scratch, cache, own, offline, settings.project),
            scratch=scratch,
            cache=cache,
            cached=None if job.trusted else cached,
            confined=settings.confined and self._hiding(settings, settings.confined, worktree),
            protected=(*map(str, paths), *further(settings)),
            metric=job.metric,
            pattern=settings.pattern if job.metric else None,
        )

    def _hiding(self, settings: ScriptLaneSettings, confined: Confined, worktree: Worktree) -> Confined:
        """With what nobody names and no script needs: the run's own record, and files with keys beside the program."""
        folders = {settings.project, worktree.repository.top}
        keys = (path for folder in folders for path in folder.glob(".env*") if path.name not in settings.protected)
        run = self._store.folder.absolute()
        own = (*run.glob("run.db*"), *run.glob(f"{COPIES}/*.db"))
        files = sorted(path for path in (*keys, *own) if path.is_file())
        return confined.model_copy(update={"hidden": (*confined.hidden, *files)})

    async def _tell(self, job: Job, worker: Worker) -> bool:
        """Show what is new; returns whether there was anything."""
        lines = worker.new_metrics()
        now = time.time()
        if not lines and _result(worker) is None:
            return False
        passed = _passed(worker.folder)
        words = next((str(line["doing"]) for line in reversed(lines) if "doing" in line), "")
        seconds = self._settings().seconds
        progress = Progress(self._lane, job.experiment, job.doing, min(passed, seconds), seconds, words, None, now)
        self._store.submit(writes.set_progress, progress)
        await asyncio.sleep(0)
        return True


def further(settings: ScriptLaneSettings) -> tuple[str, ...]:
    """Protected paths that git does not know, whole."""
    return tuple(str(settings.project / Path(path).expanduser()) for path in settings.protected)


def linked(settings: ScriptLaneSettings) -> tuple[str, ...]:
    """Those of them that are below the program's folder: a worktree has links to them."""
    return tuple(path for path in settings.protected if not Path(path).expanduser().is_absolute())


def _passed(folder: Path) -> float:
    """Seconds since the order was written."""
    try:
        return max(0.0, time.time() - (folder / "order.json").stat().st_mtime)
    except OSError:
        return 0.0


def _result(worker: Worker) -> ScriptResult | None:
    """What a worker found; None while there is nothing that can be understood."""
    found: Any = worker.result()
    try:
        return found and ScriptResult.model_validate(found)
    except ValidationError as error:
        line = error.errors()[0]["msg"]
        return ScriptResult(status="failed", failure=FailureKind.INPUT, error=f"{worker.folder} has no result: {line}")
