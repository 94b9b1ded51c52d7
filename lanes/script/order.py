"""Order and result of one run of a script: what crosses the border to its worker process, as files.

The worker's folder holds, besides what every worker's has (see ``lanes.order``), ``run.log``: the output as a person
reads it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from checkpoints.records import FailureKind
from lanes.order import Message
from lanes.script.bounds import Bounds

OUTPUT = "run.log"
"""File in the worker's folder with the output; and the name under which a command may write it itself."""


class Confined(Message):
    """What a command may not do."""

    network: bool = True
    """Whether it is without network; the loopback of its own goes on."""

    files: bool = True
    """Whether it may write only below ``write``, its temporary folder and its cache."""

    processes: bool = True
    """Whether it sees and signals no processes but its own; only together with ``network``."""

    write: tuple[Path, ...] = ()
    """Folders that it may write besides."""

    hidden: tuple[Path, ...] = ()
    """Files and folders that it may not read, besides where people keep their secrets."""


class ScriptOrder(Message):
    """Everything that a run needs."""

    experiment: int
    command: str
    """Run by ``/bin/sh``."""

    place: Path
    """The folder that it is run in."""

    top: Path
    """The worktree, which it may write."""

    seconds: Annotated[float, Field(gt=0)]
    """It is ended after so long."""

    env: dict[str, str]
    """Its whole environment; see ``lanes.script.surroundings``."""

    scratch: Path
    """Its temporary folder, emptied before and removed after."""

    cache: Path
    """A folder for what compilers keep."""

    cached: Path | None = None
    """What is in it at the start, where it is for this run alone, in ``scratch``: who writes a cache says what others
    will run."""

    confined: Confined | None = Confined()
    """None runs it as the person would."""

    bounds: Bounds | None = None
    """It is ended where it uses up more of the machine; None takes what the machine can bear."""

    protected: tuple[str, ...] = ()
    """Files below ``top``, and others by their whole path, that must be after the run what they were before; a folder
    stands for all that is in it."""

    metric: str = ""
    """Name of the metric; empty where the output is only looked at for whether it passed."""

    pattern: str | None = None
    """Regular expression with one group, the metric."""


class ScriptResult(Message):
    """Everything that a run found."""

    status: Literal["done", "paused", "failed"]
    failure: FailureKind | None = None
    error: str = ""
    """For a person: what went wrong."""

    tampering: tuple[str, ...] = ()
    """Protected files that the run altered."""

    value: float | None = None
    """The metric: the last that it printed."""

    different: int = 0
    """How many different numbers it printed as the metric."""

    numbers: dict[str, float] = Field(default_factory=dict[str, float])
    """All that the output names."""

    exit_status: int | None = None
    """None where a signal ended it, or it could not be started."""

    signal: str = ""
    """The signal that ended it, by its name."""

    seconds: float = 0.0
    """From start to end, monotonic."""

    peak_memory: int = 0
    """Most bytes at a time: of the GPU where the run used one, else resident."""

    gpu: bool = False
    """Which of the two."""

    tail: str = ""
    """The last 50 lines of the output: a stranger's words, to be quoted."""

    notes: tuple[str, ...] = ()
