"""What a trainer logs, on its way into the store: metrics in batches, progress with speed and time to go."""

from __future__ import annotations

import math
import time
from collections import deque
from itertools import islice
from typing import Any, cast

from checkpoints import writes
from checkpoints.records import Json, Lane, Metric, Progress
from checkpoints.store import Store
from checkpoints.text import clean
from lanes.worker import Worker

KEEP_SECONDS = 1 / 3
"""Between two writes into the store, at least."""

BATCH = 2000
"""Metrics in one write, at most: other lanes write too."""

RECENT = 20
"""Steps over which the speed is taken."""


class TrainingLog:
    """Reads the lines of one training and keeps them."""

    def __init__(self, store: Store, experiment: int, worker: Worker, label: str = "") -> None:
        """Hear of nothing yet.

        Args:
            store: Of the run.
            experiment: In whose passage it is trained.
            worker: That trains.
            label: Which training it is, where it is not the experiment's own: its curve is not the experiment's.
        """
        self.step = 0
        """Last optimiser step that was heard of."""

        self.steps_heard = False
        """Whether this training has taken a step."""

        self._store = store
        self._experiment = experiment
        self._worker = worker
        self._label = label
        self._unkept: deque[Metric] = deque()
        self._progress: Progress | None = None
        self._doing = "starting"
        self._of = 0
        self._values: dict[str, float] = {}
        self._recent: deque[tuple[float, int]] = deque(maxlen=RECENT)
        self._kept_at = -math.inf

    @property
    def due(self) -> bool:
        """Whether there is something to keep, and it is time to."""
        waiting = bool(self._unkept) or self._progress is not None
        return waiting and time.monotonic() - self._kept_at >= KEEP_SECONDS

    def read(self) -> bool:
        """Take in what is new; returns whether there was anything."""
        lines = self._worker.new_metrics()
        for line in lines:
            self._take(line)
        if lines:
            self._progress = self._state()
        return bool(lines)

    async def keep(self) -> None:
        """Write what was read into the store; it is durable afterwards."""
        self._kept_at = time.monotonic()
        progress, self._progress = self._progress, None
        while self._unkept or progress:
            metrics = list(islice(self._unkept, BATCH))
            shown, progress = progress, None
            await self._store.do(_keep, metrics, shown)
            # Only now: a cancelled wait must not lose what was not written.
            for _ in metrics:
                self._unkept.popleft()

    async def finish(self) -> None:
        """The worker has ended: keep all it has logged; the next one's speed is its own."""
        while self.read():
            await self.keep()
        await self.keep()
        self._recent.clear()

    def where(self) -> str:
        """How far it was, for a message."""
        return f"at step {self.step} of {self._of}" if self.steps_heard else f"before its first step ({self._doing})"

    def _take(self, line: Json) -> None:
        match line:
            case {"phase": "note", "doing": str(doing)}:
                self._doing = clean(doing)[:80]
            case {"phase": "train" | "eval" as phase, "step": int(step), "values": dict()}:
                values = _numbers(cast(Json, line["values"]))
                if not self._label:
                    self._unkept.append(Metric(self._experiment, phase, step, values))
                if phase == "train":
                    self._take_step(step, line, values)
            case _:
                pass

    def _take_step(self, step: int, line: Json, values: dict[str, float]) -> None:
        self.step, self.steps_heard = step, True
        self._of = int(line.get("of") or 0)
        self._doing = "steps"
        self._values = values
        at = line.get("time")
        if isinstance(at, int | float):
            self._recent.append((at, step))

    def _state(self) -> Progress:
        details = [self._label] if self._label else []
        details += [f"loss {self._values['loss']:.4g}"] if "loss" in self._values else []
        if "tokens_per_second" in self._values:
            details.append(f"{self._values['tokens_per_second']:,.0f} tokens/s")
        return Progress(
            Lane.TRAIN,
            self._experiment,
            self._doing,
            self.step,
            self._of,
            " · ".join(details),
            self._eta(),
            time.time(),
        )

    def _eta(self) -> float | None:
        """Seconds to the last step; None while the speed is not known."""
        if len(self._recent) < 2 or self._doing != "steps":
            return None
        (began, first), (ended, last) = self._recent[0], self._recent[-1]
        if last <= first or ended <= began:
            return None
        return (ended - began) / (last - first) * max(0, self._of - last)


def _keep(db: Any, metrics: list[Metric], progress: Progress | None) -> None:
    writes.add_metrics(db, metrics)
    if progress:
        writes.set_progress(db, progress)


def _numbers(values: Json) -> dict[str, float]:
    """The finite numbers among values from outside, under names that can be drawn."""
    return {
        clean(name): float(value)
        for name, value in values.items()
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    }
