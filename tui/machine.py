"""What the machine has to do: its GPUs by NVML where there are any, else processor and memory."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import Any

LOOK_SECONDS = 5.0
"""How often the machine is asked."""


@dataclass(frozen=True, slots=True)
class Machine:
    """A look at the machine; shares from 0 to 1."""

    cpu: float
    ram: float
    gpus: int = 0
    gpu_name: str = ""
    gpu: float = 0.0
    """Utilisation, the mean of all GPUs."""

    gpu_bytes: int = 0
    """Memory in use on all GPUs."""

    gpu_celsius: int = 0
    """Temperature of the hottest."""


class Gauge:
    """Asks the machine, at most every five seconds."""

    def __init__(self) -> None:
        self._at = -LOOK_SECONDS
        self._last: Machine | None = None
        self._nvml: Any = None
        self._asked_before = False

    def read(self) -> Machine | None:
        """The last look, or a new one where that is old; None at first, as nothing can be said of a moment's load.

        Takes some milliseconds, the first time more: not for the thread that draws.
        """
        if time.monotonic() - self._at >= LOOK_SECONDS:
            self._at = time.monotonic()
            self._last = self._look()
        return self._last

    def _look(self) -> Machine | None:
        import psutil

        cpu, ram = psutil.cpu_percent() / 100, psutil.virtual_memory().percent / 100
        if not self._asked_before:
            self._asked_before, self._nvml = True, _nvml()
            self._at -= LOOK_SECONDS - 1  # the first answer about a processor is about nothing: asked again soon
            return None
        return self._with_gpus(Machine(cpu, ram)) if self._nvml else Machine(cpu, ram)

    def _with_gpus(self, machine: Machine) -> Machine:
        nvml = self._nvml
        try:
            handles = [nvml.nvmlDeviceGetHandleByIndex(n) for n in range(nvml.nvmlDeviceGetCount())]
            loads = [nvml.nvmlDeviceGetUtilizationRates(handle).gpu / 100 for handle in handles]
            used = [int(nvml.nvmlDeviceGetMemoryInfo(handle).used) for handle in handles]
            celsius = [int(nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU)) for handle in handles]
            name = str(nvml.nvmlDeviceGetName(handles[0]))
        except (nvml.NVMLError, IndexError):  # a driver that is being replaced, or no GPU at all
            return machine
        return Machine(
            machine.cpu, machine.ram, len(handles), _short(name), sum(loads) / len(loads), sum(used), max(celsius)
        )


def _nvml() -> Any:
    """The library, ready to be asked; None where there is no driver."""
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return None
    return pynvml


def _short(name: str) -> str:
    """``H100`` of ``NVIDIA H100 80GB HBM3``, ``RTX 4090`` of ``NVIDIA GeForce RTX 4090``."""
    found = re.search(r"(RTX )?\b[A-Z]+\d+\w*|RTX \d+", name)
    return found[0] if found else name
