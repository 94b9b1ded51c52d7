"""What the lanes of a script share: its worktree, opened once, and the commit of each experiment's files."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace

from checkpoints.records import BASELINE, Experiment
from checkpoints.store import Store
from lanes.script.evidence import base_of, files_of
from lanes.script.lane_settings import ScriptLaneSettings
from lanes.script.runs import linked
from lanes.script.worktree import Worktree


class Ground:
    """The worktree of a run."""

    def __init__(self, store: Store, settings: Callable[[], ScriptLaneSettings]) -> None:
        self._store, self._settings = store, settings
        self._open: Worktree | None = None
        self._turn = asyncio.Lock()

    async def worktree(self) -> Worktree:
        """The worktree, made where it is not there.

        Raises:
            GitError: There is no repository, no commit, or git refuses.
        """
        async with self._turn:
            settings = self._settings()
            links = linked(settings)
            if self._open is None:
                self._open = await Worktree.open(settings.project, self._store.folder, settings.tag, links)
            return replace(self._open, links=links)  # the program may have come to name more

    async def commit_of(self, experiment: Experiment) -> str:
        """The commit with an experiment's files, on its parent's; made where it is not there, or is of other files.

        Raises:
            GitError: A path leads out or through a link, or git refuses.
        """
        worktree, files = await self.worktree(), files_of(experiment.recipe)
        if (made := await worktree.tried(experiment.model)) and await _has(worktree, made, files):
            return made
        base = base_of(experiment.recipe)
        if experiment.number == BASELINE:
            return await worktree.commit(base, files, "the script as it is", experiment.model)
        parent = "" if experiment.parent is None else await worktree.tried(f"exp-{experiment.parent:04d}")
        return await worktree.commit(parent or base, files, _message(experiment), experiment.model)


async def _has(worktree: Worktree, commit: str, files: Mapping[str, str]) -> bool:
    for path, text in files.items():
        if await worktree.blob(commit, path) != text.encode():
            return False
    return True


def _message(experiment: Experiment) -> str:
    """What is tried, in the first line at most 72 characters of it."""
    words = " ".join(experiment.proposal.hypothesis.split())
    first = words if len(words) <= 72 else f"{words[:71]}…"
    rest = "" if first == words else f"\n\n{words}"
    return f"{first}{rest}\n\nExperiment: {experiment.number}\nCategory: {experiment.proposal.category}"
