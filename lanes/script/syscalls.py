"""System calls that a script has no use for and that reach past its confinement: a filter of the kernel. Linux only.

Landlock knows files and name spaces know the network. Neither knows the keys that a session has in the kernel, the
limits of processes that are somebody else's, sockets to the host of a virtual machine, nor typing into a terminal.
A queue of calls (``io_uring``) is not looked at by any filter, so there is none.
"""

from __future__ import annotations

import ctypes
import errno
import platform
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_SET_SECCOMP, _FILTER = 22, 2
_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_ALLOW, _ERROR = 0x7FFF0000, 0x00050000
_NUMBER, _MACHINE, _ARGUMENTS = 0, 4, 16
"""Where the kernel puts what a filter looks at."""

_OTHER_NUMBERING = 0x40000000
"""Calls from here on are those of a second table, of which nothing is known here."""

_FAMILIES = (1, 2, 10, 16)
"""Sockets that are confined by name spaces: in folders, IPv4, IPv6, and to the kernel's own tables."""

_TYPE_INTO_TERMINAL, _PASTE_ON_CONSOLE = 0x5412, 0x541C


@dataclass(frozen=True, slots=True)
class _Machine:
    """How one kind of machine numbers its calls."""

    audit: int
    never: tuple[int, ...]
    """``add_key``, ``request_key``, ``keyctl``; ``userfaultfd``; ``io_uring_setup``, ``_enter``, ``_register``."""

    limits: int
    """``prlimit64``."""

    sockets: tuple[int, ...]
    """``socket``, ``socketpair``."""

    control: int
    """``ioctl``."""


_QUEUE = (425, 426, 427)
"""The same on both."""

_MACHINES = {
    "x86_64": _Machine(0xC000003E, (248, 249, 250, 323, *_QUEUE), 302, (41, 53), 16),
    "aarch64": _Machine(0xC00000B7, (217, 218, 219, 282, *_QUEUE), 261, (198, 199), 29),
}

_Instruction = tuple[int, int, int, int]


def forbid() -> None:
    """From here on those calls fail with ``EPERM``, for good, for this process and all that it starts.

    New privileges must have been given up. Calls in another numbering than the machine's own all fail.

    Raises:
        OSError: The kernel cannot, or the machine is of a kind that nobody has numbered here.
    """
    machine = _MACHINES.get(platform.machine())
    if machine is None:
        raise OSError(errno.ENOSYS, f"seccomp: no filter is known for {platform.machine()}")
    program = _program(machine)
    code = b"".join(struct.pack("HBBI", *one) for one in program)
    room = ctypes.create_string_buffer(code, len(code))
    head = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(program), ctypes.addressof(room)))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_SET_SECCOMP, _FILTER, head, 0, 0):
        raise OSError(ctypes.get_errno(), "seccomp: the kernel takes no filter")


def _program(machine: _Machine) -> list[_Instruction]:
    refuse = (_RETURN, 0, 0, _ERROR | errno.EPERM)
    allow = (_RETURN, 0, 0, _ALLOW)
    return [
        (_LOAD, 0, 0, _MACHINE),
        (_EQUAL, 1, 0, machine.audit),
        refuse,
        (_LOAD, 0, 0, _NUMBER),
        (_AT_LEAST, 0, 1, _OTHER_NUMBERING),
        refuse,
        *(line for number in machine.never for line in _where(number, [refuse])),
        # Of itself (0) a process may set and ask; of others it may ask, which gives no new limits (a null pointer).
        *_where(machine.limits, [*_passes(0, (0,), allow), *_is_null(2, allow), refuse]),
        *(line for number in machine.sockets for line in _where(number, [*_passes(0, _FAMILIES, allow), refuse])),
        *_where(machine.control, [*_passes(1, (_TYPE_INTO_TERMINAL, _PASTE_ON_CONSOLE), refuse), allow]),
        allow,
    ]


def _where(number: int, then: Sequence[_Instruction]) -> list[_Instruction]:
    """What is done at one call; the call's number is at hand before and, where it is another, after."""
    return [(_EQUAL, 0, len(then), number), *then]


def _passes(argument: int, values: Iterable[int], end: _Instruction) -> list[_Instruction]:
    """What is done where the lower half of an argument is one of these."""
    lines: list[_Instruction] = [(_LOAD, 0, 0, _ARGUMENTS + 8 * argument)]
    for value in values:
        lines += [(_EQUAL, 0, 1, value), end]
    return lines


def _is_null(argument: int, end: _Instruction) -> list[_Instruction]:
    """What is done where both halves of an argument are 0."""
    low = _ARGUMENTS + 8 * argument
    return [(_LOAD, 0, 0, low), (_EQUAL, 0, 3, 0), (_LOAD, 0, 0, low + 4), (_EQUAL, 0, 1, 0), end]
