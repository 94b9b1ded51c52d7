# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
"""One training from its order to its result: load, train or go on, score, publish. Everything here may take long."""

from __future__ import annotations

import gc
import json
import resource
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase, Trainer

from checkpoints import strokes
from checkpoints.artifacts import publish
from checkpoints.records import Json
from lanes.data import Selection
from lanes.order import PAUSE, PairScore, Standby, TrainOrder, TrainResult
from lanes.recipe import Recipe
from lanes.workers.callbacks import SealCheckpoints, Watch, newest_whole
from lanes.workers.failures import NotFiniteError
from lanes.workers.metrics import Metrics
from lanes.workers.model import choose_device, load_base, missed_gpu, weights_dtype
from lanes.workers.preference_accuracy import accuracy
from lanes.workers.scoring import score, second_base
from lanes.workers.trainer import build_trainer, training_rows


@dataclass(slots=True)
class Warm:
    """A base model that a standby worker has loaded, on the CPU."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    standby: Standby


def warm_up(standby: Standby) -> Warm:
    """Load what the next order is expected to need; the GPU, if there is one, is left to whoever trains now.

    Raises:
        InputError: the model cannot be had.
    """
    torch.set_num_threads(standby.threads)
    dtype = weights_dtype(standby.precision, standby.lora, choose_device(standby.device))
    cpu = torch.device("cpu")
    model, tokenizer = load_base(standby.model, standby.revision, standby.trust_remote_code, cpu, dtype)
    return Warm(model, tokenizer, standby)


def train(
    order: TrainOrder, selection: Selection, folder: Path, metrics: Metrics | None, warm: Warm | None
) -> TrainResult:
    """Carry out an order, going on from the last whole checkpoint where there is one.

    Args:
        order: What to train.
        selection: The rows to train on and to score.
        folder: The worker's folder; checkpoints go into ``checkpoints`` below it.
        metrics: Where to log; None in all but the first process of several.
        warm: What a standby worker has loaded.

    Raises:
        WorkerError: a failure whose class is known.
        Exception: anything else that TRL, PEFT or torch raise.
    """
    torch.set_num_threads(order.threads)
    # What the imports left is there to stay; Trainer's full collections would walk through it again and again.
    gc.freeze()
    device = choose_device(order.device)
    model, tokenizer = _base(order, device, warm)
    dataset, notes = training_rows(order.recipe, tokenizer, selection.train)
    reference = second_base(order, device) if _needs_reference(order.recipe) else None
    checkpoint, passed = newest_whole(folder / "checkpoints", metrics is not None)
    watch = Watch(metrics, folder / PAUSE, _tokens_until(checkpoint))
    notes = [
        *missed_gpu(order.device, device),
        *selection.notes,
        *notes,
        *(f"{each} (in {folder.name})" for each in passed),
    ]
    found = _Found(selection, notes, len(dataset), watch)
    if (folder / PAUSE).exists():
        return found.result("paused", _steps_until(checkpoint), None)
    _note(metrics, "preparing the first step")
    trainer = build_trainer(
        order, folder / "checkpoints", model, reference, dataset, tokenizer, device, [watch, SealCheckpoints()]
    )
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    steps, loss = trainer.state.global_step, _last(trainer.state.log_history, "loss")
    if watch.paused or metrics is None:
        return found.result("paused", steps, loss)
    policy = _trained(trainer)
    pairs = _score(order, policy, tokenizer, selection, metrics, steps, found.notes)
    metrics.note("publishing")
    manifest = _publish(order, policy, tokenizer)
    return found.result("done", steps, loss).model_copy(update={"pairs": pairs, "manifest": manifest} | _means(pairs))


@dataclass(slots=True)
class _Found:
    """What a result says however the training ends."""

    selection: Selection
    notes: list[str]
    rows: int
    watch: Watch

    def result(self, status: Any, steps: int, loss: float | None) -> TrainResult:
        return TrainResult(
            status=status,
            steps=steps,
            rows=self.rows,
            broken_rows=self.selection.broken,
            tokens=self.watch.tokens,
            seconds=self.watch.seconds,
            first_step_at=self.watch.first_step_at,
            final_loss=loss,
            peak_memory=peak_memory(),
            notes=tuple(self.notes),
        )


def peak_memory() -> int:
    """Most memory in use so far, in bytes: of the GPU where there is one, else of this process."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated()
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _base(
    order: TrainOrder, device: torch.device, warm: Warm | None
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    dtype = weights_dtype(order.recipe.training.precision, order.recipe.lora.enabled, device)
    if warm is not None and _same_base(order, warm.standby) and warm.model.dtype == dtype:
        moved: Any = warm.model
        return moved.to(device), warm.tokenizer
    return load_base(order.model, order.revision, order.trust_remote_code, device, dtype)


def _same_base(order: TrainOrder, standby: Standby) -> bool:
    wanted = (order.model, order.revision, order.trust_remote_code)
    return wanted == (standby.model, standby.revision, standby.trust_remote_code)


def _needs_reference(recipe: Recipe) -> bool:
    return recipe.method == "dpo" and not recipe.lora.enabled


def _trained(trainer: Trainer) -> Any:
    """The trained model, out of whatever the trainer wrapped it in.

    Raises:
        NotFiniteError: the last step has spoilt the weights.
    """
    policy: Any = trainer.accelerator.unwrap_model(trainer.model, keep_fp32_wrapper=False)
    for name, parameter in policy.named_parameters():
        if parameter.requires_grad and not bool(torch.isfinite(parameter).all()):
            raise NotFiniteError(f"Weights {name} are not finite after the last step: lower learning_rate")
    return policy.eval()


def _score(
    order: TrainOrder,
    policy: Any,
    tokenizer: PreTrainedTokenizerBase,
    selection: Selection,
    metrics: Metrics,
    steps: int,
    notes: list[str],
) -> tuple[PairScore, ...]:
    metrics.note("scoring held-out pairs")
    pairs = score(order, policy, tokenizer, selection.heldout)
    if left_out := len(selection.heldout) - len(pairs):
        longest = order.score_length or order.recipe.training.max_length
        notes.append(f"{left_out} held-out pairs not scored: their prompts fill max_length {longest}")
    found = _means(pairs)
    if pairs:
        metrics.log("eval", steps, steps, {"val_pref_acc": found["val_pref_acc"], "loss": found["eval_loss"]})
    return pairs


def _means(pairs: tuple[PairScore, ...]) -> dict[str, float]:
    """What the pairs say together; nothing where none was scored."""
    if not pairs:
        return {}
    losses = [pair.loss for pair in pairs if pair.loss is not None]
    return {
        "val_pref_acc": accuracy([pair.margin for pair in pairs]),
        "eval_loss": sum(losses) / len(losses),
    }


def _publish(order: TrainOrder, policy: Any, tokenizer: Any) -> Json:
    """Put the adapter, or the whole model with its tokenizer, into the order's output folder."""
    order.output.parent.mkdir(parents=True, exist_ok=True)
    temporary = order.output.with_name(f".{order.output.name}.tmp")
    strokes.clear(temporary, quietly=True)
    if order.recipe.lora.enabled:
        # A set is written in another order by each process; the same training should give the same bytes.
        for config in policy.peft_config.values():
            config.target_modules = sorted(config.target_modules)
        # The base's embeddings are not trained; "auto" would ask the hub whether they have been resized.
        policy.save_pretrained(temporary, save_embedding_layers=False)
    else:
        policy.save_pretrained(temporary)
        tokenizer.save_pretrained(temporary)
    return publish(temporary, order.output)


def _tokens_until(checkpoint: Path | None) -> int:
    """Tokens that a training had seen at its checkpoint, as of its last log."""
    return int(_last(_history(checkpoint), "num_tokens") or 0)


def _steps_until(checkpoint: Path | None) -> int:
    return int(checkpoint.name.partition("-")[2]) if checkpoint else 0


def _history(checkpoint: Path | None) -> list[Json]:
    if checkpoint is None:
        return []
    return json.loads((checkpoint / "trainer_state.json").read_text(encoding="utf-8"))["log_history"]


def _last(history: list[Json], name: str) -> float | None:
    return next((float(entry[name]) for entry in reversed(history) if name in entry), None)


def _note(metrics: Metrics | None, doing: str) -> None:
    if metrics is not None:
        metrics.note(doing)
