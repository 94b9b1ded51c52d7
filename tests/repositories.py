"""Repositories in temporary folders, and a git under which the process dies."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

_ALONE = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}
_WHO = ("-c", "user.name=somebody", "-c", "user.email=somebody@example.org")


class Killed(BaseException):
    """The process is gone at this moment."""


def git(folder: Path, *arguments: str) -> str:
    """What the person's own git says."""
    return subprocess.run(
        ["git", *_WHO, *arguments], cwd=folder, env=os.environ | _ALONE, check=True, capture_output=True, text=True
    ).stdout.strip()


def repository_with(folder: Path, files: Mapping[str, str]) -> Path:
    """A repository with one commit."""
    folder.mkdir(parents=True, exist_ok=True)
    git(folder, "init", "--quiet", "--initial-branch=main")
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message=first")
    return folder


def die_at(monkeypatch: pytest.MonkeyPatch, call: int, after: bool) -> None:
    """Have this process die at its so-manieth call of git, just before it or just after it."""
    real, calls = asyncio.create_subprocess_exec, 0

    async def deadly(*arguments: Any, **more: Any) -> asyncio.subprocess.Process:
        nonlocal calls
        calls += 1
        if calls != call:
            return await real(*arguments, **more)
        if after:
            process = await real(*arguments, **more)
            await process.wait() if more["stdin"] == asyncio.subprocess.DEVNULL else await _finish(process)
        raise Killed

    async def _finish(process: asyncio.subprocess.Process) -> None:
        process.kill()
        await process.wait()

    monkeypatch.setattr(asyncio, "create_subprocess_exec", deadly)
