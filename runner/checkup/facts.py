"""What the laws look at, read once: ten thousand experiments take a second."""

from __future__ import annotations

from dataclasses import dataclass

from checkpoints.collection import no_collection
from checkpoints.reader import Reader
from checkpoints.records import Championship, Experiment, Stage, Verdict


@dataclass(frozen=True, slots=True)
class Facts:
    """A run as its store has it."""

    experiments: dict[int, Experiment]
    """By number, in order."""

    verdicts: list[Verdict]
    """In the order in which they fell."""

    stages: list[Stage]
    """In the order in which they began."""

    reigns: list[Championship]
    """The first one first."""


def facts_of(read: Reader) -> Facts:
    """Read them."""
    with no_collection():
        experiments = {one.number: one for one in read.experiments()}
        return Facts(experiments, read.verdicts(), read.stages(), read.championships())
