"""Whether the kernel has ended processes for want of memory; it tells nobody but its own counters."""

from __future__ import annotations

from pathlib import Path

COUNTERS = Path("/proc/vmstat")


def oom_kills() -> int:
    """How many processes the kernel has ended for want of memory since the boot; 0 where it does not say."""
    try:
        lines = COUNTERS.read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0
    found = [line.split()[1] for line in lines if line.startswith("oom_kill ")]
    return int(found[0]) if found else 0
