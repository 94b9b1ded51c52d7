"""A lane: turns an order into a result, durably, and says how far it is. The runner knows lanes only by this page."""

from __future__ import annotations

from typing import Protocol

from checkpoints.records import Experiment, FailureKind, Json, Lane, Stage, Standing, Verdict


class StageFailed(Exception):
    """The work of a stage failed; ``kind`` decides what is done about it, the message is one line for a person."""

    def __init__(self, kind: FailureKind, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class StagePaused(Exception):
    """The work was interrupted at a point from which it goes on; the stage stays open."""


class StageWorker(Protocol):
    """What works in a lane, one experiment at a time; in the evaluate lane it may be given several side by side.

    ``run`` is idempotent under (experiment, lane): called again for a stage that is open it takes the work up where
    it is, on a worker process that still lives, from its result, or from its last checkpoint. It writes what streams
    (metrics, votes, answers, progress) into the store itself. Cancelling the task that awaits ``run`` leaves work
    outside this process (a trainer) alive, to be taken up by the next runner.
    """

    name: Lane

    def order(self, experiment: Experiment) -> Json:
        """Everything needed to do the work, decided now; it is stored before the work begins."""
        ...

    async def run(self, stage: Stage) -> Json:
        """Do the work, or take it up; returns the result that is stored with the stage.

        Raises:
            StageFailed: With the class of the error.
            StagePaused: After ``pause``.
        """
        ...

    def revise(self, stage: Stage, failure: StageFailed) -> Json | None:
        """The order for another attempt after a failure; None when there is no use in one."""
        ...

    async def pause(self) -> None:
        """Stop all at the next point from which the work can go on; ``run`` then raises ``StagePaused``."""
        ...

    async def abort(self, experiment: int | None = None) -> None:
        """Kill what works on an experiment, or all, and wait until it is gone; ``run`` then raises ``StageFailed``."""
        ...

    async def close(self, keep_workers: bool) -> None:
        """The runner goes; with ``keep_workers`` the next one takes up what still works, else all of it is ended."""
        ...


class Analyst(Protocol):
    """What works in the analyze lane: evidence in, verdict out."""

    async def judge(self, experiment: Experiment) -> tuple[Verdict, list[Standing]]:
        """The verdict on an experiment that was evaluated, and the ranking of the run's models with it.

        Raises:
            StageFailed: There is no evidence.
        """
        ...
