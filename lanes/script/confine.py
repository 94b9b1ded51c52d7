"""Becomes a command that may do less: ``python -m lanes.script.confine``, told what by one JSON object on its input.

Nothing is run where something of it does not work. Why not is written to the open file that the object names; where
all went well that is closed without a word.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
from pathlib import Path
from typing import Any

from lanes.script.keeper import FAILED, keep
from lanes.script.landlock import no_new_privileges, restrict
from lanes.script.namespaces import drop_capabilities, leave_the_network, number_anew, write_only
from lanes.script.syscalls import forbid

MOST_FILE_BYTES = 256 << 30
"""A file that a run writes may grow no larger."""

MOST_PROCESSES = 4096


def main() -> int:
    """Do as told, and wait for the end of it; returns the exit status."""
    told: dict[str, Any] = json.load(sys.stdin)
    for handle in (told["say"], told["report"], *told["keep"]):
        os.set_inheritable(handle, False)
    try:
        if told["network"]:
            leave_the_network(Path(path) for path in (told["place"], *told["write"]))
        if told["processes"]:
            number_anew()
        return keep(lambda: _become(told), told["parent"], told["say"], told["report"], told["processes"])
    except (OSError, ValueError) as error:
        os.write(told["say"], str(error).encode())
    return FAILED


def _become(told: dict[str, Any]) -> None:
    os.setsid()  # a signal to its group reaches nobody who keeps it
    _limit(told["network"])
    if told["network"] and told["files"]:
        write_only((Path(path) for path in told["write"]), (Path(path) for path in told["sealed"]))
    if told["files"]:
        restrict([Path(path) for path in told["write"]], [Path(path) for path in told["hidden"]])
    if told["network"] or told["files"]:
        drop_capabilities()
        no_new_privileges()
        forbid()
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.chdir(told["place"])
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    os.execvpe(told["argv"][0], told["argv"], told["env"])


def _limit(own_processes: bool) -> None:
    """Limits of what one run may use up; who starts it watches its memory, and the kernel takes it first of all."""
    Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    _at_most(resource.RLIMIT_CORE, 0)
    _at_most(resource.RLIMIT_FSIZE, MOST_FILE_BYTES)
    if own_processes:  # else all of the person's would count
        _at_most(resource.RLIMIT_NPROC, MOST_PROCESSES)


def _at_most(what: int, limit: int) -> None:
    _, hard = resource.getrlimit(what)
    limit = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
    resource.setrlimit(what, (limit, limit))


if __name__ == "__main__":
    sys.exit(main())
