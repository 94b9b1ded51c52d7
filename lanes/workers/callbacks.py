# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
"""What happens beside the steps of a training: metrics out, checkpoints sealed, a wish to pause obeyed."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from checkpoints import strokes
from checkpoints.artifacts import last_whole, seal
from lanes.workers.failures import NotFiniteError
from lanes.workers.metrics import Metrics

KEPT = 2
"""Checkpoints that stay: should the newest be damaged, the one before it is there."""


class Watch(TrainerCallback):
    """Streams metrics, keeps the times of the first and the last step, and stops where a pause is wanted."""

    def __init__(self, metrics: Metrics | None, pause: Path, tokens_before: int) -> None:
        self._metrics = metrics
        self._pause = pause
        self._tokens_before = tokens_before
        self._logged: tuple[float, int] | None = None
        self.first_step_at: float | None = None
        self._first = self._last = 0.0
        self.tokens = tokens_before
        self.paused = False

    @property
    def seconds(self) -> float:
        """From the beginning of the first step of this process to the end of its last."""
        return self._last - self._first

    def on_step_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        if self.first_step_at is None:
            self.first_step_at = time.time()
            self._first = self._last = time.monotonic()
            self._logged = (self._first, self.tokens)

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self._last = time.monotonic()
        if state.global_step < state.max_steps and self._pause.exists():
            self.paused = control.should_save = control.should_training_stop = True

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: Mapping[str, Any] | None = None,
        **_: Any,
    ) -> None:
        """The summary after the last step has no ``loss`` and is left out: it would replace that step's numbers."""
        if self._metrics is None or logs is None or "loss" not in logs:
            return
        values = dict(logs)
        if "num_tokens" in values:
            self.tokens = values["num_tokens"] = self._tokens_before + int(values["num_tokens"])
            values["tokens_per_second"] = self._speed()
        self._metrics.log("train", state.global_step, state.max_steps, values)

    def _speed(self) -> float:
        """Tokens a second since the last log, padding left out."""
        now = time.monotonic()
        since, tokens = self._logged or (now, self.tokens)
        self._logged = (now, self.tokens)
        return (self.tokens - tokens) / (now - since) if now > since else math.nan


class SealCheckpoints(TrainerCallback):
    """Makes each checkpoint whole once all of it is written, and keeps the last two."""

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        _barrier()
        if args.process_index == 0:
            folder = Path(str(args.output_dir))
            seal(folder / f"checkpoint-{state.global_step}")
            for old in checkpoint_folders(folder)[:-KEPT]:
                strokes.clear(old)
        _barrier()


def checkpoint_folders(folder: Path) -> list[Path]:
    """Checkpoints of a training, from old to new, whole or not."""
    found = [path for path in folder.glob("checkpoint-*") if path.name.partition("-")[2].isdecimal()]
    return sorted(found, key=lambda path: int(path.name.partition("-")[2]))


def newest_whole(folder: Path, first_process: bool) -> tuple[Path | None, list[str]]:
    """The checkpoint to go on from, and a line for each damaged one, which the first process removes."""
    folders = checkpoint_folders(folder)
    chosen, passed = last_whole(folders)
    _barrier()
    if first_process:
        for damaged in folders[folders.index(chosen) + 1 if chosen else 0 :]:
            strokes.clear(damaged)
    return chosen, passed


class Guarded:
    """Mixed into a trainer: rows come tokenised, checkpoints get no card, and a number that is not finite ends it."""

    def _prepare_dataset(self, dataset: Any, *_: Any, **__: Any) -> Any:
        return dataset

    def create_model_card(self, *_: Any, **__: Any) -> None:
        """Nobody reads the card of a checkpoint."""

    def training_step(self, *args: Any, **options: Any) -> Any:
        loss: Any = super().training_step(*args, **options)  # type: ignore[misc]
        _check("loss", loss, self)
        return loss

    def _get_grad_norm(self, *args: Any, **options: Any) -> Any:
        norm: Any = super()._get_grad_norm(*args, **options)  # type: ignore[misc]
        # With fp16 the scaler skips a step whose gradients overflow; that is its normal way of working.
        if norm is not None and not self.args.fp16:  # type: ignore[attr-defined]
            _check("grad_norm", norm, self)
        return norm


def _check(name: str, value: Any, trainer: Any) -> None:
    if not math.isfinite(float(value)):
        step = trainer.state.global_step + 1
        raise NotFiniteError(
            f"{name} became {float(value)} at step {step} of {trainer.state.max_steps}: "
            "lower learning_rate, or set max_grad_norm above 0"
        )


def _barrier() -> None:
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.barrier()
