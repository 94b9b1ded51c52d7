"""Where and how a worker process starts: on this machine, on several of its GPUs, later on a cluster."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

_PACKAGES = Path(__file__).resolve().parents[1]
"""Where the packages of this project are, so that a worker finds them wherever it is started."""


class Launcher(Protocol):
    """The seam between a lane and the place where its workers run."""

    def command(self, program: str, order: Path) -> list[str]:
        """The command line that starts a program on an order file.

        Args:
            program: Module to run, for example ``lanes.workers.train``.
            order: Its order file, which need not be there yet.
        """
        ...

    def environment(self) -> dict[str, str]:
        """The complete environment of the worker."""
        ...


@dataclass(frozen=True, slots=True)
class LocalProcess:
    """One process on this machine."""

    threads: int = 1
    """Of its mathematics. Two processes whose threads spin on the same cores slow each other ten times."""

    gpu: str | None = None
    """What ``CUDA_VISIBLE_DEVICES`` says; None leaves it as it is."""

    def command(self, program: str, order: Path) -> list[str]:
        return [sys.executable, "-m", program, str(order)]

    def environment(self) -> dict[str, str]:
        return _environment(self.threads, self.gpu)


@dataclass(frozen=True, slots=True)
class AccelerateLaunch:
    """Several processes of one training on this machine, a GPU each, started by ``accelerate launch``."""

    processes: int
    threads: int = 1
    gpu: str | None = None
    """What ``CUDA_VISIBLE_DEVICES`` says; None leaves it as it is."""

    def command(self, program: str, order: Path) -> list[str]:
        launch = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_machines", "1"]
        # The precision is the recipe's. Port 0 takes a free one: two runs on one machine must not meet on the default.
        plain = ["--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", "0"]
        return [*launch, *plain, "--num_processes", str(self.processes), "-m", program, str(order)]

    def environment(self) -> dict[str, str]:
        return _environment(self.threads, self.gpu)


def _environment(threads: int, gpu: str | None) -> dict[str, str]:
    """The user's own environment (hub tokens, proxies and caches are there), and what a worker needs on top."""
    environment = dict(os.environ)
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        environment[name] = str(threads)
    environment["TOKENIZERS_PARALLELISM"] = "false"
    environment["PYTHONUNBUFFERED"] = "1"
    path = environment.get("PYTHONPATH", "")
    environment["PYTHONPATH"] = os.pathsep.join([str(_PACKAGES), path] if path else [str(_PACKAGES)])
    if gpu is not None:
        environment["CUDA_VISIBLE_DEVICES"] = gpu
    return environment
