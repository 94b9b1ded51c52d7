"""What planner and loop know of a program: the same for one that trains recipes and one that edits a script."""

from __future__ import annotations

from typing import Protocol

from checkpoints.reader import Reader
from checkpoints.records import Json
from runner.settings import Agent, Search, Spending, ZoomOut
from runner.space import ChangeSpace


class Plan(Protocol):
    """A program in force."""

    @property
    def goal(self) -> str: ...
    @property
    def prose(self) -> str: ...
    @property
    def budget(self) -> Spending: ...
    @property
    def zoom_out(self) -> ZoomOut: ...
    @property
    def agent(self) -> Agent: ...
    @property
    def search(self) -> Search: ...

    @property
    def slots(self) -> int:
        """Candidates that are judged side by side."""
        ...

    @property
    def ahead(self) -> int:
        """Experiments that run ahead of evaluation."""
        ...

    @property
    def in_votes(self) -> bool:
        """Whether people's votes judge; else a metric does."""
        ...

    @property
    def space(self) -> ChangeSpace:
        """What an experiment may change, and how far."""
        ...

    @property
    def start(self) -> Json:
        """The recipe of experiment 0."""
        ...

    def closed(self, read: Reader) -> frozenset[str]:
        """Fields of the space that cannot be changed yet."""
        ...
