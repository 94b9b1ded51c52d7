"""What the machine has to do: its GPUs by NVML where there are any, else processor and memory."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

T = TypeVar("T")

LOOK_SECONDS = 5.0
"""How often the machine is asked."""


@dataclass(frozen=True, slots=True)
class Machine:
    """A look at the machine; shares from 0 to 1."""

    cpu: float
    ram: float
    gpus: int = 0
    gpu_name: str = ""
    gpu: float | None = None
    """Utilisation, the mean of all GPUs; like the others None where no GPU tells it."""

    gpu_bytes: int | None = None
    """Memory in use on all GPUs."""

    gpu_celsius: int | None = None
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
            numbers = range(nvml.nvmlDeviceGetCount())
        except nvml.NVMLError:  # a driver that is being replaced
            return machine
        handles = self._answers(nvml.nvmlDeviceGetHandleByIndex, numbers)
        if not handles:
            return machine
        names = self._answers(nvml.nvmlDeviceGetName, handles)
        loads = self._answers(lambda gpu: nvml.nvmlDeviceGetUtilizationRates(gpu).gpu / 100, handles)
        used = self._answers(lambda gpu: int(nvml.nvmlDeviceGetMemoryInfo(gpu).used), handles)
        sensor = nvml.NVML_TEMPERATURE_GPU
        celsius = self._answers(lambda gpu: int(nvml.nvmlDeviceGetTemperature(gpu, sensor)), handles)
        return replace(
            machine,
            gpus=len(handles),
            gpu_name=_short(str(names[0])) if names else "GPU",
            gpu=sum(loads) / len(loads) if loads else None,
            gpu_bytes=sum(used) if used else None,
            gpu_celsius=max(celsius, default=None),
        )

    def _answers(self, ask: Callable[[Any], T], asked: Iterable[Any]) -> list[T]:
        """What is answered; a part of a GPU has no utilisation, a passive one no sensor, and the rest still counts."""
        answers: list[T] = []
        for one in asked:
            try:
                answers.append(ask(one))
            except self._nvml.NVMLError:
                continue
        return answers


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
