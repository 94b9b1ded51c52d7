"""Files of a program's folder as git's last commit has them: what a run begins with, whatever lies about unsaved."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lanes.script.edits import EditRefused, decode
from lanes.script.git import GitError
from lanes.script.repository import repository

_LINK = "120000"
"""How git calls the kind of file that is a link."""


@dataclass(frozen=True, slots=True)
class Committed:
    """What git has of a folder."""

    head: str
    """Last commit, in full."""

    files: dict[str, str]
    """Texts by path, those that could be read."""

    lacking: dict[str, str]
    """Why the others could not, by path."""

    unsaved: tuple[str, ...]
    """Files that git knows and that differ from the commit, seen from the top of the repository."""


def committed(folder: Path, paths: Sequence[str]) -> Committed:
    """Look at the last commit; for a thread, as git may take its time.

    Raises:
        GitError: The folder is in no repository that a run can have a branch in.
    """
    found: list[Committed | BaseException] = []

    def look() -> None:
        try:
            found.append(asyncio.run(_look(folder, paths)))
        except BaseException as error:  # handed to whoever waits
            found.append(error)

    thread = threading.Thread(target=look, name="look at git")  # whoever calls may have a loop of their own
    thread.start()
    thread.join()
    if isinstance(found[0], BaseException):
        raise found[0]
    return found[0]


async def _look(folder: Path, paths: Sequence[str]) -> Committed:
    there = await repository(folder)
    files, lacking = dict[str, str](), dict[str, str]()
    for path in paths:
        try:
            name = f"{there.inside}{path}"
            content = await there.git.raw("cat-file", "blob", f"{there.head}:{name}")
            if (await there.git.ask("ls-tree", "--full-tree", there.head, "--", name)).startswith(_LINK):
                lacking[path] = f"{path} is a link to {content.decode(errors='replace')[:200]}: name the file itself"
            else:
                files[path] = decode(content, path)
        except GitError:
            lacking[path] = f"{path} is not in the last commit: git add and git commit put it there"
        except EditRefused as refused:
            lacking[path] = str(refused)
    return Committed(there.head, files, lacking, await there.unsaved())
