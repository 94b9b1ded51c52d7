"""Questions about what the lanes did: passages, waits, how far each is, and what trainings logged."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from checkpoints.querying import Querying, parsed
from checkpoints.records import FailureKind, Lane, Metric, Progress, Stage, StageState, Wait


class StageReader(Querying):
    """Answers questions about the work of the lanes."""

    def stages(self, experiment: int | None = None) -> list[Stage]:
        """Passages through lanes in the order in which they began."""
        where, values = ("", ()) if experiment is None else ("WHERE experiment = ?", (experiment,))
        return list(self._stages(f"{where} ORDER BY started_at, rowid", *values))

    def open_stage(self, lane: Lane) -> Stage | None:
        """The passage that a lane has begun and not ended, the one of the lowest number where there are several."""
        return next(iter(self.open_stages(lane)), None)

    def open_stages(self, lane: Lane) -> list[Stage]:
        """The passages that a lane has begun and not ended, by experiment: what to take up after a kill."""
        return list(self._stages("WHERE lane = ? AND state = 'started' ORDER BY experiment", lane))

    def done_stage(self, experiment: int, lane: Lane) -> Stage | None:
        """The passage that ended well."""
        where = "WHERE experiment = ? AND lane = ? AND state = 'done'"
        return next(self._stages(where, experiment, lane), None)

    def last_done(self, lane: Lane) -> Stage | None:
        """The passage through a lane that ended well last."""
        where = "WHERE lane = ? AND state = 'done' ORDER BY finished_at DESC, rowid DESC LIMIT 1"
        return next(self._stages(where, lane), None)

    def failures(self, experiment: int, lane: Lane) -> list[Stage]:
        """The passages that failed."""
        return list(
            self._stages("WHERE experiment = ? AND lane = ? AND state = 'failed' ORDER BY attempt", experiment, lane)
        )

    def passages(self) -> list[tuple[Lane, StageState, int, float, float]]:
        """Passages by lane and by how they ended: how many, their seconds together, and when the last of them began."""
        rows = self._all(
            "SELECT lane, state, count(*), total(seconds), max(started_at) FROM stages GROUP BY lane, state"
        )
        return [(Lane(lane), StageState(state), *sums) for lane, state, *sums in rows]

    def waits(self) -> list[Wait]:
        """Who stood still, when, and for what."""
        return [
            Wait(Lane(row[0]), *row[1:]) for row in self._all("SELECT lane, what, since, until FROM waits ORDER BY id")
        ]

    def progress(self) -> dict[Lane, Progress]:
        """How far each lane is, with the experiment of the lowest number where it has several in hand."""
        return {progress.lane: progress for progress in reversed(self.at_work())}

    def at_work(self) -> list[Progress]:
        """How far the lanes are with each experiment that they have in hand, by number; or what they last had to do."""
        rows = self._all(
            "SELECT EXISTS (SELECT 1 FROM stages WHERE state = 'started' AND lane = progress.lane"
            " AND experiment = progress.experiment), lane, experiment, doing, done, total, detail, eta, at"
            " FROM progress ORDER BY experiment, at"
        )
        busy = {lane for is_open, lane, *_ in rows if is_open}
        last = {row[1]: Progress(Lane(row[1]), *row[2:]) for row in rows if row[1] not in busy}
        return [Progress(Lane(lane), *told) for is_open, lane, *told in rows if is_open] + list(last.values())

    def metrics(self, experiment: int, phase: str = "train", after: int = -1) -> list[Metric]:
        """What an experiment's trainer logged after a step, by step."""
        rows = self._all(
            'SELECT experiment, phase, step, "values" FROM metrics WHERE experiment = ? AND phase = ? AND step > ?'
            " ORDER BY step",
            experiment, phase, after,
        )  # fmt: skip
        return [Metric(row[0], row[1], row[2], parsed(row[3])) for row in rows]

    def last_logged(self, phase: str, name: str) -> dict[int, float]:
        """The last value that each experiment's training logged under a name, by experiment; those without are left
        out."""
        rows = self._all(
            f"""SELECT experiment, json_extract("values", '$."{name}"'), max(step) FROM metrics WHERE phase = ?"""
            " GROUP BY experiment",
            phase,
        )
        return {number: value for number, value, _ in rows if value is not None}

    def _stages(self, where: str, *values: Any) -> Iterator[Stage]:
        for row in self._all(
            'SELECT experiment, lane, attempt, state, "order", result, failure, error, started_at, finished_at, seconds'
            f" FROM stages {where}",
            *values,
        ):
            failure = FailureKind(row[6]) if row[6] else None
            order, result = parsed(row[4]), parsed(row[5])
            yield Stage(row[0], Lane(row[1]), row[2], StageState(row[3]), order, result, failure, *row[7:])
