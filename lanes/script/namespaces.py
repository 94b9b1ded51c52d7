"""A process that reaches nobody: name spaces of the kernel with nothing but a loopback in them. Linux only."""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct
from collections.abc import Iterable
from pathlib import Path

_MOUNTS, _USER, _NETWORK, _IPC, _PIDS = 0x00020000, 0x10000000, 0x40000000, 0x08000000, 0x20000000
_BIND, _REC, _PRIVATE = 0x1000, 0x4000, 0x40000
_DROP_FROM_BOUNDING, _SECURE_BITS, _LAST_CAPABILITY = 24, 28, 63
_SHARED_MEMORY, _NOT_TO_BE_RUN = "/dev/shm", 0x2 | 0x4
_OF_SESSIONS = "/run/user"
_PROCESSES, _NOTHING_TO_RUN = "/proc", 0x2 | 0x4 | 0x8
_SET_MOUNT, _RECURSIVE, _READ_ONLY = 442, 0x8000, 0x1
_GET_FLAGS, _SET_FLAGS, _UP = 0x8913, 0x8914, 0x1


def leave_the_network(places: Iterable[Path] = ()) -> None:
    """From here on there is no network but a loopback of its own, for this process and all that it starts.

    Nor are there the sockets in folders on which others listen now: a terminal multiplexer would type for whoever
    asks, and a container's daemon is root. A folder of nothing but sockets, and the one where a session has its, are
    empty, so that nobody is found there who listens later. Shared memory is its own, and gone with it: what one run
    leaves, none finds.

    Args:
        places: Folders that are needed: nothing is hidden that has one of them.

    Raises:
        OSError: The kernel does not allow it, as in many containers.
    """
    user, group, sockets = os.getuid(), os.getgid(), _sockets()
    empty = _folders_of(sockets, Path(_OF_SESSIONS, str(user)), list(places))
    _unshare(_USER | _NETWORK | _IPC | _MOUNTS)
    here = Path("/proc/self")
    (here / "setgroups").write_text("deny", encoding="ascii")
    (here / "uid_map").write_text(f"{user} {user} 1", encoding="ascii")
    (here / "gid_map").write_text(f"{group} {group} 1", encoding="ascii")
    _raise_loopback()
    _mount(None, "/", _REC | _PRIVATE)  # nobody else sees what is mounted here
    for folder in empty:
        _mount("tmpfs", str(folder), _NOT_TO_BE_RUN, kind="tmpfs")
    for path in sockets:
        if _reachable(path):
            _mount("/dev/null", str(path), _BIND)
    if Path(_SHARED_MEMORY).is_dir():
        _mount("tmpfs", _SHARED_MEMORY, _NOT_TO_BE_RUN, kind="tmpfs")


def number_anew() -> None:
    """Have children be numbered from 1, in a name space with nobody else: what has no number gets no signal.

    After ``leave_the_network``. The first child is in place of the machine's first process: with it all others end.

    Raises:
        OSError: The kernel does not allow it.
    """
    _unshare(_PIDS)


def see_own_processes() -> None:
    """From here on ``/proc`` has the processes of this name space and no others. For its first process.

    Raises:
        OSError: The kernel does not allow it, as in containers that hide parts of ``/proc``.
    """
    _unshare(_MOUNTS)
    _mount("proc", _PROCESSES, _NOTHING_TO_RUN, kind="proc")


def write_only(places: Iterable[Path], sealed: Iterable[Path] = ()) -> None:
    """From here on everything is mounted to be read, but some places: modes, times and attributes stay, too.

    After ``leave_the_network``. Landlock keeps contents; who owns a file could still change what is beside them.

    Args:
        places: Folders, and files, that go on being written; those that are there.
        sealed: Folders below them that are only read all the same.

    Raises:
        OSError: The kernel does not allow it.
    """
    there = [path for path in map(Path.resolve, places) if path.exists()]
    for path in there:
        _mount(str(path), str(path), _BIND | _REC)
    _set_read_only(Path("/"), True, _RECURSIVE)
    for path in (*there, *(memory for memory in (Path(_SHARED_MEMORY),) if memory.is_mount())):
        _set_read_only(path, False)
    for path in sealed:
        _mount(str(path), str(path), _BIND)
        _set_read_only(path, True)


def drop_capabilities() -> None:
    """Have nothing that is started be able to do what only root may, within a name space or without."""
    libc = ctypes.CDLL(None, use_errno=True)
    for capability in range(_LAST_CAPABILITY + 1):
        libc.prctl(_DROP_FROM_BOUNDING, capability, 0, 0, 0)  # fails for those that there are not, or not ours


def _unshare(what: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(what):
        error = ctypes.get_errno()
        raise OSError(error, f"unshare: {os.strerror(error)}")


def _sockets() -> list[Path]:
    """Those in folders on which somebody listens."""
    lines = Path("/proc/net/unix").read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    names = {fields[7] for line in lines[1:] if len(fields := line.split(maxsplit=7)) == 8}
    return [path for name in sorted(names) if name.startswith("/") and _reachable(path := Path(name))]


def _folders_of(sockets: list[Path], session: Path, places: list[Path]) -> list[Path]:
    """Folders where there are only sockets, and a session's."""
    found = {path.parent for path in sockets if _has_only_sockets(path.parent)} | {session}
    return sorted(one for one in found if one.is_dir() and not any(place.is_relative_to(one) for place in places))


def _has_only_sockets(folder: Path) -> bool:
    try:
        return all(entry.is_socket() for entry in folder.iterdir())
    except OSError:
        return False


def _reachable(path: Path) -> bool:
    try:
        return path.is_socket()
    except OSError:
        return False


def _mount(source: str | None, target: str, flags: int, kind: str | None = None) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(
        source and source.encode(), target.encode(errors="surrogateescape"), kind and kind.encode(), flags, None
    ):
        error = ctypes.get_errno()
        raise OSError(error, f"mount on {target}: {os.strerror(error)}")


def _set_read_only(path: Path, only: bool, flags: int = 0) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    asked = struct.pack("QQQQ", _READ_ONLY if only else 0, 0 if only else _READ_ONLY, 0, 0)
    name, here = os.fsencode(path), ctypes.c_int(-100)
    if libc.syscall(ctypes.c_long(_SET_MOUNT), here, name, ctypes.c_uint(flags), asked, ctypes.c_size_t(len(asked))):
        error = ctypes.get_errno()
        raise OSError(error, f"mount_setattr on {path}: {os.strerror(error)}")


def _raise_loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sh14x", b"lo", 0)
        flags = struct.unpack("16sh14x", fcntl.ioctl(any_socket, _GET_FLAGS, request))[1]
        fcntl.ioctl(any_socket, _SET_FLAGS, struct.pack("16sh14x", b"lo", flags | _UP))
