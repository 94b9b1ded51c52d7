"""Runs git off the event loop, with all switched off by which a repository could have a program of its own run."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from checkpoints.text import clean

SECONDS = 60.0
"""What a command may take; ``ALL_FILES_SECONDS`` where it writes the files of a whole tree."""

ALL_FILES_SECONDS = 600.0

NAME, EMAIL = "autoresearch-tui", "autoresearch-tui@localhost"
"""Who commits: nobody's own name stands under what a program did."""

_OFF = {
    "core.hooksPath": "/dev/null",
    "core.fsmonitor": "false",
    "core.attributesFile": "/dev/null",
    "core.excludesFile": "/dev/null",
    "core.quotePath": "false",
    "commit.gpgSign": "false",
    "log.showSignature": "false",
    "diff.external": "",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "protocol.allow": "never",
    "submodule.recurse": "false",
    "safe.directory": "*",  # what makes a stranger's repository dangerous is off
    "core.sparseCheckout": "false",
    # A file that a script has altered is seen to be altered, also where its size and its time are what they were.
    "core.trustctime": "true",
    "core.checkStat": "default",
    "core.ignoreStat": "false",
    "core.fileMode": "true",
    "core.untrackedCache": "false",
}

_FILTERS = r"^filter\..*\.(smudge|clean|process|required)$"


class GitError(Exception):
    """Git cannot do what is needed; the message is one line for a person."""


@dataclass(frozen=True, slots=True)
class Git:
    """Git in one repository."""

    git_dir: Path
    """The repository itself, or its folder for one worktree. Said outright, so that no ``.git`` in a folder that a
    script can write is ever believed."""

    work_tree: Path | None = None
    """Where its files are; None for what touches no files."""

    filters: tuple[str, ...] = ()
    """Names of settings by which the repository would have programs run over file contents."""

    @classmethod
    async def of(cls, git_dir: Path, work_tree: Path | None = None) -> Git:
        """Git in a repository, its filters known and switched off.

        Raises:
            GitError: Git is not there, or this is no repository.
        """
        said = await cls(git_dir).ask("config", "--name-only", "-z", "--get-regexp", _FILTERS, may_fail=True)
        return cls(git_dir, work_tree, tuple(sorted({name for name in said.split("\0") if name})))

    async def ask(
        self, *arguments: str, given: bytes | None = None, index: Path | None = None, may_fail: bool = False,
        seconds: float = SECONDS,
    ) -> str:  # fmt: skip
        """What a command says, without the line break at its end; see ``raw``."""
        said = await self.raw(*arguments, given=given, index=index, may_fail=may_fail, seconds=seconds)
        return said.decode(errors="replace").removesuffix("\n")

    async def raw(
        self, *arguments: str, given: bytes | None = None, index: Path | None = None, may_fail: bool = False,
        seconds: float = SECONDS,
    ) -> bytes:  # fmt: skip
        """What a command says.

        Args:
            arguments: The command and its arguments.
            given: Its input.
            index: An index of its own, so that nobody's is touched.
            may_fail: Say nothing instead of raising.
            seconds: At most so long.

        Raises:
            GitError: It failed, took too long, or git is not installed.
        """
        more = {"GIT_DIR": str(self.git_dir)}
        if self.work_tree:
            more["GIT_WORK_TREE"] = str(self.work_tree)
        if index:
            more["GIT_INDEX_FILE"] = str(index)
        status, said, complaint = await run_git(arguments, more, self.filters, given, self.work_tree, seconds)
        if status and not may_fail:
            raise GitError(f"git {arguments[0]} failed: {_first_line(complaint) or f'exit status {status}'}")
        return b"" if status else said


async def run_git(
    arguments: tuple[str, ...], more: Mapping[str, str], filters: tuple[str, ...] = (), given: bytes | None = None,
    folder: Path | None = None, seconds: float = SECONDS,
) -> tuple[int, bytes, bytes]:  # fmt: skip
    """Exit status, output and complaint of git; cancelled or too slow, it is ended with all that it started.

    Raises:
        GitError: It took too long, or git is not installed.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            "git", "--no-pager", *arguments, env=_environment(more, filters), cwd=folder, start_new_session=True,
            stdin=asyncio.subprocess.PIPE if given is not None else asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
    except FileNotFoundError:
        raise GitError(_not_started(folder)) from None
    try:
        async with asyncio.timeout(seconds):
            said, complaint = await process.communicate(given)
    except TimeoutError:
        raise GitError(f"git {arguments[0]} took longer than {seconds:.0f} s and was ended") from None
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    return process.returncode or 0, said, complaint


def _not_started(folder: Path | None) -> str:
    if folder and not folder.is_dir():
        return f"{folder} is not there any more"
    return "git is not installed, and every change that is kept is a commit: install git"


def _environment(more: Mapping[str, str], filters: tuple[str, ...]) -> dict[str, str]:
    """Nothing of the person's settings for git, and nothing that asks them anything."""
    settings = _OFF | {name: "false" if name.endswith(".required") else "" for name in filters}
    pairs = {
        f"GIT_CONFIG_{kind}_{number}": text
        for number, setting in enumerate(settings.items())
        for kind, text in zip(("KEY", "VALUE"), setting, strict=True)
    }
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": "/nonexistent",
        "LC_ALL": "C.UTF-8",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_CONFIG_SYSTEM": "/dev/null",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_AUTHOR_NAME": NAME,
        "GIT_AUTHOR_EMAIL": EMAIL,
        "GIT_COMMITTER_NAME": NAME,
        "GIT_COMMITTER_EMAIL": EMAIL,
        "GIT_CONFIG_COUNT": str(len(settings)),
        **pairs,
        **more,
    }


def _first_line(complaint: bytes) -> str:
    """What git complains of, in one line."""
    lines = [line.strip() for line in clean(complaint.decode(errors="replace")).splitlines() if line.strip()]
    return next((line for line in lines if line.startswith(("fatal:", "error:"))), lines[0] if lines else "")[:300]
