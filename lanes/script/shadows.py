"""Watches the folders of protected code while a script runs: what appears there may be imported in place of another.

Python looks into the folder of a program first. Where a command is several programs, the first could leave a module
for the next, and take it away again. A watch of the kernel tells of both. Linux only.
"""

from __future__ import annotations

import ctypes
import os
import re
import struct
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

MOST_FOLDERS = 4000
"""More are not watched: the kernel has room for some thousands."""

_CREATED, _MOVED_HERE, _MOVED_SELF = 0x100, 0x80, 0x800
_LOST, _FOLDER, _ONLY_FOLDERS, _OVER = 0x4000, 0x40000000, 0x01000000, 0x8000
_WATCHED = _CREATED | _MOVED_HERE | _MOVED_SELF | _ONLY_FOLDERS
_HEAD = struct.Struct("iIII")
_CODE = (".py", ".pyc", ".so")
_IMPORT = re.compile(
    rb"^[ \t]*(?:from|import)[ \t]+(\w+(?:(?:[.]\w+)*(?:[ \t]+as[ \t]+\w+)?[ \t]*,[ \t]*\w+)*)", re.MULTILINE
)
_ENVIRONMENTS = ("UV_PROJECT_ENVIRONMENT", "VIRTUAL_ENV", "CONDA_PREFIX")

LOST = "more files came and went beside it than can be followed"
"""What is found where the kernel has lost count."""


class Shadows:
    """A watch over the folders of some files, until it is closed; where nothing can be watched it finds nothing."""

    def __init__(self, top: Path, files: Iterable[Path], names: frozenset[str]) -> None:
        """Begin to watch.

        Args:
            top: Folder that all is below of; nobody can move it.
            files: Protected ones. The folders of code among them are watched, and ``top``.
            names: Of modules that other code imports.
        """
        self._top, self._names = top, names
        self._files = frozenset(path for path in files if path.is_relative_to(top))
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._queue: int = self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        self._folders: dict[int, Path] = {}
        self._suspected: set[Path] = set()
        self._found: set[str] = set()
        for folder in sorted(_with_all_above(top, self._files))[:MOST_FOLDERS]:
            self._watch(folder)

    def look(self) -> None:
        """Take note of what has happened since the last time: before the kernel's queue of it is full."""
        while data := self._read():
            at = 0
            while at < len(data):
                watch, what, _, length = _HEAD.unpack_from(data, at)
                at += _HEAD.size
                name = os.fsdecode(data[at : at + length].rstrip(b"\0"))
                at += length
                self._note(watch, what, name)

    def found(self) -> tuple[str, ...]:
        """Files, seen from the top, that would have been taken for others, whether they are still there or not."""
        self.look()
        for folder in self._suspected:
            if not folder.is_dir() or _has_code(folder):
                self._found.add(self._seen(folder))
        return tuple(sorted(self._found))

    def close(self) -> None:
        """End the watch."""
        if self._queue >= 0:
            os.close(self._queue)
            self._queue = -1

    def _note(self, watch: int, what: int, name: str) -> None:
        folder = self._folders.get(watch)
        if what & _LOST:
            self._found.add(LOST)
        elif folder is None or what & _OVER:
            return
        elif what & _MOVED_SELF:
            self._found.add(self._seen(folder))
        elif folder in self._suspected:
            if name.endswith(_CODE):
                self._found.add(self._seen(folder / name))
        elif folder / name in self._files or (not what & _FOLDER and self._is_shadow(name)):
            self._found.add(self._seen(folder / name))
        elif what & _FOLDER and name in self._names:
            self._suspected.add(folder / name)
            self._watch(folder / name)

    def _is_shadow(self, name: str) -> bool:
        return name.endswith(_CODE) and name.partition(".")[0] in self._names

    def _watch(self, folder: Path) -> None:
        number: int = self._libc.inotify_add_watch(self._queue, os.fsencode(folder), _WATCHED)
        if number >= 0:
            self._folders[number] = folder

    def _read(self) -> bytes:
        try:
            return os.read(self._queue, 1 << 16)
        except OSError:
            return b""

    def _seen(self, path: Path) -> str:
        return str(path.relative_to(self._top))


def imported(files: Iterable[Path], env: Mapping[str, str]) -> frozenset[str]:
    """Names of modules that code may import: the interpreter's, those that are installed, and what the code names.

    Args:
        files: Code among them is read.
        env: Of the command: says which packages it finds.
    """
    code = {name for path in files if path.suffix == ".py" for name in _named_in(path)}
    return frozenset(code | sys.stdlib_module_names | {"sitecustomize", "usercustomize"} | set(_installed(env)))


def _installed(env: Mapping[str, str]) -> Iterator[str]:
    programs = (Path(folder).resolve().parent for folder in env.get("PATH", "").split(os.pathsep) if folder)
    prefixes = {*programs, *(Path(env[name]) for name in _ENVIRONMENTS if name in env)}
    places = {place for prefix in prefixes for place in prefix.glob("lib/python*/*-packages")}
    for place in (*places, *map(Path, sys.path)):
        with suppress(OSError):
            yield from (entry.name.partition(".")[0] for entry in place.iterdir() if "-" not in entry.name)


def _named_in(path: Path) -> Iterator[str]:
    with suppress(OSError):
        for found in _IMPORT.finditer(path.read_bytes()):
            yield from (part.decode().split()[0].partition(".")[0] for part in found.group(1).split(b","))


def _with_all_above(top: Path, files: Iterable[Path]) -> set[Path]:
    """Folders of code, and those on the way to them, which could be moved away and back."""
    folders = {path.parent for path in files if path.suffix == ".py"}
    return {top, *(above for one in folders for above in (one, *one.parents) if above.is_relative_to(top))}


def _has_code(folder: Path) -> bool:
    with suppress(OSError):
        return any(entry.name.endswith(_CODE) for entry in folder.iterdir())
    return False
