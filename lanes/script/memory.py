"""The most memory that a family of processes had at a time: resident, and on GPUs where there are any."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path

import psutil

from lanes.script.bounds import Bounds


class Memory:
    """What was seen so far, in bytes."""

    def __init__(self) -> None:
        self.resident = self.on_gpu = self._now = 0
        self.overstepped = ""
        """What was used up too much of, in a line."""

        self._gpus = _gpus()

    def sample(self, family: Sequence[psutil.Process]) -> None:
        """Look at it now."""
        resident = 0
        for one in family:
            with contextlib.suppress(psutil.Error):
                resident += one.memory_info().rss
        self._now, self.resident = resident, max(self.resident, resident)
        if self._gpus:
            self.on_gpu = max(self.on_gpu, _on_gpus(self._gpus, {one.pid for one in family}))

    def oversteps(self, bounds: Bounds, family: Sequence[psutil.Process], folder: Path) -> bool:
        """Whether what was sampled last is too much.

        Args:
            bounds: The most that may be used up.
            family: That was sampled.
            folder: Where it writes.
        """
        self.overstepped = bounds.overstepped(self._now, len(family), folder)
        return bool(self.overstepped)


def _gpus() -> list[object]:
    """Handles of NVIDIA's GPUs."""
    if not Path("/dev/nvidiactl").exists():
        return []
    import pynvml

    try:
        pynvml.nvmlInit()
        return [pynvml.nvmlDeviceGetHandleByIndex(number) for number in range(pynvml.nvmlDeviceGetCount())]
    except pynvml.NVMLError:
        return []


def _on_gpus(gpus: Sequence[object], pids: set[int]) -> int:
    """Bytes that processes have there; 0 in a container that numbers processes otherwise than the driver does."""
    import pynvml

    used = 0
    for gpu in gpus:
        with contextlib.suppress(pynvml.NVMLError):
            found = pynvml.nvmlDeviceGetComputeRunningProcesses(gpu)
            used += sum(one.usedGpuMemory or 0 for one in found if one.pid in pids)
    return used
