"""What the lanes of a script need to know of its program."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from lanes.analyze.metric_rule import MetricRule
from lanes.script.order import Confined


@dataclass(frozen=True, slots=True)
class ScriptLaneSettings:
    """By the program in force."""

    project: Path
    """The folder of the program, in the person's checkout."""

    tag: str
    """What the run's branch is called after ``autoresearch/``."""

    command: str
    editable: tuple[str, ...]
    """From the program's folder."""

    rule: MetricRule
    """Under the greedy rules its ``seeds`` are the runs of the baseline, which tell of the noise."""

    pattern: str | None = None
    """Finds the metric in the output; None looks for its name."""

    seconds: float = 600.0
    """A run, or a check, is ended after so long, its start included."""

    checks: tuple[str, ...] = ()
    """Commands that must pass before a keep."""

    protected: tuple[str, ...] = ()
    """Further paths that no run may alter, from the program's folder or whole."""

    env: tuple[str, ...] = ()
    """Names of environment variables that are passed on."""

    seed_env: str | None = None
    """Environment variable that the script takes its seed from."""

    repairs: int = 2
    seed: int = 0
    """Of the first run of each experiment."""

    confined: Confined | None = field(default_factory=Confined)
    """None runs commands as the person would."""
