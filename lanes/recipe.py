"""The recipe: the complete, validated description of one training, under TRL's and PEFT's own names.

Every field says its type, default and meaning in a line; ranges are checked here, never clamped. NaN, infinity and
booleans are not numbers. Which of these fields an experiment may change, and how far, is the program's ``space``.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator


def _no_boolean(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("a number is needed, not a boolean")
    return value


Number: TypeAlias = Annotated[float, BeforeValidator(_no_boolean), Field(allow_inf_nan=False)]
Count: TypeAlias = Annotated[int, BeforeValidator(_no_boolean)]
Share: TypeAlias = Annotated[float, BeforeValidator(_no_boolean), Field(ge=0, le=1, allow_inf_nan=False)]

LossType = Literal[
    "sigmoid", "hinge", "ipo", "exo_pair", "nca_pair", "robust", "bco_pair", "sppo_hard", "aot", "aot_unpaired",
    "apo_zero", "apo_down", "discopop", "sft", "sigmoid_norm",
]  # fmt: skip
"""Losses of TRL's ``DPOConfig.loss_type``."""

Scheduler = Literal[
    "linear", "cosine", "cosine_with_restarts", "polynomial", "constant", "constant_with_warmup", "inverse_sqrt"
]
"""Schedules of Transformers that need no further arguments."""


class Part(BaseModel):
    """A part of a recipe: unknown fields are errors, and a part never changes."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Filters(Part):
    """Which rows of the sources may be trained on."""

    min_margin: Annotated[Number, Field(ge=0)] | None = None
    """Least ``score_chosen - score_rejected`` of a pair; None takes every pair. A row without scores does not pass."""

    min_length: Annotated[Count, Field(ge=0)] | None = None
    """Least characters of the answer (of the chosen one, in a pair)."""

    max_length: Annotated[Count, Field(ge=1)] | None = None
    """Most characters of the answer (of the chosen one, in a pair)."""

    languages: tuple[str, ...] | None = None
    """Languages of the prompt, as the row's ``language`` says; None takes all. Rows that do not say do not pass."""

    deduplicate: bool = False
    """Take one row of those with the same prompt and answer."""


class Data(Part):
    """From which sources the rows come, which pass, and how many are drawn."""

    mix: dict[str, Annotated[Number, Field(ge=0)]]
    """Weight of each source of the program; a source with weight 0 is left out. Rows are drawn in proportion."""

    filters: Filters = Filters()

    sample_size: Annotated[Count, Field(ge=1)] | None = None
    """Rows drawn after filtering; None takes all that the mix allows."""

    seed: Annotated[Count, Field(ge=0)] = 0
    """Of the draw."""

    @model_validator(mode="after")
    def _something_is_mixed(self) -> Data:
        if not any(weight > 0 for weight in self.mix.values()):
            raise ValueError("data.mix needs at least one source with a weight above 0")
        return self


class Training(Part):
    """Arguments of TRL's ``DPOConfig`` or ``SFTConfig``."""

    learning_rate: Annotated[Number, Field(gt=0, le=1)] = 5e-5
    lr_scheduler_type: Scheduler = "linear"
    warmup_steps: Annotated[Number, Field(ge=0)] = 0.0
    """Below 1 a share of all steps, from 1 on a number of steps (Transformers 5)."""

    num_train_epochs: Annotated[Number, Field(gt=0)] = 1.0
    max_steps: Annotated[Count, Field(ge=-1)] = -1
    """Optimiser steps; -1 lets ``num_train_epochs`` decide."""

    per_device_train_batch_size: Annotated[Count, Field(ge=1)] = 8
    gradient_accumulation_steps: Annotated[Count, Field(ge=1)] = 1
    weight_decay: Annotated[Number, Field(ge=0, le=1)] = 0.0
    adam_beta1: Annotated[Number, Field(ge=0, lt=1)] = 0.9
    adam_beta2: Annotated[Number, Field(ge=0, lt=1)] = 0.999
    adam_epsilon: Annotated[Number, Field(gt=0)] = 1e-8
    max_grad_norm: Annotated[Number, Field(ge=0)] = 1.0
    neftune_noise_alpha: Annotated[Number, Field(ge=0)] | None = None
    """Noise on the embeddings while training (NEFTune); None switches it off."""

    beta: Annotated[Number, Field(gt=0)] = 0.1
    """DPO: how strongly the policy is held to the reference."""

    loss_type: tuple[LossType, ...] = ("sigmoid",)
    """DPO: losses that are added up."""

    label_smoothing: Annotated[Number, Field(ge=0, lt=0.5)] = 0.0
    """DPO: assumed share of pairs whose label is wrong."""

    max_length: Annotated[Count, Field(ge=8)] = 1024
    """Tokens of prompt and answer together."""

    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    gradient_checkpointing: bool = False
    seed: Annotated[Count, Field(ge=0)] = 42


class Lora(Part):
    """Arguments of PEFT's ``LoraConfig``; off trains the whole model."""

    enabled: bool = True
    r: Annotated[Count, Field(ge=1, le=1024)] = 16
    lora_alpha: Annotated[Number, Field(gt=0)] = 32
    lora_dropout: Annotated[Share, Field(lt=1)] = 0.0
    target_modules: Literal["all-linear"] | tuple[str, ...] = "all-linear"


class Deployment(Part):
    """How the model is served to voters."""

    temperature: Annotated[Number, Field(ge=0, le=2)] = 0.7
    top_p: Annotated[Share, Field(gt=0)] = 1.0
    max_new_tokens: Annotated[Count, Field(ge=1)] = 256


class Recipe(Part):
    """The complete, validated description of one training."""

    method: Literal["dpo", "sft"]
    data: Data
    training: Training = Training()
    lora: Lora = Lora()
    deployment: Deployment = Deployment()
