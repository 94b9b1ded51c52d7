"""What a run shows of having tried more than it may: refusals in its output, files that others would believe."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable
from pathlib import Path

from checkpoints.text import clean

MOST = 20
"""Lines that are quoted of one run, and files that are named."""

_LENGTH = 200

_MOST_LOOKED_AT = 100_000
"""Files and folders: who leaves more is not looked at to the end."""

_REFUSED = re.compile(
    r"permission denied|operation not permitted|read-only file system|network is unreachable|connection refused"
    r"|file too large|no space left|name resolution|name or service not known|cross-device link|PermissionError"
    r"|no such process|no such file or directory: '/proc/\d+",
    re.IGNORECASE,
)

_OF_GIT = frozenset({".git", ".gitattributes", ".gitmodules", ".gitconfig", ".lfsconfig"})
_OF_PYTHON = frozenset(
    {*sys.stdlib_module_names, "sitecustomize", "usercustomize", "torch", "numpy", "transformers", "datasets", "trl"}
)
_CODE = (".py", ".pyc", ".so")


def refusals(output: str) -> tuple[str, ...]:
    """Lines that say that something was not allowed, each once: a stranger's words, shortened.

    What a script tries and says nothing of is refused all the same, and nobody hears of it.
    """
    found = (clean(line).strip() for line in output.splitlines() if _REFUSED.search(line))
    return tuple(f"it was refused: {line[:_LENGTH]}" for line in _first(dict.fromkeys(found)))


def believed(top: Path) -> frozenset[str]:
    """Files below a folder, from there, that git or Python would take into account without being asked to."""
    found: set[str] = set()
    looked = 0
    for folder, folders, files in os.walk(top):
        looked += len(folders) + len(files)
        found |= {os.path.relpath(Path(folder, name), top) for name in (*folders, *files) if _is_believed(name)}
        if looked > _MOST_LOOKED_AT:
            break
    return frozenset(found)


def left(before: frozenset[str], after: frozenset[str]) -> tuple[str, ...]:
    """What a run has left of such files, in a line for each; the next run finds none of them."""
    return tuple(f"it left {clean(name)}, which does not outlast the run" for name in _first(sorted(after - before)))


def _is_believed(name: str) -> bool:
    stem = name.partition(".")[0]
    code = name == stem or name.endswith(_CODE)
    return name in _OF_GIT or name.endswith(".pth") or (code and stem in _OF_PYTHON)


def _first(lines: Iterable[str]) -> list[str]:
    found = list(lines)
    more = [f"and {len(found) - MOST} more like it"] if len(found) > MOST else []
    return found[:MOST] + more
