"""Landlock: a process gives up writing, and reading what is hidden, for itself and all that it starts. Linux only.

By system calls, as no library of Python's has them: ``man 7 landlock``. Numbers are the same on all 64-bit machines.
"""

from __future__ import annotations

import ctypes
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

_CREATE, _ADD, _RESTRICT = 444, 445, 446
_NO_NEW_PRIVILEGES = 38

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_REMOVE_AND_MAKE = sum(1 << bit for bit in range(4, 13))
_REFER, TRUNCATE, IOCTL = 1 << 13, 1 << 14, 1 << 15
_SCOPE_ABSTRACT_SOCKETS, _SCOPE_SIGNALS = 1 << 0, 1 << 1

_READ = EXECUTE | READ_FILE | READ_DIR
_WRITE = WRITE_FILE | _REMOVE_AND_MAKE | _REFER | TRUNCATE | IOCTL
_FOR_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL
"""Rights that a file can have that is no folder."""

_SINCE = ((2, _REFER), (3, TRUNCATE), (5, IOCTL))
"""Rights that came with a later version."""

SCOPES_SINCE = 6

DEVICES = (
    "null", "zero", "full", "random", "urandom", "tty", "shm", "dri", "kfd", "dxg", "infiniband", "accel*", "nvidia*",
)  # fmt: skip
"""What a program may use of ``/dev``. The rest is not even read: what is typed at the terminals of others and, by
root, whole disks."""

_ALL_DEVICES = Path("/dev")


class _Ruleset(ctypes.Structure):
    _fields_ = (("fs", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _Below(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32))


def version() -> int:
    """Version of Landlock that the kernel has; 0 where it has none, or it is switched off."""
    try:
        return max(0, _call(_CREATE, None, 0, 1))
    except (OSError, AttributeError):
        return 0


def restrict(write: Iterable[Path], hidden: Iterable[Path]) -> None:
    """From here on write only below some folders and to harmless devices, and read nothing that is hidden.

    For good, for this process and all that it starts. Names and times of hidden files stay visible.

    Args:
        write: Folders, and files, that are there.
        hidden: Files and folders.

    Raises:
        OSError: The kernel cannot.
    """
    known = version()
    if not known:
        raise OSError("the kernel has no Landlock, or it is switched off")
    missing = sum(right for since, right in _SINCE if known < since)
    hides = sorted({_ALL_DEVICES, *(path.resolve() for path in hidden if path.exists())})
    handled = (_WRITE | _READ) & ~missing
    scoped = (_SCOPE_ABSTRACT_SOCKETS | _SCOPE_SIGNALS) if known >= SCOPES_SINCE else 0
    rules = _Ruleset(handled, 0, scoped)
    ruleset = _call(_CREATE, ctypes.byref(rules), ctypes.sizeof(rules) if scoped else 8, 0)
    try:
        for path in (*write, *_devices()):
            _allow(ruleset, path, handled)
        _allow(ruleset, Path("/"), READ_DIR)
        for path in _all_but(hides):
            _allow(ruleset, path, _READ | (IOCTL & handled))
        no_new_privileges()
        _call(_RESTRICT, ruleset, 0)
    finally:
        os.close(ruleset)


def no_new_privileges() -> None:
    """From here on nothing that is started gets more rights: no set-user-ID program works."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "no_new_privs")


def _allow(ruleset: int, path: Path, rights: int) -> None:
    """Add a rule; what is not there, or cannot be opened, gets none."""
    try:
        handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        folder = stat.S_ISDIR(os.fstat(handle).st_mode)
        rule = _Below(rights if folder else rights & _FOR_FILES, handle)
        _call(_ADD, ruleset, 1, ctypes.byref(rule), 0)
    finally:
        os.close(handle)


def _all_but(hidden: list[Path]) -> Iterator[Path]:
    """Files and folders that together are all but what is hidden: rules can only allow."""
    above = {parent for path in hidden for parent in path.parents}
    for folder in above - set(hidden):
        if any(parent in hidden for parent in folder.parents):
            continue
        for entry in os.scandir(folder):
            path = Path(entry.path)
            if path not in above and path not in hidden and not entry.is_symlink():
                yield path


def _devices() -> Iterator[Path]:
    for name in DEVICES:
        yield from _ALL_DEVICES.glob(name)


def _call(number: int, *arguments: object) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    found: int = libc.syscall(ctypes.c_long(number), *(_word(argument) for argument in arguments))
    if found < 0:
        error = ctypes.get_errno()
        raise OSError(error, f"Landlock: {os.strerror(error)}")
    return found


def _word(argument: object) -> object:
    return ctypes.c_size_t(argument) if isinstance(argument, int) else argument
