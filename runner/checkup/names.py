"""What a run folder has in it: the names that our code gives, and those that a killed process may leave behind."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from checkpoints import copies
from checkpoints.ownership import LOCK
from checkpoints.reader import DATABASE
from checkpoints.records import model_name
from lanes.arena_desk import ARENA
from lanes.cleanup import FETCHED
from lanes.judge.labels import LABELS
from lanes.script.results_tsv import FILE as RESULTS
from lanes.script.worktree import FOLDER as WORKTREE
from lanes.script.worktree import NOTE as WORKTREE_NOTE
from lanes.standby import PREFIX
from lanes.train_orders import ARTIFACTS, WORK
from lanes.trainings import TRAININGS
from lanes.vote_file import BATTLES, VOTES
from runner.git import NOTE as BRANCH_NOTE

PUBLISHED = "published"
"""Where models are published unless the program says otherwise."""

ASIDE = "aside"
"""Folder of the run that a repair moves into what belongs to nothing."""

BEFORE_A_REPAIR = "before-repair-"
"""How the names of copies begin that were made before a repair."""

_OF_THE_SCREEN = ("dashboard-errors.log", "exports", "headless.log", "wheel.lock")
"""Made by the floor above."""

_TOP = frozenset(
    {
        DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm", f"{DATABASE}.damaged", LOCK, ARTIFACTS, PUBLISHED, WORK, ARENA,
        copies.FOLDER, ASIDE, BATTLES, VOTES, LABELS, RESULTS, WORKTREE, WORKTREE_NOTE, BRANCH_NOTE, ".gitignore",
        *_OF_THE_SCREEN,
    }
)  # fmt: skip

_MODELS = re.compile(r"(?:(?:measure|score)-)?exp-(\d+)(?:-.*)?")
"""Folders of ``work`` that are of one experiment; in ``artifacts`` and ``published`` they have its name alone."""

_WORK = re.compile(
    rf"{PREFIX}\d+|server|product|judge|agent|on_policy|cache|scratch|prompts|protected\.json|{FETCHED}|{TRAININGS}"
)

_TEMPORARY = re.compile(r"\..+?(?:\.(?P<pid>\d+))?\.(?:tmp|old)(?:-journal)?")
"""What is on its way to its name, and what was put aside for it: hidden, with the pid of whoever made it."""

_PLACES = ("", ARTIFACTS, PUBLISHED, WORK, f"{WORK}/{FETCHED}", f"{WORK}/{TRAININGS}", ARENA, copies.FOLDER)
"""Folders in which something is renamed into place."""


def temporary(run: Path) -> Iterator[tuple[Path, int | None]]:
    """Temporary files and folders of a run, each with the pid in its name where it has one."""
    folders = [run / place for place in _PLACES] + [path for path in (run / WORK).glob("*/") if path.is_dir()]
    for folder in dict.fromkeys(folders):
        for path in sorted(folder.glob(".*")):
            if found := _TEMPORARY.fullmatch(path.name):
                yield path, int(found["pid"]) if found["pid"] else None


def unknown(run: Path, experiments: int) -> Iterator[Path]:
    """What nothing in a run accounts for, temporary names aside.

    Args:
        run: Its folder.
        experiments: How many it has.
    """
    names = {model_name(number) for number in range(experiments)}
    for path in _inside(run):
        if path.name not in _TOP:
            yield path
    for place in (ARTIFACTS, PUBLISHED):
        yield from (path for path in _inside(run / place) if path.name not in names)
    for path in _inside(run / WORK):
        model = _MODELS.fullmatch(path.name)
        if not (_WORK.fullmatch(path.name) or (model and int(model[1]) < experiments)):
            yield path


def _inside(folder: Path) -> Iterator[Path]:
    """What is in a folder, if there is one, but for temporary names."""
    if folder.is_dir():
        yield from (path for path in sorted(folder.iterdir()) if not _TEMPORARY.fullmatch(path.name))
