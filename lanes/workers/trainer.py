# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false, reportIncompatibleMethodOverride=false
"""A recipe as a TRL trainer: every name as TRL and PEFT have it, and on a CPU without what only a GPU needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from peft import LoraConfig
from transformers import PreTrainedModel, PreTrainedTokenizerBase, PrinterCallback, Trainer, TrainerCallback
from trl.trainer.dpo_config import DPOConfig
from trl.trainer.dpo_trainer import DPOTrainer
from trl.trainer.sft_config import SFTConfig
from trl.trainer.sft_trainer import SFTTrainer

from lanes.order import TrainOrder
from lanes.recipe import Lora, Recipe
from lanes.rows import Example
from lanes.workers.callbacks import Guarded
from lanes.workers.failures import InputError, one_line
from lanes.workers.tokens import IGNORED, ChatTokens, PairTokens, chat_tokens, pair_tokens


class GuardedDPO(Guarded, DPOTrainer):
    """TRL's trainer for preference pairs."""


class GuardedSFT(Guarded, SFTTrainer):
    """TRL's trainer for chats."""


def build_trainer(
    order: TrainOrder,
    folder: Path,
    model: PreTrainedModel,
    reference: PreTrainedModel | None,
    dataset: Dataset,
    tokenizer: PreTrainedTokenizerBase,
    device: torch.device,
    callbacks: list[TrainerCallback],
) -> Trainer:
    """The trainer of an order, ready for its first step.

    Args:
        order: What to train.
        folder: Where checkpoints go.
        model: Base model on its device.
        reference: DPO of a whole model: the model before training. With an adapter the base itself is the reference.
        dataset: From `training_rows`.
        tokenizer: Of the model.
        device: Where to train.
        callbacks: Beside the trainer's own.

    Raises:
        InputError: TRL or PEFT cannot do what the recipe says.
    """
    recipe = order.recipe
    shared: dict[str, Any] = {
        "model": model,
        "train_dataset": dataset,
        "processing_class": tokenizer,
        "peft_config": _lora(recipe.lora) if recipe.lora.enabled else None,
        "callbacks": callbacks,
    }
    try:
        if recipe.method == "dpo":
            _still(model)
            config = DPOConfig(**_arguments(order, folder, device), **_dpo_arguments(recipe))
            trainer: Trainer = GuardedDPO(ref_model=reference, args=config, **shared)
        else:
            config = SFTConfig(**_arguments(order, folder, device), dataset_kwargs={"skip_prepare_dataset": True})
            trainer = GuardedSFT(args=config, **shared)
    except (ValueError, NotImplementedError) as error:
        raise InputError(f"The recipe cannot be trained: {one_line(str(error))}") from error
    trainer.remove_callback(PrinterCallback)
    return trainer


def training_rows(
    recipe: Recipe, tokenizer: PreTrainedTokenizerBase, examples: Sequence[Example]
) -> tuple[Dataset, list[str]]:
    """Examples as token ids, and a note about those that are too long to learn from.

    Raises:
        InputError: all of them are too long.
    """
    longest = recipe.training.max_length
    if recipe.method == "dpo":
        pairs = pair_tokens(tokenizer, examples)
        rows: Sequence[object] = [pair for pair in pairs if len(pair.prompt_ids) < longest]
    else:
        chats = chat_tokens(tokenizer, examples, longest)
        rows = [chat for chat in chats if any(label != IGNORED for label in chat.labels)]
    if not rows:
        raise InputError(f"No row has an answer within training.max_length {longest}: raise it")
    left_out = len(examples) - len(rows)
    notes = [f"{left_out} rows left out: their prompts alone fill max_length {longest}"] if left_out else []
    columns = [column.name for column in fields(PairTokens if recipe.method == "dpo" else ChatTokens)]
    return Dataset.from_dict({name: [getattr(row, name) for row in rows] for name in columns}), notes


def _arguments(order: TrainOrder, folder: Path, device: torch.device) -> dict[str, Any]:
    """Arguments that both methods share."""
    training = order.recipe.training
    same = training.model_dump(exclude={"beta", "loss_type", "label_smoothing", "precision"})
    return same | {
        "output_dir": str(folder),
        "bf16": training.precision == "bf16",
        "fp16": training.precision == "fp16",
        "use_cpu": device.type == "cpu",
        "dataloader_pin_memory": device.type != "cpu",
        "logging_steps": order.logging_steps,
        "logging_nan_inf_filter": False,
        "save_strategy": "steps",
        "save_steps": order.checkpoint_steps,
        "report_to": "none",
        "disable_tqdm": True,
        "trust_remote_code": order.trust_remote_code,
    }


def _dpo_arguments(recipe: Recipe) -> dict[str, Any]:
    training = recipe.training
    return {
        "beta": training.beta,
        "loss_type": list(training.loss_type),
        "label_smoothing": training.label_smoothing,
        # TRL would switch off the adapter's dropout too; the base model's is switched off by `_still`.
        "disable_dropout": False,
    }


def _lora(lora: Lora) -> LoraConfig:
    targets = lora.target_modules
    alpha: Any = lora.lora_alpha
    return LoraConfig(
        task_type="CAUSAL_LM",
        r=lora.r,
        lora_alpha=alpha,
        lora_dropout=lora.lora_dropout,
        target_modules=targets if isinstance(targets, str) else list(targets),
    )


def _still(model: PreTrainedModel) -> None:
    """Switch off the model's own dropout, so that policy and reference differ by training alone."""
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
