"""Keeps a command from outside of its confinement: holds what it must not reach, and ends it with its own parent.

A keeper has files open that the command does not inherit, the lock of its worker among them. It ends when the command
has, or as soon as who started it is dead, and then after everything that the command has started. Where the kernel
numbers the command's processes anew, the first of them, which takes the place of the machine's own, is a keeper, too:
with its end the kernel ends the rest.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from lanes.script.namespaces import see_own_processes

_DIE_WITH_PARENT, _READABLE_BY_OTHERS, _ADOPT_ORPHANS = 1, 4, 36
_HEARD = frozenset({signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT})

FAILED = 125
"""Exit status where the command was not run."""


def keep(become: Callable[[], object], parent: int, say: int, report: int, anew: bool) -> int:
    """Have a command run by a child, and wait for its end; for a process without threads.

    Args:
        become: Run in the child; does not return where all goes well.
        parent: Who started this process; where that dies everything is ended.
        say: Open file for why the command could not be run, closed where it could.
        report: Open file for how it ended, one JSON object: ``status``, below 0 a signal, and ``left``, the names of
            what went on after it and was ended.
        anew: Whether children are numbered anew, in a name space that this process has made.

    Returns:
        Exit status; above 128 a signal ended the command.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, _HEARD)
    libc = ctypes.CDLL(None)
    libc.prctl(_ADOPT_ORPHANS, 1, 0, 0, 0)
    here = os.pidfd_open(os.getpid())
    act = (lambda: _be_first(become, say, report)) if anew else become
    child = _forked(lambda: (_die_with(here), act()), say)
    os.close(say)
    libc.prctl(_DIE_WITH_PARENT, signal.SIGTERM, 0, 0, 0)
    while True:
        if os.getppid() != parent:
            _end_all()
            return FAILED
        status = _reaped(child)
        if status is not None:
            if not anew:
                _tell(report, status, [])
            return _as_exit(status)
        signal.sigwait(_HEARD)


def _be_first(become: Callable[[], object], say: int, report: int) -> NoReturn:
    """Be the first process of a name space: adopt orphans, and end the rest by ending."""
    see_own_processes()
    child = _forked(become, say)
    os.close(say)
    ctypes.CDLL(None).prctl(_READABLE_BY_OTHERS, 0, 0, 0, 0)
    while True:
        found, status = os.waitpid(-1, 0)
        if found == child:
            ended = os.waitstatus_to_exitcode(status)
            _tell(report, ended, _others())
            os._exit(_as_exit(ended))


def _forked(act: Callable[[], object], say: int) -> int:
    """A child that does something and is never heard of again here; returns its pid."""
    child = os.fork()
    if child:
        return child
    try:
        act()
    except (OSError, ValueError) as error:
        os.write(say, str(error).encode())
    finally:
        os._exit(FAILED)


def _die_with(parent: int) -> None:
    """Have the kernel end this process when its parent ends.

    Args:
        parent: Handle of it: where processes are numbered anew, its number says nothing.
    """
    ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL, 0, 0, 0)
    if select.select([parent], [], [], 0)[0]:
        os._exit(FAILED)
    os.close(parent)


def _reaped(child: int) -> int | None:
    """How the child ended; None while it goes on. Orphans that are dead are taken note of."""
    while True:
        try:
            found, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return None
        if found == child:
            return os.waitstatus_to_exitcode(status)
        if not found:
            return None


def _end_all() -> None:
    from lanes.script.running import end_family  # takes a tenth of a second, and is hardly ever needed

    end_family(None)


def _tell(report: int, status: int, left: list[str]) -> None:
    os.write(report, json.dumps({"status": status, "left": left[:20]}).encode())


def _as_exit(status: int) -> int:
    return status if status >= 0 else 128 - status


def _others() -> list[str]:
    """Names of the living processes besides this one, which is the first."""
    names = {_name(folder) for folder in Path("/proc").glob("[0-9]*") if folder.name != "1"}
    return sorted(names - {""})


def _name(folder: Path) -> str:
    """What a process is called; empty where it is dead."""
    try:
        said = (folder / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    name, _, rest = said.partition("(")[2].rpartition(")")
    return "" if rest.split()[0] in "ZX" else name
