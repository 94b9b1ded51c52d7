"""``results.tsv``: a line for each experiment, appended before anything is reset; what reads the original reads it.

The first five columns are the original's: commit, the metric by its name, memory_gb, status, description.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from checkpoints.text import clean

FILE = "results.tsv"

CRASHED = 0.0
"""What stands for a metric that there is none of, as in the original."""


@dataclass(frozen=True, slots=True)
class Line:
    """What is written down of one experiment."""

    experiment: int
    commit: str
    """In full; its first seven digits are written."""

    value: float | None
    """None where there is none."""

    memory: int
    """Bytes."""

    status: str
    """``keep``, ``discard``, ``inconclusive``, ``crash`` or ``vetoed``."""

    description: str
    seconds: float
    sd: float | None = None
    """Of one run, as measured by then; None while unknown."""

    parent: int | None = None
    """Experiment whose files were changed."""

    category: str = ""
    """Of the change, as its proposer named it."""

    numbers: Mapping[str, float] = field(default_factory=dict[str, float])
    """Further columns, the same in every line: guards for example."""


def append(path: Path, metric: str, line: Line) -> None:
    """Add a line, durably; the header goes first where there is none. An experiment's same line is not added twice.

    Args:
        path: The file; columns that it has in its header and that nobody knows here stay empty.
        metric: Name of the metric, and of its column.
        line: What is written.

    Raises:
        OSError: The disk is full.
    """
    values = _values(metric, line)
    before = path.read_bytes() if path.exists() else b""
    header = before.split(b"\n", 1)[0].decode(errors="replace").rstrip("\r").split("\t") if before else list(values)
    written = "\t".join(values.get(column, "") for column in header)
    if before and written.encode() in before.splitlines():
        return
    text = ("" if before else "\t".join(header) + "\n") + written + "\n"
    with path.open("ab") as file:
        file.write((b"\n" if before and not before.endswith(b"\n") else b"") + text.encode())
        file.flush()
        os.fsync(file.fileno())


def _values(metric: str, line: Line) -> dict[str, str]:
    """The fields by their columns, in the order that a new file gets."""
    value = line.value if line.value is not None and math.isfinite(line.value) else CRASHED
    return {
        "commit": line.commit[:7],
        _field(metric): f"{value:.6f}" if abs(value) < 1e9 else f"{value:.6g}",
        "memory_gb": f"{line.memory / 2**30:.1f}",
        "status": _field(line.status),
        "description": _field(line.description),
        "experiment": str(line.experiment),
        "seconds": f"{line.seconds:.1f}",
        "sd": "" if line.sd is None else f"{line.sd:.6g}",
        "parent": "" if line.parent is None else str(line.parent),
        "category": _field(line.category),
        **{_field(name): f"{number:.6g}" for name, number in line.numbers.items()},
    }


def _field(text: str) -> str:
    """A text that ends neither its field nor its line."""
    escaped = text.replace("\\", "\\\\").replace("\t", "\\t").replace("\r", "").replace("\n", "\\n")
    return clean(escaped)
