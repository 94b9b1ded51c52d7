"""A process without network: name spaces of the kernel in which there is nothing but a loopback. Linux only."""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct
from pathlib import Path

_USER, _NETWORK, _IPC = 0x10000000, 0x40000000, 0x08000000
_DROP_FROM_BOUNDING, _SECURE_BITS, _LAST_CAPABILITY = 24, 28, 63
_GET_FLAGS, _SET_FLAGS, _UP = 0x8913, 0x8914, 0x1


def leave_the_network() -> None:
    """From here on there is no network but a loopback of its own, for this process and all that it starts.

    Raises:
        OSError: The kernel does not allow it, as in many containers.
    """
    user, group = os.getuid(), os.getgid()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_USER | _NETWORK | _IPC):
        error = ctypes.get_errno()
        raise OSError(error, f"unshare: {os.strerror(error)}")
    here = Path("/proc/self")
    (here / "setgroups").write_text("deny", encoding="ascii")
    (here / "uid_map").write_text(f"{user} {user} 1", encoding="ascii")
    (here / "gid_map").write_text(f"{group} {group} 1", encoding="ascii")
    _raise_loopback()


def drop_capabilities() -> None:
    """Have nothing that is started be able to do what only root may, within a name space or without."""
    libc = ctypes.CDLL(None, use_errno=True)
    for capability in range(_LAST_CAPABILITY + 1):
        libc.prctl(_DROP_FROM_BOUNDING, capability, 0, 0, 0)  # fails for those that there are not, or not ours


def _raise_loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sh14x", b"lo", 0)
        flags = struct.unpack("16sh14x", fcntl.ioctl(any_socket, _GET_FLAGS, request))[1]
        fcntl.ioctl(any_socket, _SET_FLAGS, struct.pack("16sh14x", b"lo", flags | _UP))
